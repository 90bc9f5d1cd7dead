"""Batches: what a reset or a step returns, with one row for each lane, and a row for each episode that ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from numpy.typing import NDArray

__all__ = [
    "FLAG_INVALID_ACTION",
    "FLAG_LATE",
    "FLAG_RESET",
    "FLAG_TRUNCATED",
    "Batch",
    "snake_case",
]

#: Bits of the array `flags`.
FLAG_TRUNCATED = 1
FLAG_LATE = 2
FLAG_INVALID_ACTION = 4
FLAG_RESET = 8


@dataclass(frozen=True)
class Batch:
    """A reply to a reset or a step of n lanes.

    Attributes
    ----------
    arrays : structured array
        The arrays of the protocol's ``stepReply``, by name; read-only, the first axis of each has n rows.
    final : structured array or None
        Those of ``finalLayout``, one row for each episode that ended; None if none did.
    stats_fields : list of str
        Names of the columns of ``finalStats``.
    texts : list of str or None
        The decisions in words, if the session was opened for text.
    """

    arrays: NDArray[Any]
    final: NDArray[Any] | None
    stats_fields: Sequence[str]
    texts: Sequence[str] | None = None

    def ended_lanes(self) -> list[int]:
        """Return the lanes whose episode ended, in the order of the rows of `final`."""
        lanes: list[int] = [] if self.final is None else self.final["finalLane"].tolist()
        return lanes

    def episode_stats(self, row: int) -> dict[str, int | float]:
        """Return statistics of the tasks of an ended episode.

        Counts are integers; ``realised_latency_sum_slots`` is the sum over finished tasks, in slots.
        """
        assert self.final is not None
        values = self.final["finalStats"][row].tolist()
        return {
            snake_case(name): float(value) if name.endswith("Slots") else int(value)
            for name, value in zip(self.stats_fields, values, strict=True)
        }


@cache
def snake_case(name: str) -> str:
    """Return a name of the protocol in Python's style: ``latencySlots`` is ``latency_slots``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
