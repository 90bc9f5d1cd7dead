"""The model of docs/model.md written by hand in plain Python, for one lane: the environment one would write first.

A `gymnasium.Env` of floats and lists, for scenarios with Bernoulli arrivals, shared-rate service and a fixed number of
servers. It is a peer of the speed benchmark, and meant to be read: it does only what a step needs.
"""

from __future__ import annotations

import math
import random
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from numpy_env import HEADER, RESIDUAL_TOLERANCE_MBIT, Parameters

__all__ = ["PythonEnv"]

Observation = NDArray[np.float32]


class World(Protocol):
    """The part of an episode that does not depend on the policy."""

    def capacities(self) -> list[float]:
        """Return F_e of the servers of a new episode, GHz."""
        ...

    def next_task(self) -> tuple[int, float, list[float]]:
        """Return the number of users asked until one has a task, its size in Mbit, and its rates in Mbit/s."""
        ...


class DrawnWorld:
    """Tasks drawn from Python's generator."""

    def __init__(self, parameters: Parameters, seed: int | None) -> None:
        self.parameters = parameters
        self.rng = random.Random(seed)  # noqa: S311

    def capacities(self) -> list[float]:
        """Draw F_e uniformly."""
        p = self.parameters
        return [p.min_cpu_ghz + p.cpu_span_ghz * self.rng.random() for _ in range(p.num_servers)]

    def next_task(self) -> tuple[int, float, list[float]]:
        """Ask one user after another, then draw the task of the first one that has a task."""
        p, rng = self.parameters, self.rng
        asked = 1
        while rng.random() >= p.arrival_probability:
            asked += 1
        size = p.min_size_mbit + p.size_span_mbit * rng.random()
        return asked, size, [self._rate() for _ in range(p.num_servers)]

    def _rate(self) -> float:
        p = self.parameters
        gain = self.rng.expovariate(1.0)  # |h|² of Rayleigh fading
        return max(p.min_rate_mbps, p.rate_scale_mbps * math.log1p(p.snr_ratio * gain))


class PythonEnv(gymnasium.Env[Observation, np.int64]):
    """One lane; action 0 is the user's device, e is server e; the reward is −J in slots."""

    def __init__(self, parameters: Parameters | None = None, world: World | None = None) -> None:
        p = self.parameters = parameters or Parameters()
        self.action_space = spaces.Discrete(p.num_servers + 1)
        self.observation_space = spaces.Box(0, np.inf, (HEADER + 4 * p.num_servers,), np.float32)
        self.world = world
        self.has_own_world = world is None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: empty queues, capacities, the first task."""
        super().reset(seed=seed)
        p = self.parameters
        if self.world is None or (seed is not None and self.has_own_world):
            self.world = DrawnWorld(p, seed)
        self.cpu_ghz = self.world.capacities()
        # residuals in arrival order; the first `served_tasks` were there when the slot began
        self.queue_mbit: list[list[float]] = [[] for _ in range(p.num_servers)]
        self.served_tasks = [0] * p.num_servers
        self.workload_mbit = [0.0] * p.num_servers
        self.backlog_mbit = [0.0] * p.num_users
        self.added_mbit = [0.0] * p.num_users
        self.slot = 0
        self.user = -1
        self._next_task()
        # an episode without a task in its slots is extended to its first one
        self.end_slot = max(p.episode_slots, self.slot + 1)
        return self._observe(), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out one decision, and proceed to the next one."""
        choice = int(action)
        cost = self.cost_slots(choice)
        if choice == 0:
            self.added_mbit[self.user] += self.size_mbit
        else:
            self.queue_mbit[choice - 1].append(self.size_mbit)
            self.workload_mbit[choice - 1] += self.size_mbit
        self._next_task()
        return self._observe(), -cost, False, self.slot >= self.end_slot, {}

    def cost_slots(self, action: int) -> float:
        """Return J of an action for the current task, slots."""
        p = self.parameters
        gamma, size = p.density_gcycles_per_mbit, self.size_mbit
        if action == 0:
            waiting = self.backlog_mbit[self.user] + self.added_mbit[self.user]
            seconds = waiting * gamma / p.local_cpu_ghz + size * gamma / p.local_cpu_ghz
        else:
            e = action - 1
            sharers, cpu = len(self.queue_mbit[e]) + 1, self.cpu_ghz[e]
            upload = size / self.rate_mbps[e]
            seconds = upload + self.workload_mbit[e] * gamma * sharers / cpu + size * gamma * sharers / cpu
        latency = seconds / p.slot_seconds
        return latency + p.penalty_slots if latency > p.deadline_slots else latency

    def _next_task(self) -> None:
        """Let slots pass until a user has a task."""
        assert self.world is not None
        asked, self.size_mbit, self.rate_mbps = self.world.next_task()
        slots, self.user = divmod(self.user + asked, self.parameters.num_users)
        self.slot += slots
        for _ in range(slots):
            self._serve()

    def _serve(self) -> None:
        """Serve one slot, for the work that was there when it began."""
        p = self.parameters
        for e, queue in enumerate(self.queue_mbit):
            served = self.served_tasks[e]
            if served:
                service = self.cpu_ghz[e] * p.slot_seconds / (p.density_gcycles_per_mbit * (served + 1))
                queue[:served] = share_service(queue[:served], service)
                # from left to right: `sum` of newer Pythons rounds differently
                total = 0.0
                for residual in queue:
                    total += residual
                self.workload_mbit[e] = total
            self.served_tasks[e] = len(queue)
        local = p.local_cpu_ghz * p.slot_seconds / p.density_gcycles_per_mbit
        for u, backlog in enumerate(self.backlog_mbit):
            left = backlog - local
            self.backlog_mbit[u] = (left if left > RESIDUAL_TOLERANCE_MBIT else 0.0) + self.added_mbit[u]
            self.added_mbit[u] = 0.0

    def _observe(self) -> Observation:
        p = self.parameters
        waiting = self.backlog_mbit[self.user] + self.added_mbit[self.user]
        wait_slots = waiting * p.density_gcycles_per_mbit / p.local_cpu_ghz / p.slot_seconds
        numbers = [self.size_mbit, p.density_gcycles_per_mbit, p.deadline_slots, self.user, p.local_cpu_ghz, wait_slots]
        for e, queue in enumerate(self.queue_mbit):
            numbers += (self.rate_mbps[e], self.cpu_ghz[e], len(queue), self.workload_mbit[e])
        return np.array(numbers, np.float32)


def share_service(residuals: list[float], service_mbit: float) -> list[float]:
    """Share service equally among tasks, passing on what a task does not need; return the rest of each task."""
    while residuals:
        share = service_mbit / len(residuals)
        waiting = []
        for residual in residuals:
            if residual - share <= RESIDUAL_TOLERANCE_MBIT:
                service_mbit -= residual
            else:
                waiting.append(residual)
        if len(waiting) == len(residuals):
            return [residual - share for residual in residuals]
        service_mbit = max(service_mbit, 0.0)
        residuals = waiting
    return []
