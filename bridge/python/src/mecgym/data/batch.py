"""What a reset or a step brings: arrays with one row for each lane, and what became of the episodes that ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = [
    "FLAG_INVALID_ACTION",
    "FLAG_LATE",
    "FLAG_RESET",
    "FLAG_TRUNCATED",
    "Batch",
    "final_expected",
    "policy_expected",
    "step_expected",
]

#: Bits of the array `flags`.
FLAG_TRUNCATED = 1
FLAG_LATE = 2
FLAG_INVALID_ACTION = 4
FLAG_RESET = 8

#: Dtype and shape of each array of a layout.
Expected = dict[str, tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Batch:
    """A reply to a reset or a step of n lanes.

    Attributes
    ----------
    arrays : structured array
        The arrays of the protocol's ``stepReply``, by name; read-only, the first axis of each has n rows.
    final : structured array or None
        Those of ``finalLayout``, one row for each episode that ended; None where none did.
    stats_fields : list of str
        Names of the columns of ``finalStats``.
    texts : list of str or None
        The decisions in words, where the session was opened for text.
    """

    arrays: NDArray[Any]
    final: NDArray[Any] | None
    stats_fields: Sequence[str]
    texts: Sequence[str] | None = None

    def ended_lanes(self) -> list[int]:
        """Give the lanes whose episode ended, in the order of the rows of `final`."""
        lanes: list[int] = [] if self.final is None else self.final["finalLane"].tolist()
        return lanes

    def episode_stats(self, row: int) -> dict[str, int | float]:
        """Give what became of the tasks of an ended episode.

        Counts are integers; ``realised_latency_sum_slots`` is the sum over finished tasks, in slots.
        """
        assert self.final is not None
        values = self.final["finalStats"][row].tolist()
        return {
            snake_case(name): float(value) if name.endswith("Slots") else int(value)
            for name, value in zip(self.stats_fields, values, strict=True)
        }


def snake_case(name: str) -> str:
    """Give a name of the protocol as Python writes it: ``latencySlots`` is ``latency_slots``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def step_expected(num_envs: int, observation_size: int, max_servers: int) -> Expected:
    """Give the arrays a step's reply must have."""
    n = (num_envs,)
    return {
        "observation": ("float32", (num_envs, observation_size)),
        **dict.fromkeys(("reward", "latencySlots", "costSlots"), ("float64", n)),
        **dict.fromkeys(("executedAction", "decisionIndex", "slot", "numServers"), ("int32", n)),
        **dict.fromkeys(("lostTasks", "lostOnTimeTasks"), ("int32", n)),
        "episodeSeed": ("uint64", n),
        "flags": ("uint8", n),
        "actionMask": ("uint8", (num_envs, max_servers + 1)),
    }


def final_expected(num_final: int, num_stats: int, observation_size: int | None) -> Expected:
    """Give the arrays that describe ended episodes; observations come with same-step autoreset alone."""
    expected: Expected = {
        "finalLane": ("int32", (num_final,)),
        "finalStats": ("float64", (num_final, num_stats)),
        "finalSlot": ("int32", (num_final,)),
    }
    if observation_size is not None:
        expected["finalObservation"] = ("float32", (num_final, observation_size))
    return expected


def policy_expected(num_envs: int) -> Expected:
    """Give the arrays a reply to `policy` has behind a step's, in any case."""
    n = (num_envs,)
    return {"costSumSlots": ("float64", n), "decisions": ("int32", n), "invalidActions": ("int32", n)}
