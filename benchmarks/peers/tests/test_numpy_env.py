"""The NumPy peer compared with the kernel: in the same world it has the same actions, costs and observations."""

# ruff: noqa: D102, D103

from __future__ import annotations

import numpy as np
import pytest
from numpy_env import NumpyEnv, Parameters
from worlds import BUSY, SMALL, export, gaps_of, parameters_of


class RecordedWorld:
    """The kernel's tasks, episode by episode in each lane."""

    def __init__(self, lanes: list[list[dict]], num_servers: int) -> None:
        self.lanes = lanes
        self.num_servers = num_servers
        self.episode = [-1] * len(lanes)
        self.task = [0] * len(lanes)

    def capacities(self, lanes):
        rows = []
        for lane in lanes:
            self.episode[lane] += 1
            self.task[lane] = -1
            rows.append(self.now(lane)["cpuGHz"])
        return np.array(rows)

    def now(self, lane):
        # a lane that has played all its tasks starts over
        return self.lanes[lane][self.episode[lane] % len(self.lanes[lane])]

    def next_tasks(self):
        return self.first_tasks(range(len(self.lanes)))

    def first_tasks(self, lanes):
        gaps, sizes, rates = [], [], []
        for lane in lanes:
            self.task[lane] += 1
            k, episode = self.task[lane], self.now(lane)
            gaps.append(gaps_of(episode)[k])
            sizes.append(episode["sizeMbit"][k])
            rates.append(episode["rateMbps"][k])
        return np.array(gaps), np.array(sizes), np.array(rates)


def compare(exported: dict, policy: str) -> tuple[int, int]:
    """Play the exported world; return the number of compared decisions, and the longest queue."""
    parameters = parameters_of(exported)
    lanes = exported["lanes"]
    env = NumpyEnv(len(lanes), parameters, world=RecordedWorld(lanes, parameters.num_servers))
    at = [(0, 0)] * len(lanes)
    compared = longest = 0
    while any(episode < len(lane) for (episode, _), lane in zip(at, lanes, strict=True)):
        episodes = [lane[e % len(lane)] for (e, _), lane in zip(at, lanes, strict=True)]
        steps = [k for _, k in at]
        expected = np.array([e["observation"][k] for e, k in zip(episodes, steps, strict=True)], np.float32)
        np.testing.assert_array_equal(env.observation, expected)
        actions = np.array([e["action"][k] for e, k in zip(episodes, steps, strict=True)])
        if policy == "greedy":
            np.testing.assert_array_equal(env.greedy_actions(), actions)
        env.step(actions)
        costs = np.array([e["costSlots"][k] for e, k in zip(episodes, steps, strict=True)])
        np.testing.assert_array_equal(env.cost_slots, costs)
        compared += len(lanes)
        longest = max(longest, int(env.active_tasks.max()))
        ended = [k + 1 == len(e["action"]) for e, k in zip(episodes, steps, strict=True)]
        np.testing.assert_array_equal(env.truncated, ended)
        final = [e["observation"][-1] for e, end in zip(episodes, ended, strict=True) if end]
        np.testing.assert_array_equal(
            env.final_observation, np.array(final, np.float32).reshape(len(final), expected.shape[1])
        )
        at = [(e + 1, 0) if end else (e, k + 1) for (e, k), end in zip(at, ended, strict=True)]
    return compared, longest


@pytest.mark.parametrize("policy", ["greedy", "random"])
@pytest.mark.parametrize(("scenario", "num_lanes"), [("paper-v1", 1), ("paper-v1", 8), ("scale-32-servers-v1", 2)])
def test_costs_and_observations_have_the_kernels_bits(scenario: str, num_lanes: int, policy: str) -> None:
    compared, _ = compare(export(scenario, policy, num_lanes, 2), policy)
    assert compared >= num_lanes * 2 * 250


def test_long_queues_are_neither_clipped_nor_summed_in_another_order() -> None:
    _, longest = compare(export(BUSY, "random", 50, 1), "random")
    assert longest > 64


def test_an_episode_without_a_task_is_extended_to_its_first_one() -> None:
    exported = export(SMALL, "greedy", 20, 3)
    late = [episode for lane in exported["lanes"] for episode in lane if episode["slot"][0] >= SMALL["episodeSlots"]]
    assert late
    compare(exported, "greedy")


def test_its_own_draws_give_the_costs_of_the_scenario() -> None:
    env = NumpyEnv(256, Parameters(), seed=1)
    for _ in range(400):
        env.step(env.greedy_actions())
    costs = []
    for _ in range(400):
        env.step(env.greedy_actions())
        costs.append(env.cost_slots.mean())
    kernel = [np.mean(e["costSlots"]) for lane in export("paper-v1", "greedy", 60, 1)["lanes"] for e in lane]
    error = np.std(kernel) / np.sqrt(len(kernel))
    assert abs(np.mean(costs) - np.mean(kernel)) < 5 * error
