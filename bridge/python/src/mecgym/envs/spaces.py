"""Observation spaces: finite bounds that no episode of a scenario leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..backend import Backend

__all__ = ["observation_space"]

#: Largest −ln(u + 2^−33) for a draw u in [0, 1): the strongest fading gain there is.
MAX_FADING_GAIN = 33 * math.log(2)
#: Room for rounding to float32.
MARGIN = 1.001
#: Bound of a number that this package does not know, from a newer server.
UNKNOWN_BOUND = float(np.finfo(np.float32).max)


def observation_space(session: Backend) -> spaces.Box:
    """Return the space of one lane's observation.

    Every number is at least 0, the value of padding. Each has its own upper bound, which follows from the scenario: the
    largest task, the fastest server, the most tasks that an episode can have.

    Returns
    -------
    Box of float32, shape (observation_size,)
    """
    bounds: dict[str, float] = {}
    for entry in session.scenarios:
        for name, bound in _bounds(entry["scenario"], session.max_users).items():
            bounds[name] = max(bounds.get(name, 0.0), bound)

    def bound_of(name: str) -> float:
        return min(bounds[name] * MARGIN, UNKNOWN_BOUND) if name in bounds else UNKNOWN_BOUND

    header = [bound_of(name) for name in session.observation_header]
    server = [bound_of(name) for name in session.observation_server_fields]
    history = [bound_of("workloadMbit")] * (session.max_servers * session.history_slots)
    facts = [bound_of(name) for name in session.observation_facts]
    server_facts = [bound_of(name) for name in session.observation_server_facts]
    high: NDArray[np.float32] = np.asarray(
        header + server * session.max_servers + history + facts + server_facts * session.max_servers, dtype=np.float32
    )
    return spaces.Box(np.zeros_like(high), high, dtype=np.float32)


def _bounds(scenario: Mapping[str, Any], max_users: int) -> dict[str, float]:
    """Return the largest value of each field of an observation, in the units of the field's name."""
    arrivals = scenario["arrivals"]
    tasks_per_slot = _poisson_bound(arrivals["ratePerSlot"]) if arrivals["process"] == "poisson" else 1.0
    # the first task of an episode may come after its last slot
    tasks_per_user = tasks_per_slot * (scenario["episodeSlots"] + 1)
    size = scenario["taskSizeMbit"]["max"]
    density, local = scenario["densityGcyclesPerMbit"], scenario["localCpuGHz"]
    capacity = scenario["serverCpuGHz"]
    return {
        "sizeMbit": size,
        "densityGcyclesPerMbit": density,
        "deadlineSlots": scenario["deadlineSlots"],
        "userIndex": max_users,
        "localCpuGHz": local,
        "localWaitSlots": tasks_per_user * size * density / local / scenario["slotSeconds"],
        "rateMbps": _rate_bound(scenario["uplink"]),
        "cpuGHz": max(capacity) if isinstance(capacity, list) else capacity["max"],
        "activeTasks": tasks_per_user * max_users,
        "workloadMbit": tasks_per_user * max_users * size,
        "usersLeft": max_users,
        "decisionIndex": tasks_per_user * max_users,
        "meanSizeMbit": size,
        "assignedTasks": tasks_per_slot * max_users,
        "assignedMbit": tasks_per_slot * max_users * size,
    }


def _poisson_bound(rate: float) -> float:
    """Return more tasks than a 32-bit draw can give: beyond the quantile of 1 − 2^−32 for every rate up to 20."""
    return rate + 10 * math.sqrt(rate) + 20


def _rate_bound(uplink: Mapping[str, float]) -> float:
    """Return a bound of the uplink rate in Mbit/s: eq. 1 at the strongest fading.

    The bandwidth is meanRateMbps/(e^x·E1(x)) with x = 1/s, and e^x·E1(x) > ln(1 + 2/x)/2.
    """
    snr: float = 10 ** (uplink["meanSnrDb"] / 10)
    peak = 2 * math.log1p(MAX_FADING_GAIN * snr) / math.log1p(2 * snr)
    return max(uplink["meanRateMbps"] * peak, uplink["minRateMbps"])
