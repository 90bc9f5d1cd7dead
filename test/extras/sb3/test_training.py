"""What Stable-Baselines3 and sb3-contrib learn in a minute plays held-out episodes far better than chance."""

# ruff: noqa: D103

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "train_sb3.py"


def costs_of(*arguments: str) -> dict[str, float]:
    """Run the example; return the mean costs it prints, slots."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-W", "error::UserWarning", str(EXAMPLE), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return {name: float(cost) for name, cost in re.findall(r"slots: (\w+) ([\d.]+)", done.stdout)}


@pytest.mark.parametrize(
    ("algorithm", "steps"),
    [("dqn", "16000"), ("ppo", "30720"), ("maskable-ppo", "30720")],
)
def test_learns(algorithm: str, steps: str) -> None:
    """Runs of this length end at 3.1 to 3.3 slots; the one-step oracle costs 3.0, taking turns 4.3, chance over 40."""
    costs = costs_of(algorithm, steps)
    assert costs["random"] > 20
    assert costs["untrained"] > 20
    assert costs["trained"] < 4


def test_masks_of_several_numbers_of_servers_are_learnt_with() -> None:
    costs = costs_of("maskable-ppo", "30720", "paper-3-to-11-servers-v1")
    assert costs["trained"] < costs["random"] / 4
