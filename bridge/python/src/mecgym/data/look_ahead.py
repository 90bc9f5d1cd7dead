"""Look-aheads: what each action would cost now, and what it costs the tasks that may follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MecgymError

__all__ = ["LookAhead", "look_ahead_fields"]


@dataclass(frozen=True)
class LookAhead:
    """What each action of the current decision would cost (eq. 22-26).

    The last axis has one entry for each action: num_servers + 1 of a single environment. A vector environment has a
    row for each of its environments, max_servers + 1 wide. What does not exist, or is absent, has infinite latency and
    cost, and a reward of −infinity.

    Attributes
    ----------
    latency_slots : array of float64
        Latency C, slots.
    cost_slots : array of float64
        Cost J: the latency, and the penalty of a late task, slots.
    impact_slots : array of float64
        Mean cost C_impact of the future tasks, slots.
    reward : array of float64
        −(J + weight·C_impact), slots.
    """

    latency_slots: NDArray[np.float64]
    cost_slots: NDArray[np.float64]
    impact_slots: NDArray[np.float64]
    reward: NDArray[np.float64]


def look_ahead_fields(
    num_samples: int | None,
    weight: float | None,
    size_factor: tuple[float, float] | None,
    mode: str | None,
    rates: str | None,
) -> dict[str, Any]:
    """Return the fields of the protocol's ``lookahead``; the scenario decides whatever is None.

    Raises
    ------
    MecgymError
        ``invalidOption`` if the size factor is not two values; the server checks the rest.
    """
    fields: dict[str, Any] = {
        "numSamples": _plain(num_samples),
        "weight": _plain(weight),
        "mode": mode,
        "rates": rates,
    }
    if size_factor is not None:
        try:
            smallest, largest = size_factor
        except (TypeError, ValueError) as error:
            raise MecgymError(
                "invalidOption", path="size_factor", expected="the smallest and the largest factor", got=size_factor
            ) from error
        fields["sizeFactor"] = {"min": _plain(smallest), "max": _plain(largest)}
    return {name: value for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a NumPy number as a Python one."""
    return value.item() if isinstance(value, np.generic) else value
