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

__all__ = ["read_snapshots", "restore_body"]

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


def restore_body(snapshots: Snapshots, lanes: Sequence[int] | None = None) -> tuple[list[dict[str, Any]], bytes]:
    """Return the layout and the body of a `restore` to these lanes, or to the lanes the snapshots were taken from.

    Raises
    ------
    MecgymError
        ``invalidOption`` if there are not as many lanes as snapshots.
    """
    targets = snapshots.lanes if lanes is None else np.asarray(lanes, dtype=np.int32)
    if targets.shape != snapshots.lanes.shape:
        raise MecgymError("invalidOption", path="lanes", expected=f"{len(snapshots)} lanes", got=targets.tolist())
    arrays: dict[str, NDArray[Any]] = {
        "lane": targets,
        "snapshotOffsets": snapshots.offsets,
        "snapshotBytes": snapshots.data,
    }
    layout = Layout.of(arrays)
    return layout.arrays, layout.encode(arrays)
