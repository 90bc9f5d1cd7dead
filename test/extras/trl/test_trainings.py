"""`benchmarks/training/{sft,grpo}.py` as processes: they end, and what they write is verified."""

# ruff: noqa: D103

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mecgym

PROGRAMS = Path(__file__).parents[3] / "benchmarks" / "training"
OPTIONS = {
    "sft": ["--count", "200", "--steps", "3"],
    "grpo": ["--count", "16", "--steps", "2", "--prompts", "2", "--group", "4", "--warm-up", "12"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_ends_with_a_result_that_is_verified(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAMS / f"{name}.py"), *OPTIONS[name], "--states", "10", "--out", str(tmp_path)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert f"static | {name} |" in done.stdout
    result = (tmp_path / "result.json").read_bytes()
    assert mecgym.verify(result, show_progress=False)["problems"] == []


def test_a_model_made_on_the_spot_reads_no_messages(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAMS / "sft.py"), "--form", "chat", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "--form chat: expected a --model" in done.stderr
    assert list(tmp_path.iterdir()) == []
