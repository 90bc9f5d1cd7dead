"""`EngineBatch`: lanes in this process, played by the module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import NEXT_EPISODE
from ..data.batch import FLAG_INVALID_ACTION, FLAG_RESET, Batch
from ..data.snapshots import Snapshots
from ..errors import MecgymError
from .core import MEMORY_BYTES, Core, machine_bytes
from .direct import DirectSteps
from .failures import failure_of
from .look_ahead import LookAheadCalls
from .module import CompiledModule
from .options import AUTORESETS, SPLITS, EngineOptions
from .outputs import Outputs, num_output_sets
from .refusals import refusal
from .scenario_input import add_scenario
from .snapshots import SnapshotCalls

__all__ = [
    "EPISODE_STATS_FIELDS",
    "FACTS",
    "OBSERVATION_HEADER",
    "OBSERVATION_SERVER_FIELDS",
    "POLICIES",
    "SERVER_FACTS",
    "EngineBatch",
]

#: Native policies that the module has itself.
POLICIES = ("oracle", "lacs")

#: Names of the numbers that begin an observation, of those of each server, of the facts at its end, first of the
#: decision and then of each server, and of an episode's statistics.
OBSERVATION_HEADER = (
    "sizeMbit",
    "densityGcyclesPerMbit",
    "deadlineSlots",
    "userIndex",
    "localCpuGHz",
    "localWaitSlots",
)
OBSERVATION_SERVER_FIELDS = ("rateMbps", "cpuGHz", "activeTasks", "workloadMbit")
FACTS = ("usersLeft", "slot", "decisionIndex", "meanSizeMbit")
SERVER_FACTS = ("assignedTasks", "assignedMbit")
EPISODE_STATS_FIELDS = (
    "episodeSeed",
    "numDecisions",
    "finishedTasks",
    "finishedLateTasks",
    "realisedLatencySumSlots",
    "unfinishedTasks",
    "unfinishedLateTasks",
    "lostTasks",
)

#: From so many lanes on, other threads may run while a call is carried out.
GIL_FREE_LANES = 64
WITH_SEEDS, WITH_MASK = 1, 2


class EngineBatch:
    """One group of lanes.

    Parameters
    ----------
    options : EngineOptions
        What it plays.
    group : int
        Index of the group: lane i is lane group·n + i of all.
    compiled : CompiledModule, optional
        The compiled module; this process's own if left out.
    is_fast : bool
        Whether to call the module by the fast way if there is one.

    Attributes
    ----------
    num_lanes, max_servers, observation_size : int
        Sizes.
    core : Core
        The module's instance.
    outputs : Outputs
        What a step brings.
    stats_fields : tuple of str
        Names of the statistics of an episode.

    Raises
    ------
    MecgymError
        ``sessionTooLarge`` if there is not enough memory, ``invalidOption``, ``invalidScenario``.
    """

    def __init__(
        self, options: EngineOptions, group: int = 0, compiled: CompiledModule | None = None, *, is_fast: bool = True
    ) -> None:
        core = Core(compiled, is_fast=is_fast)
        for i, (scenario, content_hash) in enumerate(zip(options.scenarios, options.hashes, strict=True)):
            _check(core, add_scenario(core, scenario, content_hash, is_after_another=i > 0))
        _write_options(core, options, group)
        num_bytes = int(core.function("requiredBytes")(core.store))
        if num_bytes < 0:
            raise failure_of(core, num_bytes)
        _check_size(num_bytes, options)
        core.grow_to(num_bytes)
        _check(core, core.call(core.slow("create")))
        core.read_map()
        if options.lane_scenario is not None:
            first = group * options.lanes_per_group
            core.view("laneScenario")[:] = options.lane_scenario[first : first + options.lanes_per_group]
        _check(core, core.call(core.slow("assignScenarios")))
        self._options, self._group = options, group
        self._attach(core)

    def _attach(self, core: Core) -> None:
        """Prepare the calls and views of an instance that has a batch."""
        self.core = core
        self.num_lanes = int(core.get("batch.numLanes"))
        self.max_servers = int(core.get("batch.maxServers"))
        self.observation_size = int(core.get("batch.observationSize"))
        self.stats_fields: Sequence[str] = EPISODE_STATS_FIELDS
        releases_gil = self.num_lanes >= GIL_FREE_LANES
        #: Steps all lanes, and returns how many episodes ended, or why nothing happened.
        self.call_step = core.fast("step", releases_gil=releases_gil)
        self._reset = core.fast("reset", releases_gil=releases_gil)
        self._actions = core.view("actions")
        self.outputs = Outputs(core, EPISODE_STATS_FIELDS)
        self._final_dtypes: dict[int, np.dtype[Any]] = {}

    def reset(self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None) -> Batch:
        """Start episodes.

        Parameters
        ----------
        seeds : array of uint64, shape (n,), optional
            Episode seeds; `NEXT_EPISODE` for the next one of the split, as for all lanes if left out.
        mask : array of uint8, shape (n,), optional
            1 if a lane is to be reset; all of them if left out.

        Raises
        ------
        MecgymError
            ``invalidSeed``, ``sessionMemory``; no lane changes.
        """
        core = self.core
        flags = 0
        if seeds is not None:
            flags |= WITH_SEEDS
            core.view("seeds")[:] = np.where(seeds == np.uint64(NEXT_EPISODE), np.nan, seeds)
        if mask is not None:
            flags |= WITH_MASK
            core.view("mask")[:] = mask
        self.outputs.prepare()
        status = core.call(self._reset, flags)
        if status < 0:
            raise failure_of(core, status)
        return self._taken(None)

    def step(self, actions: NDArray[np.int32]) -> Batch:
        """Carry out one decision in each lane.

        Parameters
        ----------
        actions : array of int32, shape (n,)
            The actions.

        Raises
        ------
        MecgymError
            ``needsReset``, ``sessionMemory``; no lane changes.
        """
        self._actions[:] = actions
        self.outputs.prepare()
        num_final = self.call_step()
        if num_final < 0:
            num_final = self.call_step_again()
        return self._taken(self.final_rows(num_final) if num_final else None)

    def call_step_again(self) -> int:
        """Repeat a step that did not happen, with the room that it needs.

        Raises
        ------
        MecgymError
            ``needsReset``, ``sessionMemory``; no lane changes.
        """
        return _check(self.core, self.core.call(self.call_step))

    def look_ahead(
        self, fields: Mapping[str, Any], actions: NDArray[np.int32] | None = None
    ) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions; see `LookAheadCalls.evaluate`."""
        return self._look_ahead.evaluate(fields, actions)

    def snapshot(self, mask: NDArray[np.uint8] | None = None) -> Snapshots:
        """Return the states of lanes as bytes, of all or of those whose mask is not 0; nothing changes.

        Raises
        ------
        MecgymError
            ``needsReset`` if a lane was never reset.
        """
        lanes = np.arange(self.num_lanes) if mask is None else np.flatnonzero(mask)
        return self._snapshots.take(lanes.tolist())

    def started_lanes(self) -> NDArray[np.uint8]:
        """Return 1 for each lane that was reset at least once."""
        return np.asarray([self._snapshots.is_started(lane) for lane in range(self.num_lanes)], np.uint8)

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None) -> Batch:
        """Put lanes into the states of snapshots; those they were taken of if `lanes` is left out.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``, ``invalidRequest``, ``invalidOption``; no lane changes.
        """
        targets = snapshots.lanes if lanes is None else np.asarray(lanes, dtype=np.int32)
        if targets.shape != snapshots.lanes.shape:
            expected = f"{len(snapshots)} lanes"
            raise MecgymError("invalidOption", path="lanes", expected=expected, got=targets.tolist())
        options, first = self._options, self._group * self.num_lanes
        known = [0 <= lane < self.num_lanes for lane in targets.tolist()]
        hashes = [
            options.hashes[options.scenario_of(first + lane)] if is_known else ""
            for lane, is_known in zip(targets.tolist(), known, strict=True)
        ]
        self.outputs.prepare()
        self._snapshots.restore(snapshots, targets, hashes)
        return self._taken(None)

    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int]) -> Batch:
        """Make lanes `targets` copies of lanes `sources` as these are now.

        Raises
        ------
        MecgymError
            ``needsReset``, ``invalidOption``, ``invalidRequest``; no lane changes.
        """
        first = self._group * self.num_lanes
        scenarios = [self._options.scenario_of(first + lane) for lane in range(self.num_lanes)]
        self.outputs.prepare()
        self._snapshots.fork_lanes(np.asarray(sources, np.int32), np.asarray(targets, np.int32), scenarios)
        return self._taken(None)

    def choose(self, policy: str) -> NDArray[np.int32]:
        """Return the action that a policy of `POLICIES` takes in each lane.

        Raises
        ------
        MecgymError
            ``needsReset``.
        """
        _check(self.core, self._policies[policy]())
        chosen: NDArray[np.int32] = self._actions.copy()
        return chosen

    def run_policy(self, policy: str, steps: int) -> tuple[Batch, NDArray[Any]]:
        """Play with a policy of `POLICIES`; see `Session.run_policy`."""
        sums = PolicySums(self.num_lanes)
        batch: Batch | None = None
        for step in range(steps):
            if batch is not None and batch.final is not None and self._options.autoreset == "disabled":
                break
            batch = self.step(self.choose(policy))
            sums.add(batch, step)
        assert batch is not None
        return Batch(batch.data, None, EPISODE_STATS_FIELDS, None, batch.layout), sums.arrays()

    def direct_steps(self) -> DirectSteps | None:
        """Return the steps of few lanes, whose outputs are copied; None for a large batch."""
        prepared = self.core.prepared("step") if self.outputs.is_small else None
        return None if prepared is None else DirectSteps(self, prepared)

    def fork(self) -> EngineBatch:
        """Return a copy that goes its own way from here on; nothing is shared."""
        core = Core(self.core.compiled, is_fast=self.core.is_fast)
        core.copy_from(self.core)
        _check(core, core.call(core.slow("forgetStep")))
        other = EngineBatch.__new__(EngineBatch)
        other._options, other._group = self._options, self._group
        other._attach(core)
        return other

    @cached_property
    def _look_ahead(self) -> LookAheadCalls:
        return LookAheadCalls(self.core, self._options, self._group * self.num_lanes)

    @cached_property
    def _snapshots(self) -> SnapshotCalls:
        return SnapshotCalls(self.core)

    @cached_property
    def _policies(self) -> dict[str, Callable[[], int]]:
        releases_gil = self.num_lanes >= GIL_FREE_LANES
        cheapest = self.core.fast("chooseCheapest", releases_gil=releases_gil)
        largest = self.core.fast("chooseLookAhead", releases_gil=releases_gil)
        return {"oracle": cheapest, "lacs": lambda: largest(1)}

    def _taken(self, final: NDArray[Any] | None) -> Batch:
        return Batch(self.outputs.take(), final, EPISODE_STATS_FIELDS, None, self.outputs.layout)

    def final_rows(self, num_final: int) -> NDArray[Any]:
        """Return what is told of the episodes that ended in the last step."""
        final: NDArray[Any] = np.empty((), self._final_dtype(num_final))
        for name, view in self._final_views.items():
            final[name] = view[:num_final]
        return final

    @cached_property
    def _final_views(self) -> dict[str, NDArray[Any]]:
        names = {"finalLane": "lane", "finalStats": "stats", "finalSlot": "slot"}
        if self._options.autoreset == "same-step":
            names["finalObservation"] = "observation"
        return {name: self.core.view(f"final.{field}") for name, field in names.items()}

    def _final_dtype(self, num_final: int) -> np.dtype[Any]:
        """Return the type of what is told of `num_final` episodes; the same few numbers come again and again."""
        known = self._final_dtypes.get(num_final)
        if known is None:
            views = self._final_views.items()
            known = np.dtype([(name, view.dtype, (num_final, *view.shape[1:])) for name, view in views])
            self._final_dtypes[num_final] = known
        return known


