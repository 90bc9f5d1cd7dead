"""Turns what the module refuses into errors with the codes, places and words that a server gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MecgymError
from .core import Core
from .refusals import refusal

__all__ = ["failure_of", "needs_reset"]

NEEDS_RESET = -2
INVALID_ACTION = -3
INVALID_SEED = -4
INVALID_OPTION = -5
INVALID_SCENARIO = -6
INVALID_SNAPSHOT = -7

#: Phase of a lane before its first reset.
UNUSED = 0

#: Names of options where the module's differ from the protocol's.
OPTION_NAMES = {"numLanes": "numEnvs", "showsHistory": "history"}


def failure_of(core: Core, status: int) -> MecgymError:
    """Return the error of a call that has just answered `status`, less than 0."""
    name = core.text("failure.name")
    index, value = int(core.get("failure.index")), core.get("failure.value")
    low, high = core.get("failure.low"), core.get("failure.high")
    got = int(value) if np.isfinite(value) and value == int(value) else value
    bounds = f"from {_short(low)} to {_short(high)}"
    place = name if index < 0 else f"{name}/{index}"
    match status:
        case _ if status == NEEDS_RESET:
            return needs_reset(index, is_unused=value == UNUSED)
        case _ if status == INVALID_ACTION:
            expected = f"an integer from 0 (local) to {_short(high)} (server {_short(high)})"
            return refusal("invalidAction", place, expected, got)
        case _ if status == INVALID_SEED:
            return refusal("invalidSeed", place, "an integer from 0 to 2^53 − 1", got)
        case _ if status == INVALID_OPTION:
            place = OPTION_NAMES.get(name, place)
            return refusal("invalidOption", place, f"an integer {bounds}", got)
        case _ if status == INVALID_SNAPSHOT:
            return refusal("invalidSnapshot", f"snapshot/{place}", f"a number {bounds}", got)
        case _:
            return refusal("invalidScenario", f"/{name}", f"a number {bounds}", got)


def needs_reset(lane: int, *, is_unused: bool) -> MecgymError:
    """Return the error of a lane that has no decision to take."""
    got = "a lane before its first reset" if is_unused else "a lane after its end"
    return refusal("needsReset", f"lanes/{lane}", "a reset first", got)


def _short(value: float) -> Any:
    return int(value) if np.isfinite(value) and value == int(value) else value
