"""The golden trajectories: this client must see the very bits the simulator gives."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import play
from mecgym import OffloadingEnv, TrajectoryDigest

FILE = Path(__file__).resolve().parents[4] / "test" / "golden" / "trajectories.json"
GOLDEN: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_golden_trajectories(golden: dict[str, Any]) -> None:
    env = OffloadingEnv(golden["scenario"])
    found = play(env, golden["seeds"], golden["rule"])
    env.close()
    assert found == (golden["digest"], golden["numSteps"])


def test_the_digest_is_made_of_the_bytes_the_model_names() -> None:
    digest = TrajectoryDigest()
    digest.add_step(np.asarray([1.5, 2.5], np.float32), 3, 4.25, 14.25)
    digest.add_step([0.5, 0.25], 0, 1.0, 1.0)
    digest.end_episode(2**53 - 1)
    digest.end_episode(1)
    data = struct.pack("<QQii4d4f", 2**53 - 1, 2, 3, 0, 4.25, 1.0, 14.25, 1.0, 1.5, 2.5, 0.5, 0.25)
    data += struct.pack("<QQ", 1, 0)
    assert digest.hexdigest() == hashlib.sha256(data).hexdigest()


def test_a_digest_copies_its_observations() -> None:
    first, second = TrajectoryDigest(), TrajectoryDigest()
    row = np.asarray([1.0], np.float32)
    first.add_step(row, 0, 1.0, 1.0)
    second.add_step([1.0], 0, 1.0, 1.0)
    row[0] = 9
    for digest in (first, second):
        digest.end_episode(1)
    assert first.hexdigest() == second.hexdigest()
