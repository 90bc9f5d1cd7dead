"""Snapshots: the whole state of lanes as bytes, with hashes that name the states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Snapshots"]


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The states of k lanes.

    Attributes
    ----------
    lanes : array of int32, shape (k,)
        The lanes they were taken from.
    hashes : array of uint8, shape (k, 8)
        The state hash of each; equal states have equal hashes, in every language.
    offsets : array of uint32, shape (k + 1,)
        Start and end of each snapshot in `data`.
    data : array of uint8
        The snapshots, one after the other.
    """

    lanes: NDArray[np.int32]
    hashes: NDArray[np.uint8]
    offsets: NDArray[np.uint32]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return how many lanes there are."""
        return len(self.lanes)

    def state_hashes(self) -> list[str]:
        """Return the name of each state, 16 hexadecimal digits."""
        return [row.tobytes().hex() for row in self.hashes]

    def to_bytes(self, index: int) -> bytes:
        """Return one snapshot: bytes that any server of this version accepts from a client in any language."""
        start, end = self.offsets[index : index + 2].tolist()
        return self.data[start:end].tobytes()

    @staticmethod
    def join(pages: Sequence[Snapshots]) -> Snapshots:
        """Join the pages of a long reply."""
        if len(pages) == 1:
            return pages[0]
        starts = np.cumsum([0, *(int(page.offsets[-1]) for page in pages)])
        offsets = [page.offsets[:-1] + start for page, start in zip(pages, starts, strict=False)]
        return Snapshots(
            np.concatenate([page.lanes for page in pages]),
            np.concatenate([page.hashes for page in pages]),
            np.concatenate([*offsets, starts[-1:]]).astype(np.uint32),
            np.concatenate([page.data for page in pages]),
        )
