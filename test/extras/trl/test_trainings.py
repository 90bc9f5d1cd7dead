"""`benchmarks/training/{sft,grpo}.py` as processes: they end, and what they write is verified."""

# ruff: noqa: D103

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import mecgym

PROGRAMS = Path(__file__).parents[3] / "benchmarks" / "training"
SFT_STEPS = 60
OPTIONS = {
    "sft": ["--count", "200", "--batch", "8", "--steps", str(SFT_STEPS)],
    "grpo": ["--count", "16", "--steps", "2", "--prompts", "2", "--group", "4", "--warm-up", "12"],
}


def start(name: str, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAMS / f"{name}.py"), *OPTIONS[name], "--states", "10", "--out", str(out)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *options], env=environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return] # noqa: S603


def check_result(name: str, process: subprocess.Popen[str], out: Path) -> None:
    said, complaints = process.communicate(timeout=240)
    assert process.returncode == 0, complaints
    assert f"static | {name} |" in said
    assert mecgym.verify((out / "result.json").read_bytes(), show_progress=False)["problems"] == []


def test_grpo_ends_with_a_result_that_is_verified(tmp_path: Path) -> None:
    check_result("grpo", start("grpo", tmp_path), tmp_path)


def test_sft_goes_on_after_an_interruption(tmp_path: Path) -> None:
    """Ctrl-C leaves a checkpoint of the step it came in, and the training goes on from there to its end."""
    process = start("sft", tmp_path)
    assert process.stderr is not None
    seen = ""
    while re.search(rf"\b[1-9]\d*/{SFT_STEPS} ", seen) is None:  # the bar of the training, once a step is done
        character = process.stderr.read(1)
        assert character, seen
        seen += character
    process.send_signal(signal.SIGINT)
    _said, complaints = process.communicate(timeout=240)
    assert process.returncode == 130, complaints
    assert "--resume goes on from here" in complaints
    (checkpoint,) = tmp_path.glob("checkpoint-*")
    assert 0 < int(checkpoint.name.removeprefix("checkpoint-")) < SFT_STEPS
    check_result("sft", start("sft", tmp_path, "--resume"), tmp_path)


def test_a_model_made_on_the_spot_reads_no_messages(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAMS / "sft.py"), "--form", "chat", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "--form chat: expected a --model" in done.stderr
    assert list(tmp_path.iterdir()) == []
