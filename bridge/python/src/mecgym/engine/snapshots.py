"""Snapshots of a batch's lanes: taken, checked and restored, all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.snapshots import Snapshots
from ..errors import MecgymError
from .calls import Call
from .core import NEEDS_ROOM, Core
from .failures import INVALID_SNAPSHOT, failure_of
from .refusals import refusal

__all__ = ["SnapshotCalls"]

#: Magic and version, the scenario's hash, the SHA-256 of what follows.
MAGIC = b"mecgymS"
SCENARIO = slice(8, 40)
CHECKSUM = slice(40, 72)
HEADER_BYTES = 72
STATE_HASH = slice(40, 48)


class SnapshotCalls:
    """The snapshots of one batch.

    Parameters
    ----------
    core : Core
        The batch.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._snapshot_bytes = core.fast("snapshotBytes")
        self._borrow = core.fast("borrow")
        self._snapshot = core.fast("snapshot")
        self._check = core.fast("checkSnapshot")
        self._restore = core.fast("restore")
        self._fork = core.fast("fork")

    def take(self, lanes: Sequence[int]) -> Snapshots:
        """Return the states of lanes as bytes.

        Raises
        ------
        MecgymError
            ``needsReset`` if a lane was never reset.
        """
        pieces = [self._take(lane) for lane in lanes]
        hashes = np.frombuffer(b"".join(piece[STATE_HASH] for piece in pieces), np.uint8).reshape(len(pieces), 8)
        offsets = np.cumsum([0, *map(len, pieces)]).astype(np.uint32)
        data = np.frombuffer(b"".join(pieces), np.uint8)
        return Snapshots(np.asarray(lanes, np.int32), hashes, offsets, data)

    def is_started(self, lane: int) -> bool:
        """Whether a lane was reset at least once, so that it has a state."""
        return self._snapshot_bytes(lane) >= 0

    def restore(self, snapshots: Snapshots, lanes: NDArray[np.int32], hashes: Sequence[str]) -> None:
        """Put lanes into the states of snapshots.

        Parameters
        ----------
        snapshots : Snapshots
            One state for each lane.
        lanes : array of int32, shape (k,)
            The lanes.
        hashes : sequence of str
            Content hash of each lane's scenario.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``, ``invalidRequest``; no lane changes.
        """
        self._check_once(lanes, "lane")
        targets = lanes.tolist()
        pieces = [snapshots.to_bytes(i) for i in range(len(targets))]
        for lane, piece, content_hash in zip(targets, pieces, hashes, strict=True):
            self._put(self._check, lane, piece, content_hash)
        for lane, piece, content_hash in zip(targets, pieces, hashes, strict=True):
            self._put(self._restore, lane, piece, content_hash)

    def fork_lanes(self, sources: NDArray[np.int32], targets: NDArray[np.int32], scenarios: Sequence[int]) -> None:
        """Make lanes copies of others as these are now, all at once: two lanes may change places.

        Parameters
        ----------
        sources, targets : array of int32, shape (k,)
            The lanes; no target twice.
        scenarios : sequence of int, length n
            Index of each lane's scenario.

        Raises
        ------
        MecgymError
            ``needsReset``, ``invalidOption``, ``invalidRequest``; no lane changes.
        """
        self._check_once(targets, "to")
        pairs = list(zip(sources.tolist(), targets.tolist(), strict=True))
        for source, target in pairs:
            self._check_fork(source, target, scenarios)
        written = set(targets.tolist())
        # a lane that is itself overwritten is read before it is
        kept = {source: self._take(source) for source, target in pairs if source != target and source in written}
        for source, target in pairs:
            if source in kept and source != target:
                self._put(self._restore, target, kept[source], "")
            elif source != target:
                self._answer(self._core.call(self._fork, source, target))

    def _take(self, lane: int) -> bytes:
        num_bytes = self._answer(self._snapshot_bytes(lane))
        address = self._room(num_bytes)
        self._answer(self._snapshot(lane, address))
        return self._core.bytes_at(address, num_bytes).tobytes()

    def _put(self, call: Call, lane: int, piece: bytes, content_hash: str) -> None:
        while True:
            address = self._room(len(piece))
            self._core.bytes_at(address, len(piece))[:] = np.frombuffer(piece, np.uint8)
            status = call(lane, address, len(piece))
            if status != NEEDS_ROOM:
                break
            # what is borrowed lies at the end of memory, which moves
            self._core.make_room()
        if status == INVALID_SNAPSHOT:
            raise self._describe(piece, content_hash) or failure_of(self._core, status)
        self._answer(status)

    def _room(self, num_bytes: int) -> int:
        while True:
            # addresses are unsigned
            address = self._borrow(num_bytes) & 0xFFFFFFFF
            if address != 0:
                return address
            self._core.make_room()

    def _answer(self, status: int) -> int:
        if status < 0:
            raise failure_of(self._core, status)
        return status

    def _check_once(self, lanes: NDArray[np.int32], name: str) -> None:
        """Refuse lanes that do not exist or come twice: the order would decide."""
        num_lanes = int(self._core.get("batch.numLanes"))
        seen: set[int] = set()
        for i, lane in enumerate(lanes.tolist()):
            if not 0 <= lane < num_lanes or lane in seen:
                expected = f"a lane from 0 to {num_lanes - 1}, each once"
                raise refusal("invalidRequest", f"{name}/{i}", expected, lane)
            seen.add(lane)

    def _check_fork(self, source: int, target: int, scenarios: Sequence[int]) -> None:
        num_lanes = len(scenarios)
        if not 0 <= source < num_lanes:
            raise refusal("invalidOption", "lane", f"a lane from 0 to {num_lanes - 1}", source)
        self._answer(self._snapshot_bytes(source))
        if scenarios[source] != scenarios[target]:
            expected = f"a lane of lane {source}'s scenario"
            raise refusal("invalidOption", "to", expected, f"lane {target}")

    @staticmethod
    def _describe(piece: bytes, content_hash: str) -> MecgymError | None:
        """Say what is wrong around a snapshot's numbers; None if it is one of them."""

        def invalid(name: str, expected: str, got: object) -> MecgymError:
            return refusal("invalidSnapshot", f"snapshot/{name}", expected, got)

        if len(piece) < HEADER_BYTES or len(piece) % 8 != 0:
            expected = f"at least {HEADER_BYTES} bytes, and a multiple of 8"
            return invalid("length", expected, f"{len(piece)} bytes")
        if piece[:7] != MAGIC:
            return invalid("magic", "a mecgym snapshot", piece[:7].hex())
        if piece[SCENARIO].hex() != content_hash and piece[7] == 1:
            return invalid("scenario", f"a state of the lane's scenario {content_hash}", piece[SCENARIO].hex())
        if piece[7] != 1:
            return invalid("version", "version 1", piece[7])
        actual = hashlib.sha256(piece[HEADER_BYTES:]).hexdigest()
        if piece[CHECKSUM].hex() != actual:
            return invalid("checksum", f"{piece[CHECKSUM].hex()}: the snapshot is damaged", actual)
        return None
