"""The look-ahead of a batch: each lane asked for in turn, its tables copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import Core
from .failures import failure_of
from .options import EngineOptions, check_fields
from .refusals import refusal

__all__ = ["LOOK_AHEAD_ARRAYS", "LookAheadCalls"]

#: What a look-ahead gives, in this order.
LOOK_AHEAD_ARRAYS = ("latencySlots", "costSlots", "impactSlots", "reward")
NAMES = {"numSamples", "weight", "sizeFactor", "mode", "rates"}
ALL_ACTIONS = -1


class LookAheadCalls:
    """The look-ahead of one batch.

    Parameters
    ----------
    core : Core
        The batch.
    options : EngineOptions
        What it plays.
    first_lane : int
        Its first lane among all lanes of the session.
    """

    def __init__(self, core: Core, options: EngineOptions, first_lane: int) -> None:
        self._core = core
        self._options = options
        self._first_lane = first_lane
        self._look_ahead = core.fast("lookAhead")
        self._tables = [core.view(f"lookAhead.{name}") for name in LOOK_AHEAD_ARRAYS]
        self._num_servers = core.view("decision.numServers")

    def evaluate(self, fields: Mapping[str, Any], actions: NDArray[np.int32] | None) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions, or one of each lane.

        Parameters
        ----------
        fields : dict
            Options of the protocol's ``lookahead``; the lane's scenario says what is left out.
        actions : array of int32, shape (n,), optional
            The action of each lane that is to be evaluated.

        Raises
        ------
        MecgymError
            ``needsReset``, ``invalidRequest``, ``invalidOption``.
        """
        check_settings(fields)
        num_lanes = int(self._core.get("batch.numLanes"))
        width = len(self._tables[0])
        found = np.full((len(self._tables), num_lanes, width), np.nan)
        for lane in range(num_lanes):
            if fields:
                self._write_settings(fields, lane)
            status = self._look_ahead(lane, int(not fields), ALL_ACTIONS)
            if status < 0:
                raise failure_of(self._core, status)
            num_actions = int(self._num_servers[()]) + 1
            for values, table in zip(found, self._tables, strict=True):
                values[lane, :num_actions] = table[:num_actions]
        if actions is None:
            return list(found)
        exists = (actions >= 0) & (actions < width)
        chosen = found[:, np.arange(num_lanes), np.where(exists, actions, 0)]
        chosen[:, ~exists] = np.nan
        return list(chosen)

    def _write_settings(self, fields: Mapping[str, Any], lane: int) -> None:
        scenario = self._options.scenarios[self._options.scenario_of(self._first_lane + lane)]
        settings = {**scenario["lookAhead"], **fields}
        numbers = {
            "numSamples": settings["numSamples"],
            "weight": settings["weight"],
            "minSizeFactor": settings["sizeFactor"]["min"],
            "maxSizeFactor": settings["sizeFactor"]["max"],
            "isSequential": settings["mode"] == "sequential",
            "isResampled": settings["rates"] == "resampled",
        }
        for name, value in numbers.items():
            self._core.set(f"lookAhead.{name}", value)


def check_settings(fields: Mapping[str, Any]) -> None:
    """Check the options of a look-ahead.

    Raises
    ------
    MecgymError
        ``invalidRequest``, ``invalidOption``.
    """
    if not fields:
        return
    check_fields("lookahead", fields)
    factor = fields.get("sizeFactor")
    if factor is not None and factor["min"] > factor["max"]:
        expected = "{min, max} with 0.001 ≤ min ≤ max ≤ 1000"
        raise refusal("invalidOption", "lookAhead/sizeFactor", expected, dict(factor))