class PolicySums:
    """What a policy's steps add up to, lane by lane, and the episodes that ended in them."""

    def __init__(self, num_lanes: int) -> None:
        self._cost_sum = np.zeros(num_lanes)
        self._decisions = np.zeros(num_lanes, np.int32)
        self._invalid = np.zeros(num_lanes, np.int32)
        self._finals: list[tuple[int, Any]] = []

    def add(self, batch: Batch, step: int) -> None:
        """Add what one step brought."""
        flags = batch.arrays["flags"]
        has_stepped = (flags & FLAG_RESET) == 0
        self._cost_sum[has_stepped] += batch.arrays["costSlots"][has_stepped]
        self._decisions += has_stepped
        self._invalid += has_stepped & ((flags & FLAG_INVALID_ACTION) != 0)
        if batch.final is not None:
            self._finals.append((step, batch.final))

    def arrays(self) -> NDArray[Any]:
        """Return the sums, and of each episode that ended its step, lane, statistics and slot."""
        finals = [final for _step, final in self._finals]
        steps = [np.full(len(final["finalLane"]), step, np.int32) for step, final in self._finals]
        empty: dict[str, NDArray[Any]] = {"finalLane": np.zeros(0, np.int32), "finalSlot": np.zeros(0, np.int32)}
        empty["finalStats"] = np.zeros((0, len(EPISODE_STATS_FIELDS)))
        ended = {name: np.concatenate([none, *(final[name] for final in finals)]) for name, none in empty.items()}
        arrays: dict[str, NDArray[Any]] = {
            "costSumSlots": self._cost_sum,
            "decisions": self._decisions,
            "invalidActions": self._invalid,
            "finalStep": np.concatenate([np.zeros(0, np.int32), *steps]),
            **ended,
        }
        sums: NDArray[Any] = np.empty((), [(name, array.dtype, array.shape) for name, array in arrays.items()])
        for name, array in arrays.items():
            sums[name] = array
        return sums


