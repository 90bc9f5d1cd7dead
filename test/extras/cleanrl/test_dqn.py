"""`benchmarks/training/dqn.py` as a process: it learns, goes on after Ctrl-C, and writes a result that is verified."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

import mecgym

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "training" / "dqn.py"
SMALL = [
    "--steps",
    "6400",
    "--memory",
    "10000",
    "--width",
    "64",
    "--updates",
    "8",
    "--episodes",
    "8",
    "--checkpoint-seconds",
    "0.5",
]


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(PROGRAM), *SMALL, "--out", str(out), *options]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603


def test_learns_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    """It ends with the same weights as a run that nothing interrupted; chance costs ten times what it does."""
    whole = start(tmp_path / "whole")
    said, complaints = whole.communicate(timeout=240)
    assert whole.returncode == 0, complaints
    assert "% of the time of this run" in said

    broken = start(tmp_path / "broken")
    checkpoint = tmp_path / "broken" / "checkpoint.pt"
    while not checkpoint.exists() and broken.poll() is None:
        time.sleep(0.01)
    broken.send_signal(signal.SIGINT)
    _said, complaints = broken.communicate(timeout=240)
    if broken.returncode != 0:  # a fast machine may finish before it is told to stop
        assert broken.returncode == 130, complaints
        again = start(tmp_path / "broken", "--resume")
        _said, complaints = again.communicate(timeout=240)
        assert again.returncode == 0, complaints

    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=False)["state"] for name in ("whole", "broken")
    ]
    learners = [state["learner"] for state in states]
    assert learners[0]["steps_done"] == learners[1]["steps_done"] == 6400
    for name, value in learners[0]["network"].items():
        assert torch.equal(value, learners[1]["network"][name]), name

    text = (tmp_path / "whole" / "result.json").read_bytes()
    assert text == (tmp_path / "broken" / "result.json").read_bytes()
    assert mecgym.verify(text, show_progress=False)["problems"] == []
    chance, oracle, learnt = json.loads(text)["settings"][0]["policies"]
    assert learnt["policy"]["kind"] == "external"
    cost = learnt["metrics"]["averageLatencySlots"]["value"]
    assert (
        oracle["metrics"]["averageLatencySlots"]["value"] < cost < chance["metrics"]["averageLatencySlots"]["value"] / 2
    )


def test_options_cannot_change_half_way(tmp_path: Path) -> None:
    process = start(tmp_path, "--resume")
    _said, complaints = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "there is no" in complaints
