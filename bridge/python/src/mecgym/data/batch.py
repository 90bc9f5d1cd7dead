"""Batches: what a reset or a step returns, with one row for each lane, and a row for each episode that ended."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FLAG_INVALID_ACTION",
    "FLAG_LATE",
    "FLAG_RESET",
    "FLAG_TRUNCATED",
    "Batch",
    "BatchLayout",
    "snake_case",
]

#: Bits of the array `flags`.
FLAG_TRUNCATED = 1
FLAG_LATE = 2
FLAG_INVALID_ACTION = 4
FLAG_RESET = 8

#: Letters of `struct` for the types of arrays.
STRUCT_CODES = {"<f8": "d", "<f4": "f", "<i4": "i", "<u8": "Q", "|u1": "B"}


class BatchLayout:
    """Where the arrays of batches of one kind lie in their bytes.

    Parameters
    ----------
    dtype : numpy.dtype
        The arrays of the protocol's ``stepReply``, by name; the first axis of each has n rows.
    stats_fields : sequence of str
        Names of the statistics of an episode.
    """

    def __init__(self, dtype: np.dtype[Any], stats_fields: Sequence[str]) -> None:
        self.dtype = dtype
        self.stats_fields = stats_fields
        described: Any = dtype.fields
        fields: dict[str, Any] = {name: described[name] for name in dtype.names or ()}
        #: Names of what has one number for each lane.
        self.numbers = [name for name, (kind, *_place) in fields.items() if len(kind.shape) == 1]
        text, end = "<", 0
        for name in sorted(self.numbers, key=lambda name: fields[name][1]):
            kind, offset = fields[name][:2]
            text += f"{offset - end}x{STRUCT_CODES[kind.base.str]}"
            end = offset + kind.base.itemsize
        self._unpack = struct.Struct(text).unpack_from
        self._in_order = sorted(self.numbers, key=lambda name: fields[name][1])
        mask, self._mask_offset = fields["actionMask"][:2]
        self._num_actions: int = mask.shape[1]

    def numbers_of(self, data: Any) -> dict[str, Any]:
        """Return the numbers of lane 0, by name."""
        return dict(zip(self._in_order, self._unpack(data), strict=True))

    def mask_of(self, data: Any) -> NDArray[np.int8]:
        """Return the action mask of lane 0."""
        mask: NDArray[np.int8] = np.frombuffer(data, np.int8, self._num_actions, self._mask_offset).copy()
        return mask


class Batch(msgspec.Struct, eq=False):
    """A reply to a reset or a step of n lanes.

    Attributes
    ----------
    data : structured array, or bytes
        The arrays, or the bytes that `layout` makes arrays of when they are first asked for.
    final : structured array or None
        Those of ``finalLayout``, one row for each episode that ended; None if none did.
    stats_fields : list of str
        Names of the columns of ``finalStats``.
    texts : list of str or None
        The decisions in words, if the session was opened for text.
    layout : BatchLayout or None
        What the bytes are.
    """

    data: Any
    final: NDArray[Any] | None
    stats_fields: Sequence[str]
    texts: Sequence[str] | None = None
    layout: BatchLayout | None = None
    made: NDArray[Any] | None = None

    @property
    def arrays(self) -> NDArray[Any]:
        """The arrays of the protocol's ``stepReply``, by name; read-only, the first axis of each has n rows."""
        if self.layout is None:
            arrays: NDArray[Any] = self.data
            return arrays
        if self.made is None:
            self.made = np.ndarray((), self.layout.dtype, self.data)
        return self.made

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of lane 0, by name."""
        if self.layout is not None:
            return self.layout.numbers_of(self.data)
        arrays = self.arrays
        return {name: arrays[name].item(0) for name in arrays.dtype.names or () if arrays[name].ndim == 1}

    def mask(self) -> NDArray[np.int8]:
        """Return the action mask of lane 0, an array of its own."""
        if self.layout is not None:
            return self.layout.mask_of(self.data)
        mask: NDArray[np.int8] = self.arrays["actionMask"][0].astype(np.int8)
        return mask

    def __deepcopy__(self, _memo: dict[int, Any]) -> Batch:
        """Return the batch itself: nobody writes to one."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arrays, wherever they lie."""
        return Batch, (self.arrays, self.final, self.stats_fields, self.texts)

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
