"""The driver of the peers: it plays on command, and refuses unknown commands."""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "run_peer.py"


def drive(*options: str, commands: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DRIVER), "--lanes", "16", *options]
    return subprocess.run(  # noqa: S603
        command, input=commands, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("policy", ["greedy", "random"])
def test_it_plays_at_least_as_many_decisions_as_it_is_told_to(policy: str) -> None:
    done = drive("--policy", policy, commands="run 100\nrun 20000\n")
    ready, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready["ready"]
    assert ready["versions"].keys() == {"python", "numpy"}
    # whole rounds of 16 lanes
    assert [reply["steps"] for reply in replies] == [112, 20_000]
    assert all(reply["seconds"] > 0 and reply["cpuSeconds"] > 0 for reply in replies)
    # greedy play costs 3 slots; random play costs far more once its queues have their full length
    low, high = (2.9, 3.1) if policy == "greedy" else (20, 200)
    assert low < replies[1]["meanCostSlots"] < high


@pytest.mark.parametrize("line", ["go", "run", "run x", "run 0", "run -3"])
def test_a_line_that_is_no_command_ends_it(line: str) -> None:
    done = drive(commands=f"{line}\n")
    assert done.returncode == 1
    assert "a line must be 'run STEPS'" in done.stderr
