"""How EnvPool is timed: its CartPole in a batch, played by the driver of the speed benchmark."""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import envpool
import numpy as np
import pytest

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"


def test_the_driver_plays_it() -> None:
    command = [sys.executable, str(PEERS / "run_python.py"), "--what", "envpool", "--lanes", "64"]
    lines = "run 1000\nrun 20000\n"
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    ready, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready["versions"]["envpool"] == envpool.__version__
    for reply, asked in zip(replies, [1000, 20_000], strict=True):
        assert asked <= reply["steps"] < asked + 64
        assert reply["seconds"] > 0


@pytest.mark.filterwarnings("ignore:.*precision lowered:UserWarning")
def test_a_lane_whose_episode_ended_only_resets_in_the_next_step() -> None:
    """Such steps are not counted by the driver."""
    envs = envpool.make_gymnasium("CartPole-v1", num_envs=4, seed=0)
    envs.reset()
    resets = 0
    ended = np.zeros(4, bool)
    for _ in range(100):
        _, rewards, terminated, truncated, infos = envs.step(np.zeros(4, np.int32))
        # a pole that is pushed one way falls within some ten steps, each of which brings a reward of 1
        np.testing.assert_array_equal(rewards, np.where(ended, 0, 1))
        np.testing.assert_array_equal(infos["elapsed_step"] == 0, ended)
        resets += int(ended.sum())
        ended = terminated | truncated
    assert resets > 20
