"""Stable-Baselines3 computes on one thread here, and environments are closed."""

# ruff: noqa: D103

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from mecgym.sb3 import OffloadingVecEnv

Make = Callable[..., OffloadingVecEnv]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a function that makes an OffloadingVecEnv, which is closed in the end."""
    made = []

    def make_env(*arguments: Any, **options: Any) -> OffloadingVecEnv:
        made.append(OffloadingVecEnv(*arguments, **options))
        return made[-1]

    yield make_env
    for env in made:
        env.close()
