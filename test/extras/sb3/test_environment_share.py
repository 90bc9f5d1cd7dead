"""The driver of the speed benchmark trains DQN, and says which part of the time the environment took."""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[3] / "benchmarks" / "peers" / "run_python.py"


@pytest.mark.parametrize("num_envs", [1, 8])
def test_the_environment_takes_a_part_of_the_time(num_envs: int) -> None:
    command = [sys.executable, str(DRIVER), "--what", "dqn", "--lanes", str(num_envs)]
    lines = "run 200\nrun 400\n"
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    ready, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"stable_baselines3", "torch"} < ready["versions"].keys()
    for reply, asked in zip(replies, [200, 400], strict=True):
        assert asked <= reply["steps"] < asked + 4 * num_envs
        assert 0 < reply["environmentSeconds"] < reply["seconds"]
