"""The model of docs/model.md written by hand in NumPy for many lanes: what one would write instead of using mecgym.

It is a peer of the speed benchmark, so it does the same work (float64 costs, float32 observations, final observations,
a reset within the step) for scenarios with Bernoulli arrivals, shared-rate service and a fixed number of servers, and
it is meant to be fast. What makes it fast:

- Queues are stored [task, lane · server]: the task axis first, so that a round of sharing is a few operations over
  contiguous rows, and in arrival order, so that the sums have the kernel's bits.
- A slot is served only in the lanes whose slot ends, and there only at the servers that have work. Many servers are
  taken in groups of similar queue length, so that one long queue does not widen the others.
- A gap between two Bernoulli arrivals is geometric, so one draw finds the next task instead of one draw for each user.
- Draws are made in blocks for many steps, and the costs of all actions are computed only if the oracle asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESIDUAL_TOLERANCE_MBIT = 1e-12
"""A task with no more work than this left after a service is done."""
HEADER = 6
"""Numbers in an observation before those of the servers."""
GROUPED_ROWS = 128
"""From this number of servers on, grouping them by the length of their queues pays off."""
BLOCK_TASKS = 4096
"""Tasks of all lanes that are drawn at once, at least one for each lane."""


@dataclass(frozen=True)
class Parameters:
    """Constants of a scenario; the defaults are those of `paper-v1`."""

    num_servers: int = 6
    num_users: int = 12
    density_gcycles_per_mbit: float = 0.297
    slot_seconds: float = 0.1
    local_cpu_ghz: float = 2.0
    deadline_slots: float = 10.0
    penalty_slots: float = 10.0
    episode_slots: int = 100
    arrival_probability: float = 0.3
    min_size_mbit: float = 2.0
    size_span_mbit: float = 3.0
    min_cpu_ghz: float = 20.0
    cpu_span_ghz: float = 28.0
    snr_ratio: float = 1000.0
    rate_scale_mbps: float = 2.208942595680355
    """B/ln 2, which makes the mean rate 14 Mbit/s at a mean SNR of 30 dB."""
    min_rate_mbps: float = 1.0


class World(Protocol):
    """The part of an episode that does not depend on the policy. A task has a gap, a size and rates.

    The gap is the number of users asked until one has a task: 1 if the next user, or at the start of an episode the
    first user, has one.
    """

    def capacities(self, lanes: Integers) -> Floats:
        """Return F_e of the servers of new episodes in `lanes`, GHz, [lanes, E]."""
        ...

    def next_tasks(self) -> tuple[Integers, Floats, Floats]:
        """Return the next task of every lane: gaps [lanes], sizes in Mbit [lanes], rates in Mbit/s [lanes, E]."""
        ...

    def first_tasks(self, lanes: Integers) -> tuple[Integers, Floats, Floats]:
        """Return the first task of new episodes in `lanes`."""
        ...


class DrawnWorld:
    """Tasks drawn from a generator, many steps at once."""

    def __init__(self, num_lanes: int, parameters: Parameters, rng: np.random.Generator) -> None:
        self.num_lanes = num_lanes
        self.parameters = parameters
        self.rng = rng
        self._length = max(1, BLOCK_TASKS // num_lanes)
        self._next = self._length

    def capacities(self, lanes: Integers) -> Floats:
        """Draw F_e uniformly."""
        p = self.parameters
        return p.min_cpu_ghz + p.cpu_span_ghz * self.rng.random((len(lanes), p.num_servers))

    def next_tasks(self) -> tuple[Integers, Floats, Floats]:
        """Take the next row of the block, or draw a new block."""
        if self._next == self._length:
            self._gaps, self._sizes, self._rates = self._draw((self._length, self.num_lanes))
            self._next = 0
        k = self._next
        self._next = k + 1
        return self._gaps[k], self._sizes[k], self._rates[k]

    def first_tasks(self, lanes: Integers) -> tuple[Integers, Floats, Floats]:
        """Draw tasks for these lanes only."""
        return self._draw((len(lanes),))

    def _draw(self, shape: tuple[int, ...]) -> tuple[Integers, Floats, Floats]:
        p = self.parameters
        gaps = self.rng.geometric(p.arrival_probability, shape)
        sizes = self.rng.random(shape)
        sizes *= p.size_span_mbit
        sizes += p.min_size_mbit
        rates = self.rng.standard_exponential((*shape, p.num_servers))  # |h|² of Rayleigh fading
        rates *= p.snr_ratio
        np.log1p(rates, out=rates)
        rates *= p.rate_scale_mbps
        np.maximum(rates, p.min_rate_mbps, out=rates)
        return gaps, sizes, rates


class NumpyEnv:
    """Lanes of one scenario, played one decision at a time. A lane whose episode ends starts a new one in that step.

    Attributes: `observation` float32 [lanes, 6 + 4·E] as in docs/model.md, `cost_slots` float64 [lanes] and `truncated`
    bool [lanes] of the last step, `final_lane` and `final_observation` of the episodes it ended.
    """

    def __init__(self, num_lanes: int, parameters: Parameters, seed: int = 0, world: World | None = None) -> None:
        p = parameters
        n, servers = num_lanes, p.num_servers
        self.num_lanes = n
        self.parameters = p
        self.rng = np.random.default_rng(seed)
        self.world: World = world if world is not None else DrawnWorld(n, p, self.rng)
        self._lanes = np.arange(n)
        self._local_service_mbit = p.local_cpu_ghz * p.slot_seconds / p.density_gcycles_per_mbit

        self.slot = np.zeros(n, np.int64)
        self.end_slot = np.zeros(n, np.int64)
        self.user = np.zeros(n, np.int64)
        self.size_mbit = np.zeros(n)
        self.rate_mbps = np.ones((n, servers))
        self.cpu_ghz = np.ones((n, servers))
        self.workload_mbit = np.zeros((n, servers))
        self.active_tasks = np.zeros((n, servers), np.int64)
        # tasks that were there when the slot began: the first ones of their queues
        self._served_tasks = np.zeros((n, servers), np.int64)
        # residuals in arrival order, followed by zeros; grows with the longest queue
        self._queue = np.zeros((4, n * servers))
        self._backlog_mbit = np.zeros((n, p.num_users))
        self._added_mbit = np.zeros((n, p.num_users))

        self.observation = np.zeros((n, HEADER + 4 * servers), np.float32)
        self.observation[:, 1] = p.density_gcycles_per_mbit
        self.observation[:, 2] = p.deadline_slots
        self.observation[:, 4] = p.local_cpu_ghz
        self.cost_slots = np.zeros(n)
        self.truncated = np.zeros(n, bool)
        self.final_lane = np.zeros(0, np.int64)
        self.final_observation = np.zeros((0, self.observation.shape[1]), np.float32)
        self._action_costs: Floats | None = None
        self._start(self._lanes)
        self._observe()

    def greedy_actions(self) -> Integers:
        """Return the action with the smallest cost in every lane, ties to the lowest index."""
        p = self.parameters
        gamma = p.density_gcycles_per_mbit
        size = self.size_mbit
        latency = np.empty((self.num_lanes, p.num_servers + 1))
        latency[:, 0] = self._local_latency(size)
        sharers = self.active_tasks + 1.0
        edge = size[:, None] / self.rate_mbps
        work = self.workload_mbit * gamma
        work *= sharers
        work /= self.cpu_ghz
        edge += work
        np.multiply((size * gamma)[:, None], sharers, out=work)
        work /= self.cpu_ghz
        edge += work
        np.divide(edge, p.slot_seconds, out=latency[:, 1:])
        latency += p.penalty_slots * (latency > p.deadline_slots)
        self._action_costs = latency
        return latency.argmin(axis=1)

    def random_actions(self) -> Integers:
        """Return an action drawn uniformly from {0, …, E} in every lane."""
        return self.rng.integers(0, self.parameters.num_servers + 1, self.num_lanes)

    def step(self, actions: Integers) -> None:
        """Carry out one decision in every lane, actions [lanes] in {0, …, E}."""
        if self._action_costs is not None:
            self.cost_slots = self._action_costs[self._lanes, actions]
            self._action_costs = None
        else:
            self.cost_slots = self._costs(actions)
        self._assign(actions)
        gaps, self.size_mbit, self.rate_mbps = self.world.next_tasks()
        self._advance(self._lanes, gaps)
        self.truncated = self.slot >= self.end_slot
        self._observe()
        if self.truncated.any():
            ended = self.truncated.nonzero()[0]
            self.final_lane = ended
            self.final_observation = self.observation[ended]
            self._start(ended)
            self._observe()
        else:
            self.final_lane = self.final_lane[:0]
            self.final_observation = self.final_observation[:0]

    def _local_latency(self, size: Any) -> Any:
        p = self.parameters
        at = (self._lanes, self.user)
        backlog = self._backlog_mbit[at] + self._added_mbit[at]
        gamma, cpu = p.density_gcycles_per_mbit, p.local_cpu_ghz
        return (backlog * gamma / cpu + size * gamma / cpu) / p.slot_seconds

    def _costs(self, actions: Integers) -> Floats:
        p = self.parameters
        gamma = p.density_gcycles_per_mbit
        size = self.size_mbit
        at = (self._lanes, np.maximum(actions - 1, 0))
        sharers = self.active_tasks[at] + 1.0
        cpu = self.cpu_ghz[at]
        edge = size / self.rate_mbps[at] + self.workload_mbit[at] * gamma * sharers / cpu
        edge += size * gamma * sharers / cpu
        edge /= p.slot_seconds
        latency: Floats = np.where(actions == 0, self._local_latency(size), edge)
        latency += p.penalty_slots * (latency > p.deadline_slots)
        return latency

    def _assign(self, actions: Integers) -> None:
        size = self.size_mbit
        local = (actions == 0).nonzero()[0]
        if local.size:
            self._added_mbit[local, self.user[local]] += size[local]
        if local.size == self.num_lanes:
            return
        lanes = actions.nonzero()[0]
        rows = lanes * self.parameters.num_servers + (actions[lanes] - 1)
        tasks = self.active_tasks.reshape(-1)
        places = tasks[rows]
        longest = int(places.max())
        if longest >= len(self._queue):
            self._queue = np.concatenate([self._queue, np.zeros_like(self._queue)])
        sizes = size[lanes]
        self._queue[places, rows] = sizes
        tasks[rows] = places + 1
        self.workload_mbit.reshape(-1)[rows] += sizes

    def _start(self, lanes: Integers) -> None:
        """Begin new episodes: empty queues, capacities, the first task."""
        rows = (lanes[:, None] * self.parameters.num_servers + np.arange(self.parameters.num_servers)).ravel()
        self._queue[:, rows] = 0
        for array in (self.active_tasks, self._served_tasks, self.workload_mbit, self._backlog_mbit, self._added_mbit):
            array[lanes] = 0
        self.cpu_ghz[lanes] = capacities = self.world.capacities(lanes)
        self.observation[lanes, HEADER + 1 :: 4] = capacities
        self.slot[lanes] = 0
        self.user[lanes] = -1
        gaps, sizes, rates = self.world.first_tasks(lanes)
        # nothing is queued, so the slots until the first task need no service
        places = gaps - 1
        self.slot[lanes] = slots = places // self.parameters.num_users
        self.user[lanes] = places - slots * self.parameters.num_users
        self.size_mbit[lanes] = sizes
        self.rate_mbps[lanes] = rates
        # an episode without a task in its slots is extended to its first one
        length = self.parameters.episode_slots
        self.end_slot[lanes] = np.where(slots >= length, slots + 1, length)

    def _advance(self, lanes: Integers, gaps: Integers) -> None:
        places = self.user + gaps
        slots = places // self.parameters.num_users
        self.user = places - slots * self.parameters.num_users
        self.slot += slots
        lanes = slots.nonzero()[0]
        while lanes.size:
            self._serve_servers(lanes)
            self._serve_devices(lanes)
            slots[lanes] -= 1
            lanes = lanes[slots[lanes] > 0]

    def _serve_devices(self, lanes: Integers) -> None:
        left = self._backlog_mbit[lanes]
        left -= self._local_service_mbit
        left *= left > RESIDUAL_TOLERANCE_MBIT
        left += self._added_mbit[lanes]
        self._backlog_mbit[lanes] = left
        self._added_mbit[lanes] = 0

    def _serve_servers(self, lanes: Integers) -> None:
        """Serve a slot in these lanes, at the servers that had tasks when it began, in groups of similar length."""
        served = self._served_tasks[lanes]
        lane, server = served.nonzero()
        if lane.size:
            rows = lanes[lane] * self.parameters.num_servers + server
            served_rows = served[lane, server]
            if len(rows) < GROUPED_ROWS:
                self._serve_rows(rows, served_rows)
            else:
                length = self.active_tasks.reshape(-1)[rows]
                longest = int(length.max())
                lower, upper = 0, 1
                while lower < longest:
                    group = ((length > lower) & (length <= upper)).nonzero()[0]
                    if group.size:
                        self._serve_rows(rows[group], served_rows[group])
                    lower, upper = upper, 2 * upper
        self._served_tasks[lanes] = self.active_tasks[lanes]

    def _serve_rows(self, rows: Integers, served: Integers) -> None:
        """Share a slot's work at each of these servers among its first `served` tasks, in rounds."""
        p = self.parameters
        tasks = self.active_tasks.reshape(-1)[rows]
        width = int(tasks.max())
        residual = self._queue[:width, rows]
        work = self.cpu_ghz.reshape(-1)[rows] * p.slot_seconds
        service = work / (p.density_gcycles_per_mbit * (served + 1.0))
        share = service / served
        place = np.arange(width)[:, None]
        is_waiting = place < served  # and not done
        done = residual - share <= RESIDUAL_TOLERANCE_MBIT
        done &= is_waiting
        if done.any():
            self._share_again(residual, is_waiting, done, service, share, served)
            residual *= is_waiting | (place >= served)
            residual -= share * is_waiting
            kept = residual != 0
            tasks = kept.sum(axis=0)
            # moves the remaining tasks to the front, in their order
            order = np.argsort(~kept, axis=0, kind="stable")
            residual = np.take_along_axis(residual, order, axis=0)
            self.active_tasks.reshape(-1)[rows] = tasks
        else:
            residual -= share * is_waiting
        self._queue[:width, rows] = residual
        total = residual[0].copy()
        for k in range(1, width):  # one after another: the order is part of the definition
            total += residual[k]
        self.workload_mbit.reshape(-1)[rows] = total

    @staticmethod
    def _share_again(
        residual: Floats,
        is_waiting: NDArray[np.bool_],
        done: NDArray[np.bool_],
        service: Floats,
        share: Floats,
        served: Integers,
    ) -> None:
        """Give the service that finished tasks did not need to the waiting ones, until no more finish; in place."""
        left = served.copy()
        columns = np.arange(len(share))
        while True:
            is_waiting[:, columns] &= ~done
            left[columns] -= done.sum(axis=0)
            used = np.where(done, residual[:, columns], 0.0)
            rest = service[columns]
            for row in used:
                rest -= row
            # once below 0 it stays there, so one comparison at the end is enough
            rest[rest < 0] = 0
            service[columns] = rest
            columns = columns[done.any(axis=0) & (left[columns] > 0)]
            if not columns.size:
                return
            share[columns] = service[columns] / left[columns]
            done = residual[:, columns] - share[columns] <= RESIDUAL_TOLERANCE_MBIT
            done &= is_waiting[:, columns]
            if not done.any():
                return

    def _observe(self) -> None:
        p = self.parameters
        out = self.observation
        at = (self._lanes, self.user)
        out[:, 0] = self.size_mbit
        out[:, 3] = self.user
        backlog = self._backlog_mbit[at] + self._added_mbit[at]
        out[:, 5] = backlog * p.density_gcycles_per_mbit / p.local_cpu_ghz / p.slot_seconds
        out[:, HEADER::4] = self.rate_mbps
        out[:, HEADER + 2 :: 4] = self.active_tasks
        out[:, HEADER + 3 :: 4] = self.workload_mbit
