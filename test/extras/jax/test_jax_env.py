"""The JAX peer against the kernel: given the kernel's world, it has the kernel's costs and observations, to 1e-9."""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jax_env
import numpy as np
import pytest
from jax import lax
from worlds import BUSY, SMALL, export, gaps_of, parameters_of

PEERS = Path(jax_env.__file__).parent
SCAN_STEPS = 200


class RecordedWorld:
    """The kernel's tasks, one after another in each lane; the world's state counts those that have come."""

    def __init__(self, lanes: list[list[dict]]) -> None:
        self.count = np.array([sum(len(episode["slot"]) for episode in lane) for lane in lanes])
        width = int(self.count.max())

        def column(values_of):
            rows = [[value for episode in lane for value in values_of(episode)] for lane in lanes]
            # after the last task it is repeated; what is computed from that is ignored
            return jnp.array(np.stack([np.array(row + [row[-1]] * (width - len(row))) for row in rows]))

        self.gap = column(gaps_of)
        self.size = column(lambda episode: episode["sizeMbit"])
        self.rate = column(lambda episode: episode["rateMbps"])
        self.cpu = column(lambda episode: [episode["cpuGHz"]] * len(episode["slot"]))
        # the task of a final observation is not decided
        self.action = column(lambda episode: [*episode["action"], 0])

    def start(self):
        return jnp.zeros(len(self.count), jnp.int32)

    def draw(self, came, takes):
        lanes = jnp.arange(len(self.count))
        k = jnp.minimum(came, self.gap.shape[1] - 1)
        tasks = jax_env.Tasks(
            self.gap[lanes, k].astype(jnp.int32), self.size[lanes, k], self.rate[lanes, k].T, self.cpu[lanes, k].T
        )
        return came + takes, tasks

    def act(self, came, _costs):
        k = jnp.clip(came - 1, 0, self.gap.shape[1] - 1)
        return came, self.action[jnp.arange(len(self.count)), k].astype(jnp.int32)


def play(exported: dict, max_tasks: int = 128) -> tuple[jax_env.Step, np.ndarray, np.ndarray]:
    """Play the exported world; return the steps, the cheapest actions and the observations after the steps."""
    parameters = parameters_of(exported)
    world = RecordedWorld(exported["lanes"])

    def body(state, _):
        cheapest = jnp.argmin(jax_env.costs(state, parameters), axis=0)
        state, step = jax_env.step(state, parameters, world.draw, world.act)
        return state, (step, cheapest, state.observation)

    scan = jax.jit(lambda state: lax.scan(body, state, None, length=SCAN_STEPS))
    state = jax_env.start(len(exported["lanes"]), max_tasks, parameters, world.start())
    parts = []
    while bool((state.world < world.count).any()):
        state, part = scan(state)
        parts.append(jax.tree.map(np.asarray, part))
    assert int(state.most_tasks) <= max_tasks
    return jax.tree.map(lambda *columns: np.concatenate(columns), *parts)


def compare(exported: dict, policy: str) -> tuple[int, float]:
    """Play the exported world; return how many decisions were compared, and the most tasks that a server had."""
    steps, cheapest, after = play(exported)
    compared, most_tasks = 0, 0.0
    for lane, episodes in enumerate(exported["lanes"]):
        at = np.flatnonzero(steps.is_decision[:, lane])
        ends = np.flatnonzero(steps.truncated[:, lane])
        for episode, end in zip(episodes, ends, strict=False):
            count = len(episode["action"])
            mine, at = at[:count], at[count:]
            # the slots until the task that comes too late pass one in each step
            assert mine[-1] <= end
            assert len(at) == 0 or end < at[0]
            np.testing.assert_array_equal(steps.action[mine, lane], episode["action"])
            np.testing.assert_allclose(steps.cost_slots[mine, lane], episode["costSlots"], rtol=1e-9, atol=1e-9)
            if policy == "greedy":
                np.testing.assert_array_equal(cheapest[mine, lane], episode["action"])
            seen = np.vstack([steps.observation[mine, :, lane], after[[end], :, lane]])
            np.testing.assert_allclose(seen, episode["observation"], rtol=1e-6, atol=1e-9)
            most_tasks = max(most_tasks, float(seen[:, jax_env.HEADER + 2 :: 4].max()))
            compared += count
    return compared, most_tasks


@pytest.mark.parametrize("policy", ["greedy", "random"])
@pytest.mark.parametrize(("scenario", "num_lanes"), [("paper-v1", 1), ("paper-v1", 8), ("scale-32-servers-v1", 2)])
def test_costs_and_observations_are_the_kernels(scenario: str, num_lanes: int, policy: str) -> None:
    compared, _ = compare(export(scenario, policy, num_lanes, 2), policy)
    assert compared >= num_lanes * 2 * 250


def test_long_queues_lose_nothing() -> None:
    _, most_tasks = compare(export(BUSY, "random", 50, 1), "random")
    assert most_tasks > 64


def test_an_episode_without_a_task_is_extended_to_its_first_one() -> None:
    exported = export(SMALL, "greedy", 20, 3)
    late = [episode for lane in exported["lanes"] for episode in lane if episode["slot"][0] >= SMALL["episodeSlots"]]
    assert late
    compare(exported, "greedy")


def test_its_own_draws_give_the_costs_of_the_scenario() -> None:
    line = json.loads(run_peer("--lanes", "256", "--policy", "greedy", commands="run 200000\n")[-1])
    kernel = [np.mean(e["costSlots"]) for lane in export("paper-v1", "greedy", 60, 1)["lanes"] for e in lane]
    error = np.std(kernel) / np.sqrt(len(kernel))
    assert abs(line["meanCostSlots"] - np.mean(kernel)) < 5 * error


def test_a_queue_that_outgrows_its_room_ends_the_run() -> None:
    lines = run_peer("--lanes", "64", "--policy", "random", "--room", "2", commands="run 10000\n", code=1)
    assert "room for only 2" in lines[-1]


def run_peer(*options: str, commands: str, code: int = 0) -> list[str]:
    """Run the driver on these lines; return the lines it wrote."""
    command = [sys.executable, str(PEERS / "run_peer.py"), "--peer", "jax", *options]
    done = subprocess.run(command, input=commands, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == code, done.stderr
    return (done.stderr if code else done.stdout).strip().splitlines()
