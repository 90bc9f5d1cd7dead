"""Snapshots on the wire: read from a reply to `snapshot`, written to the body of a `restore`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.snapshots import Snapshots
from ...errors import MecgymError, malformed
from .layout import Body, Layout

__all__ = ["read_snapshots", "restore_bodies"]

#: Arrays of a reply to `snapshot`, in the order in which its digest covers them.
ARRAYS = ("lane", "stateHash", "snapshotOffsets", "snapshotBytes")


def read_snapshots(result: Mapping[str, Any], body: Body | None) -> Snapshots:
    """Read a reply to `snapshot`.

    Raises
    ------
    ServerError
        ``malformedReply`` if the arrays do not match the digest in the header.
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


def restore_bodies(
    snapshots: Snapshots, max_bytes: int, lanes: Sequence[int] | None = None
) -> list[tuple[list[dict[str, Any]], bytes]]:
    """Return layouts and bodies of a `restore` to these lanes, or to the lanes the snapshots were taken from.

    There are as many as it takes for none to be longer than `max_bytes`; usually one.

    Raises
    ------
    MecgymError
        ``invalidOption`` if there are not as many lanes as snapshots.
    """
    targets = snapshots.lanes if lanes is None else np.asarray(lanes, dtype=np.int32)
    if targets.shape != snapshots.lanes.shape:
        raise MecgymError("invalidOption", path="lanes", expected=f"{len(snapshots)} lanes", got=targets.tolist())
    offsets = snapshots.offsets.astype(np.int64)
    # each snapshot goes with 8 bytes of offset and lane, and each array is padded
    ends = offsets[1:] + 8 * np.arange(1, len(targets) + 1)
    bodies: list[tuple[list[dict[str, Any]], bytes]] = []
    first = 0
    while first < len(targets) or not bodies:
        room = max_bytes - 64 + int(offsets[first]) + 8 * first
        last = min(len(targets), max(first + 1, int(np.searchsorted(ends, room, side="right"))))
        arrays: dict[str, NDArray[Any]] = {
            "lane": targets[first:last],
            "snapshotOffsets": (offsets[first : last + 1] - offsets[first]).astype(np.uint32),
            "snapshotBytes": snapshots.data[offsets[first] : offsets[last]],
        }
        layout = Layout.of(arrays)
        bodies.append((layout.arrays, layout.encode(arrays)))
        first = last
    return bodies