def _check(core: Core, status: int) -> int:
    if status < 0:
        raise failure_of(core, status)
    return status


def _write_options(core: Core, options: EngineOptions, group: int) -> None:
    max_servers = options.max_servers or options.needed_servers
    server_numbers = len(OBSERVATION_SERVER_FIELDS) + options.history_slots
    size = len(OBSERVATION_HEADER) + max_servers * server_numbers
    if options.facts:
        size += len(FACTS) + max_servers * len(SERVER_FACTS)
    numbers = {
        "numLanes": options.lanes_per_group,
        "maxServers": max_servers,
        "showsHistory": options.history,
        "showsFacts": options.facts,
        "autoreset": AUTORESETS[options.autoreset],
        "replacesInvalidActions": 1,
        "split": SPLITS[options.split],
        "numOutputSets": num_output_sets(options.lanes_per_group, size, max_servers),
        "seed": options.seed,
        "firstLane": group * options.lanes_per_group,
    }
    for name, value in numbers.items():
        core.set(f"options.{name}", value)


def _check_size(num_bytes: int, options: EngineOptions) -> None:
    """Refuse what there is no memory for, before any is taken."""
    limit = min(MEMORY_BYTES, machine_bytes() // options.num_groups)
    if num_bytes <= limit:
        return
    expected = f"fewer lanes, users or servers: a group may take {limit} bytes of memory on this machine"
    raise refusal("sessionTooLarge", "/numEnvs", expected, f"a group of {num_bytes} bytes")
