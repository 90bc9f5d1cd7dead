"""`play_seeds` plays each seed's episode once, to its end, and counts nothing after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mecgym import MecgymError, OffloadingEnv, play_seeds, random_policy

SEEDS = [3, 9, 4]
MIXED = "paper-3-to-11-servers-v1"


def roomiest(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[Any]:
    """Choose the server with the least work."""
    workloads = np.where(masks[:, 1:], observations[:, 9::4], np.inf)
    chosen: NDArray[Any] = workloads.argmin(axis=1) + 1
    return chosen


@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:1]], ids=["three", "one"])
@pytest.mark.parametrize("scenario", [MIXED, "churn-v1"])
def test_gives_what_single_environments_give(scenario: str, seeds: list[int]) -> None:
    played = play_seeds(roomiest, seeds, scenario)
    assert played.seeds.tolist() == seeds
    env = OffloadingEnv(scenario)
    for i, seed in enumerate(seeds):
        observation, info = env.reset(seed=seed)
        total, steps, truncated = 0.0, 0, False
        actions = []
        while not truncated:
            action = roomiest(observation[None], info["action_mask"][None].astype(np.bool_))[0]
            observation, reward, _terminated, truncated, info = env.step(action)
            total, steps = total + reward, steps + 1
            actions.append(info["executed_action"])
        assert played.num_decisions[i] == steps
        assert played.returns_slots[i] == total
        assert played.actions[i] == actions
    env.close()
    assert played.mean_cost_slots == -played.returns_slots.sum() / played.num_decisions.sum()


def test_random_policy_draws_only_available_actions_and_repeats_them() -> None:
    masks = np.asarray([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], np.bool_)
    nothing = np.zeros((3, 1), np.float32)
    policy, twin = random_policy(1), random_policy(1)
    draws = np.stack([policy(nothing, masks) for _ in range(200)])
    assert [sorted(set(column.tolist())) for column in draws.T] == [[0, 2], [3], [0, 1, 2, 3]]
    np.testing.assert_array_equal(draws, np.stack([twin(nothing, masks) for _ in range(200)]))


def test_refuses_what_environments_refuse() -> None:
    with pytest.raises(MecgymError, match="invalidSeed"):
        play_seeds(random_policy(), [-1])
    with pytest.raises(MecgymError, match="invalidAction"):
        play_seeds(lambda observations, _masks: observations[:, 0], [1])
