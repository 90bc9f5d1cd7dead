"""The plain Python environment compared with the kernel: in the same world it has the same costs and observations."""

# ruff: noqa: D102, D103

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from python_env import PythonEnv
from worlds import BUSY, SMALL, export, gaps_of, parameters_of


class RecordedWorld:
    """The kernel's tasks of one lane, episode by episode."""

    def __init__(self, episodes: list[dict]) -> None:
        self.episodes = iter(episodes)

    def capacities(self) -> list[float]:
        episode = next(self.episodes)
        self.tasks = zip(gaps_of(episode), episode["sizeMbit"], episode["rateMbps"], strict=True)
        return episode["cpuGHz"]

    def next_task(self) -> tuple[int, float, list[float]]:
        return next(self.tasks)


def compare(exported: dict, policy: str) -> tuple[int, int]:
    """Play the exported world; return the number of compared decisions, and the longest queue."""
    compared = longest = 0
    for episodes in exported["lanes"]:
        env = PythonEnv(parameters_of(exported), RecordedWorld(episodes))
        for episode in episodes:
            observation, _ = env.reset()
            truncated = False
            for k, action in enumerate(episode["action"]):
                assert not truncated
                np.testing.assert_array_equal(observation, np.array(episode["observation"][k], np.float32))
                if policy == "greedy":
                    costs = [env.cost_slots(a) for a in range(env.action_space.n)]
                    assert costs.index(min(costs)) == action
                observation, reward, terminated, truncated, _ = env.step(action)
                assert reward == -episode["costSlots"][k]
                assert not terminated
                longest = max(longest, *map(len, env.queue_mbit))
                compared += 1
            assert truncated
            np.testing.assert_array_equal(observation, np.array(episode["observation"][-1], np.float32))
    return compared, longest


@pytest.mark.parametrize("policy", ["greedy", "random"])
@pytest.mark.parametrize(("scenario", "num_lanes"), [("paper-v1", 4), ("scale-32-servers-v1", 1)])
def test_costs_and_observations_have_the_kernels_bits(scenario: str, num_lanes: int, policy: str) -> None:
    compared, _ = compare(export(scenario, policy, num_lanes, 2), policy)
    assert compared >= num_lanes * 2 * 250


def test_long_queues_are_served_in_the_same_order() -> None:
    _, longest = compare(export(BUSY, "random", 20, 1), "random")
    assert longest > 64


def test_an_episode_without_a_task_is_extended_to_its_first_one() -> None:
    exported = export(SMALL, "greedy", 20, 3)
    assert any(episode["slot"][0] >= SMALL["episodeSlots"] for lane in exported["lanes"] for episode in lane)
    compare(exported, "greedy")


def test_gymnasium_has_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # its bounds are infinite, as in the model
        warnings.filterwarnings("ignore", message=".*infinity.*")
        check_env(PythonEnv(), skip_render_check=True)


def test_its_own_draws_give_the_costs_of_the_scenario() -> None:
    env = PythonEnv()
    means = []
    for seed in range(60):
        env.reset(seed=seed)
        costs, truncated = [], False
        while not truncated:
            _, reward, _, truncated, _ = env.step(min(range(7), key=env.cost_slots))
            costs.append(-reward)
        means.append(np.mean(costs))
    kernel = [np.mean(e["costSlots"]) for lane in export("paper-v1", "greedy", 60, 1)["lanes"] for e in lane]
    error = np.hypot(np.std(means), np.std(kernel)) / np.sqrt(60)
    assert abs(np.mean(means) - np.mean(kernel)) < 5 * error
