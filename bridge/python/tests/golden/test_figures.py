"""The golden figures: what comes through the bridge has the hashes on file, which TypeScript has too."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecgym import OffloadingEnv, OffloadingTextEnv, evaluate, make_dataset

FILE = Path(__file__).resolve().parents[4] / "test" / "golden" / "figures.json"
GOLDEN: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))


def name_of(golden: dict[str, Any]) -> str:
    words = [value for value in golden.values() if isinstance(value, str) and value != golden["sha256"]]
    return "/".join([*words, *golden.get("options", {})])


@pytest.mark.parametrize("golden", GOLDEN["lookAheads"], ids=name_of)
def test_look_ahead_tables(golden: dict[str, Any]) -> None:
    options = golden["options"]
    wanted: dict[str, Any] = {}
    if options:
        factor = options["sizeFactor"]
        wanted = {"num_samples": options["numSamples"], "size_factor": (factor["min"], factor["max"])}
        wanted |= {name: options[name] for name in ("weight", "mode", "rates")}
    env = OffloadingEnv(golden["scenario"])
    _observation, info = env.reset(seed=golden["seed"])
    found = hashlib.sha256()
    for i in range(golden["decisions"]):
        ahead = env.look_ahead(**wanted)
        for table in (ahead.latency_slots, ahead.cost_slots, ahead.impact_slots, ahead.reward):
            found.update(table.astype("<f8").tobytes())
        info = env.step(i % (info["num_servers"] + 1))[4]
    env.close()
    assert found.hexdigest() == golden["sha256"]


@pytest.mark.parametrize("golden", GOLDEN["prompts"], ids=name_of)
def test_prompts(golden: dict[str, Any]) -> None:
    env = OffloadingTextEnv(golden["scenario"], template=golden["template"], perturbation=golden["perturbation"])
    prompt, info = env.reset(seed=golden["seed"])
    found = hashlib.sha256()
    for i in range(golden["decisions"]):
        found.update(f"{prompt}\n".encode())
        prompt, _reward, _terminated, _truncated, info = env.step(i % (info["num_servers"] + 1))
    env.close()
    assert found.hexdigest() == golden["sha256"]


@pytest.mark.parametrize("golden", GOLDEN["statistics"], ids=name_of)
def test_statistics_of_episodes(golden: dict[str, Any]) -> None:
    env = OffloadingEnv(golden["scenario"])
    found = hashlib.sha256()
    for seed in golden["seeds"]:
        info, truncated = env.reset(seed=seed)[1], False
        while not truncated:
            action = info["decision_index"] % (info["num_servers"] + 1)
            _observation, _reward, _terminated, truncated, info = env.step(action)
        statistics = list(info["episode_stats"].values())
        found.update(struct.pack(f"<{len(statistics)}d", *statistics))
    env.close()
    assert found.hexdigest() == golden["sha256"]


@pytest.mark.parametrize("golden", GOLDEN["datasets"], ids=name_of)
def test_datasets(golden: dict[str, Any], tmp_path: Path) -> None:
    options = {name: value for name, value in golden.items() if name != "sha256"}
    make_dataset(**options, out=tmp_path / "data.jsonl", show_progress=False)
    assert hashlib.sha256((tmp_path / "data.jsonl").read_bytes()).hexdigest() == golden["sha256"]


@pytest.mark.parametrize("golden", GOLDEN["results"], ids=name_of)
def test_results(golden: dict[str, Any]) -> None:
    result = evaluate(
        golden["suite"],
        golden["policies"],
        episodes=golden["episodes"],
        first_seed=golden["firstSeed"],
        show_progress=False,
    )
    found = hashlib.sha256(b"".join(leaves(result["settings"])))
    assert found.hexdigest() == golden["sha256"]


def leaves(value: Any) -> list[bytes]:
    """Return a JSON value as the program that makes the golden file hashes it."""
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in (*leaves(name), *leaves(value[name]))]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [struct.pack("<d", value) + b"\0"]
    word = value if isinstance(value, str) else json.dumps(value)
    return [word.encode() + b"\0"]


def test_one_bit_of_a_figure_is_another_hash() -> None:
    figure = 3.25
    pair = [leaves({"value": one, "isUnstable": None}) for one in (figure, np.nextafter(figure, 4.0).item())]
    assert pair[0] != pair[1]
    assert pair[0] == [b"isUnstable\0", b"null\0", b"value\0", struct.pack("<d", figure) + b"\0"]
