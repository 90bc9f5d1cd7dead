"""Scores: what answers or actions in given states cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_ACTION", "PARSE_FAILURES", "Scores"]

#: Value of `action` if no decision could be read.
NO_ACTION = -(2**31)
#: Names of the values of `parse_failure`.
PARSE_FAILURES = ("none", "empty", "noDecision", "ambiguous", "unfinishedReasoning")


@dataclass(frozen=True, eq=False)
class Scores:
    """Costs of C answers, in slots.

    Attributes
    ----------
    action : array of int32, shape (C,)
        The decision that was read; `NO_ACTION` if none could be read.
    parse_failure : array of uint8, shape (C,)
        Index into `PARSE_FAILURES`.
    charged_action : array of int32, shape (C,)
        The action these figures are of: the costliest available one if none was read, or it is not available.
    is_invalid : array of uint8, shape (C,)
        1 if a decision was read that is not available.
    latency_slots, cost_slots : array of float64, shape (C,)
        Latency C and cost J of the charged action (eq. 2-8, 11), slots.
    impact_slots : array of float64, shape (C,)
        Mean cost C_impact of the future tasks after it (eq. 24-25), slots.
    reward : array of float64, shape (C,)
        −(J + λ·C_impact) (eq. 26), slots.
    cheapest_cost_slots : array of float64, shape (C,)
        Cost of the cheapest action of the state, slots.
    """

    action: NDArray[np.int32]
    parse_failure: NDArray[np.uint8]
    charged_action: NDArray[np.int32]
    is_invalid: NDArray[np.uint8]
    latency_slots: NDArray[np.float64]
    cost_slots: NDArray[np.float64]
    impact_slots: NDArray[np.float64]
    reward: NDArray[np.float64]
    cheapest_cost_slots: NDArray[np.float64]

    @staticmethod
    def join(parts: Sequence[Scores]) -> Scores:
        """Join the scores of parts of a long list of answers."""
        if len(parts) == 1:
            return parts[0]
        return Scores(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Scores.__dataclass_fields__)
        )
