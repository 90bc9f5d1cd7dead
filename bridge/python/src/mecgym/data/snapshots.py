"""Snapshots of lanes: their whole state as bytes, with the hashes that name the states."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MecgymError, malformed
from ..remote.protocol.layout import Layout

if TYPE_CHECKING:
    from ..remote.transport.connection import Body

__all__ = ["Snapshots"]

#: Arrays of a reply to `snapshot`, in the order of its digest.
ARRAYS = ("lane", "stateHash", "snapshotOffsets", "snapshotBytes")


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The states of k lanes.

    Attributes
    ----------
    lanes : array of int32, shape (k,)
        The lanes they were taken of.
    hashes : array of uint8, shape (k, 8)
        The state hash of each; equal states have equal hashes, in every language.
    offsets : array of uint32, shape (k + 1,)
        Where each snapshot begins and ends in `data`.
    data : array of uint8
        The snapshots, one behind the other.
    """

    lanes: NDArray[np.int32]
    hashes: NDArray[np.uint8]
    offsets: NDArray[np.uint32]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        """Give how many lanes there are."""
        return len(self.lanes)

    def state_hashes(self) -> list[str]:
        """Give the name of each state, 16 hexadecimal digits."""
        return [row.tobytes().hex() for row in self.hashes]

    def to_bytes(self, index: int) -> bytes:
        """Give one snapshot: bytes that any server of this version takes, whatever language asks."""
        start, end = self.offsets[index : index + 2].tolist()
        return self.data[start:end].tobytes()

    @staticmethod
    def of_reply(result: Mapping[str, Any], body: Body | None) -> Snapshots:
        """Read a reply to `snapshot`.

        Raises
        ------
        ServerError
            ``malformedReply`` where the bytes are not what the digest beside them says.
        """
        arrays = Layout(result.get("layout")).decode(body)
        digest = hashlib.sha256()
        for name in ARRAYS:
            if name not in (arrays.dtype.names or ()):
                malformed(f"snapshot/layout/{name}", "an array", None)
            digest.update(arrays[name].tobytes())
        if digest.hexdigest() != result.get("digest"):
            malformed("snapshot/digest", digest.hexdigest(), result.get("digest"))
        return Snapshots(*(arrays[name] for name in ARRAYS))

    @staticmethod
    def join(pages: Sequence[Snapshots]) -> Snapshots:
        """Put the pages of a long reply together."""
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

    def to_body(self, lanes: Sequence[int] | None = None) -> tuple[list[dict[str, Any]], bytes]:
        """Make the layout and the body of a `restore` to these lanes.

        Raises
        ------
        MecgymError
            ``invalidOption`` where there are not as many lanes as snapshots.
        """
        targets = self.lanes if lanes is None else np.asarray(lanes, dtype=np.int32)
        if targets.shape != self.lanes.shape:
            raise MecgymError("invalidOption", path="lanes", expected=f"{len(self)} lanes", got=targets.tolist())
        arrays: dict[str, NDArray[Any]] = {"lane": targets, "snapshotOffsets": self.offsets, "snapshotBytes": self.data}
        layout = Layout.of(arrays)
        return layout.arrays, layout.encode(arrays)
