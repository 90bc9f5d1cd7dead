"""Writes a scenario into the module, as its interface asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .core import Core

__all__ = ["add_scenario"]

FIXED, LIST, RANGE = 0, 1, 2
ARRIVAL_PROCESSES = {"bernoulli": 0, "poisson": 1, "bursty": 2}


def add_scenario(core: Core, scenario: Mapping[str, Any], content_hash: str, *, is_after_another: bool) -> int:
    """Hand a complete scenario in; give what `addScenario` gives.

    Parameters
    ----------
    core : Core
        An instance without a batch yet.
    scenario : dict
        Every field of a scenario that was checked.
    content_hash : str
        Its content hash, 64 hexadecimal digits.
    is_after_another : bool
        Whether the fields hold the numbers of another scenario.
    """
    if is_after_another:
        for name in core.fields:
            if name.startswith("scenario."):
                core.view(name)[...] = 0
    numbers = {
        **_plain_numbers(scenario),
        **_user_numbers(scenario["users"]),
        **_arrival_numbers(scenario["arrivals"]),
        **_look_ahead_numbers(scenario["lookAhead"]),
    }
    for name, value in numbers.items():
        core.set(f"scenario.{name}", value)
    _write_servers(core, scenario["numServers"])
    _write_capacities(core, scenario["serverCpuGHz"])
    core.view("scenario.contentHash")[:] = np.frombuffer(bytes.fromhex(content_hash), np.uint8)
    return core.call(core.slow("addScenario"))


def _plain_numbers(scenario: Mapping[str, Any]) -> dict[str, float]:
    names = (
        "localCpuGHz",
        "slotSeconds",
        "densityGcyclesPerMbit",
        "deadlineSlots",
        "deadlinePenaltySlots",
        "historySlots",
        "episodeSlots",
    )
    size, uplink, churn = scenario["taskSizeMbit"], scenario["uplink"], scenario.get("churn")
    return {
        **{name: scenario[name] for name in names},
        **{name: uplink[name] for name in ("meanRateMbps", "meanSnrDb", "minRateMbps")},
        "minSizeMbit": size["min"],
        "maxSizeMbit": size["max"],
        "isWorkConserving": scenario["service"] == "work-conserving",
        "hasChurn": churn is not None,
        **(churn or {}),
    }


def _user_numbers(users: Mapping[str, int]) -> dict[str, float]:
    return {"numUsers": users.get("count", 0), "usersPerServer": users.get("perServer", 0)}


def _arrival_numbers(arrivals: Mapping[str, Any]) -> dict[str, float]:
    process = arrivals["process"]
    numbers: dict[str, float] = {"arrivalProcess": ARRIVAL_PROCESSES[process]}
    if process == "bernoulli":
        return {**numbers, "arrivalProbability": arrivals["probability"]}
    if process == "poisson":
        return {**numbers, "ratePerSlot": arrivals["ratePerSlot"]}
    others = {name: arrivals[name] for name in ("quietProbability", "meanBusySlots", "meanQuietSlots")}
    return {**numbers, **others, "arrivalProbability": arrivals["busyProbability"]}


def _look_ahead_numbers(look_ahead: Mapping[str, Any]) -> dict[str, float]:
    return {
        "numSamples": look_ahead["numSamples"],
        "weight": look_ahead["weight"],
        "minSizeFactor": look_ahead["sizeFactor"]["min"],
        "maxSizeFactor": look_ahead["sizeFactor"]["max"],
        "isSequential": look_ahead["mode"] == "sequential",
        "isResampled": look_ahead["rates"] == "resampled",
    }


def _write_servers(core: Core, num_servers: Any) -> None:
    if isinstance(num_servers, Mapping):
        core.set("scenario.numServersKind", RANGE)
        core.set("scenario.minServers", num_servers["min"])
        core.set("scenario.maxServers", num_servers["max"])
    elif isinstance(num_servers, list):
        core.set("scenario.numServersKind", LIST)
        core.set("scenario.minServers", 1)
        core.set("scenario.numServersChoices", len(num_servers))
        core.view("scenario.serverChoices")[: len(num_servers)] = num_servers
    else:
        core.set("scenario.numServersKind", FIXED)
        core.set("scenario.minServers", num_servers)


def _write_capacities(core: Core, capacities: Any) -> None:
    if isinstance(capacities, list):
        core.set("scenario.cpuKind", LIST)
        core.set("scenario.numCpus", len(capacities))
        core.view("scenario.serverCpuGHz")[: len(capacities)] = capacities
    else:
        core.set("scenario.cpuKind", RANGE)
        core.set("scenario.minCpuGHz", capacities["min"])
        core.set("scenario.maxCpuGHz", capacities["max"])
