"""`EngineBatch`: lanes in this process, played by the module."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import NEXT_EPISODE
from ..data.batch import Batch
from .core import MEMORY_BYTES, Core, machine_bytes
from .failures import failure_of
from .module import CompiledModule
from .options import AUTORESETS, SPLITS, EngineOptions
from .outputs import Outputs, num_output_sets
from .refusals import refusal
from .scenario_input import add_scenario

__all__ = ["EPISODE_STATS_FIELDS", "OBSERVATION_HEADER", "OBSERVATION_SERVER_FIELDS", "EngineBatch"]

#: Names of the numbers that begin an observation, of those of each server, and of an episode's statistics.
OBSERVATION_HEADER = (
    "sizeMbit",
    "densityGcyclesPerMbit",
    "deadlineSlots",
    "userIndex",
    "localCpuGHz",
    "localWaitSlots",
)
OBSERVATION_SERVER_FIELDS = ("rateMbps", "cpuGHz", "activeTasks", "workloadMbit")
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

    Raises
    ------
    MecgymError
        ``sessionTooLarge`` if there is not enough memory, ``invalidOption``, ``invalidScenario``.
    """

    def __init__(
        self, options: EngineOptions, group: int = 0, compiled: CompiledModule | None = None, *, is_fast: bool = True
    ) -> None:
        core = Core(compiled, is_fast=is_fast)
        for scenario, content_hash in zip(options.scenarios, options.hashes, strict=True):
            _check(core, add_scenario(core, scenario, content_hash))
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
        releases_gil = self.num_lanes >= GIL_FREE_LANES
        self._step = core.fast("step", releases_gil=releases_gil)
        self._reset = core.fast("reset", releases_gil=releases_gil)
        self._choose_cheapest = core.fast("chooseCheapest", releases_gil=releases_gil)
        self._actions = core.view("actions")
        self._outputs = Outputs(core)
        self._has_final_rows = self._options.autoreset == "same-step"

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
        self._outputs.prepare()
        status = core.call(self._reset, flags)
        if status < 0:
            raise failure_of(core, status)
        return Batch(self._outputs.take(), None, EPISODE_STATS_FIELDS)

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
        self._outputs.prepare()
        num_final = self._step()
        if num_final < 0:
            num_final = _check(self.core, self.core.call(self._step))
        final = self._final_rows(num_final) if num_final else None
        return Batch(self._outputs.take(), final, EPISODE_STATS_FIELDS)

    def choose_cheapest(self) -> NDArray[np.int32]:
        """Give the action of the smallest cost of each lane (the policy ``oracle``).

        Raises
        ------
        MecgymError
            ``needsReset``.
        """
        _check(self.core, self._choose_cheapest())
        chosen: NDArray[np.int32] = self._actions.copy()
        return chosen

    def fork(self) -> EngineBatch:
        """Give a copy that goes its own way from here on; nothing is shared."""
        core = Core(self.core.compiled, is_fast=self.core.is_fast)
        core.copy_from(self.core)
        other = EngineBatch.__new__(EngineBatch)
        other._options, other._group = self._options, self._group
        other._attach(core)
        return other

    def _final_rows(self, num_final: int) -> dict[str, NDArray[Any]]:
        core = self.core
        rows = {name: core.view(f"final.{name}")[:num_final].copy() for name in ("lane", "slot", "stats")}
        final = {"finalLane": rows["lane"], "finalStats": rows["stats"], "finalSlot": rows["slot"]}
        if self._has_final_rows:
            final["finalObservation"] = core.view("final.observation")[:num_final].copy()
        return final


def _check(core: Core, status: int) -> int:
    if status < 0:
        raise failure_of(core, status)
    return status


def _write_options(core: Core, options: EngineOptions, group: int) -> None:
    max_servers = options.max_servers or options.needed_servers
    server_numbers = len(OBSERVATION_SERVER_FIELDS) + options.history_slots
    size = len(OBSERVATION_HEADER) + max_servers * server_numbers
    numbers = {
        "numLanes": options.lanes_per_group,
        "maxServers": max_servers,
        "showsHistory": options.history,
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
