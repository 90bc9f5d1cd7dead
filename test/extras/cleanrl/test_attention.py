"""The attention policy of the examples: what holds whatever it has learnt, and what it learns in a minute."""

# ruff: noqa: D103

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import mecgym

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "train_attention.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_attention", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decisions(scenario: object, max_servers: int, seed: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return observations and masks of 8 episodes after 20 decisions."""
    env = mecgym.OffloadingVectorEnv(8, scenario, max_servers=max_servers)
    observations, _infos = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        observations = env.step(rng.integers(0, 3, 8))[0]
    masks = env.action_masks()
    env.close()
    return torch.from_numpy(observations), torch.from_numpy(masks)


def test_servers_are_told_apart_only_by_what_they_are(example: ModuleType) -> None:
    """Servers in another order get their probabilities in that order, and the value is the same."""
    torch.manual_seed(1)
    policy = example.Policy().eval()
    observations, masks = decisions({"numServers": 6}, 6)
    order = torch.randperm(6)
    servers = observations[:, example.TASK_FIELDS :].unflatten(1, (6, example.SERVER_FIELDS))[:, order]
    shuffled = torch.cat([observations[:, : example.TASK_FIELDS], servers.flatten(1)], dim=1)
    with torch.no_grad():
        actions, values = policy(observations, masks)
        again, same_values = policy(shuffled, masks)
    assert actions.probs.std(dim=1).min() > 1e-4
    torch.testing.assert_close(again.probs[:, 1:], actions.probs[:, 1:][:, order])
    torch.testing.assert_close(again.probs[:, 0], actions.probs[:, 0])
    torch.testing.assert_close(same_values, values)


def test_room_for_absent_servers_changes_nothing(example: ModuleType) -> None:
    torch.manual_seed(1)
    policy = example.Policy().eval()
    with torch.no_grad():
        actions, values = policy(*decisions({"numServers": 5}, 5))
        padded, padded_values = policy(*decisions({"numServers": 5}, 12))
    assert padded.probs[:, 6:].max() == 0
    torch.testing.assert_close(padded.probs[:, :6], actions.probs)
    torch.testing.assert_close(padded_values, values)


def test_learns_with_some_numbers_of_servers_and_plays_with_others() -> None:
    """Runs of this length end below 3.5 slots everywhere, chance costs ten times as much."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(EXAMPLE), "65536"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(\d+) servers, mean cost in slots: random ([\d.]+) trained ([\d.]+)", done.stdout)
    assert [int(row[0]) for row in found] == [3, 6, 9, 5, 11, 32]
    for _servers, chance, trained in found:
        assert float(chance) > 20
        assert float(trained) < 4.5
