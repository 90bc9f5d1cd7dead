"""The driver of the peers: it plays when told to, and refuses what it does not know."""

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
    return subprocess.run(command, input=commands, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603


@pytest.mark.parametrize("policy", ["greedy", "random"])
def test_it_plays_at_least_as_many_decisions_as_it_is_told_to(policy: str) -> None:
    done = drive("--policy", policy, commands="run 100\nrun 20000\n")
    ready, *replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready["ready"]
    assert ready["versions"].keys() == {"python", "numpy"}
    # whole rounds of 16 lanes
    assert [reply["steps"] for reply in replies] == [112, 20_000]
    assert all(reply["seconds"] > 0 and reply["cpuSeconds"] > 0 for reply in replies)
    # greedy play costs 3 slots; queues of random play cost far more, once they are as long as they get
    low, high = (2.9, 3.1) if policy == "greedy" else (20, 200)
    assert low < replies[1]["meanCostSlots"] < high


@pytest.mark.parametrize("line", ["go", "run", "run x", "run 0", "run -3"])
def test_a_line_that_is_no_command_ends_it(line: str) -> None:
    done = drive(commands=f"{line}\n")
    assert done.returncode == 1
    assert "a line must be 'run STEPS'" in done.stderr
