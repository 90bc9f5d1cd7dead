"""The driver of what steps from Python: it steps on command, and does not count steps that only reset."""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import run_python

DRIVER = Path(run_python.__file__)


def drive(*options: str, commands: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DRIVER), "--warm-up-seconds", "0.1", *options]
    return subprocess.run(  # noqa: S603
        command, input=commands, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "options",
    [("make-vec",), ("make-vec", "--history"), ("views",), ("lanes", "--groups", "2"), ("numpy",), ("async",)],
)
def test_it_steps_at_least_as_often_as_it_is_told_to(options: tuple[str, ...]) -> None:
    done = drive("--lanes", "8", "--what", *options, commands="run 100\nrun 4000\n")
    assert done.returncode == 0, done.stderr
    ready, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready["ready"]
    assert ready["versions"].keys() == {"python", "numpy", "gymnasium"}
    for reply, asked in zip(replies, [100, 4000], strict=True):
        assert asked <= reply["steps"] < asked + 8
        assert reply["seconds"] > 0


def test_steps_that_only_reset_are_not_counted() -> None:
    class Alternating:
        """Lane 0 ends each episode with its first decision, so every second step resets it; lane 1 never ends."""

        steps = 0

        def step(self, actions: np.ndarray) -> tuple:
            self.steps += 1
            ended = np.array([self.steps % 2 == 1, False])
            return None, None, np.zeros(2, bool), ended, {}

    envs = Alternating()
    play = run_python.vector_play(envs, 2)
    assert play(6) == {"steps": 6}
    assert envs.steps == 4


def test_python_environments_play_whole_episodes() -> None:
    play = run_python.gymnasium_play(Namespace(what="sync", lanes=2))
    # about three episodes of each, with resets in between
    assert 2000 <= play(2000)["steps"] < 2002


@pytest.mark.parametrize("line", ["go", "run", "run x", "run 0", "run -3"])
def test_a_line_that_is_no_command_ends_it(line: str) -> None:
    done = drive("--what", "numpy", "--lanes", "2", commands=f"{line}\n")
    assert done.returncode == 1
    assert "run_python.py: a line must be 'run COUNT'" in done.stderr
