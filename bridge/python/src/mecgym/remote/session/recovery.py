"""Recovery: a snapshot of each group of lanes, and the requests since, to replay on another server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import MecgymError
from ..protocol.layout import Body

__all__ = ["MUTATING_OPERATIONS", "NOT_RECOVERABLE", "LoggedRequest", "Recovery", "ReplayLog", "resolve_recovery"]

#: Operations that change lanes, and so are replayed on another server.
MUTATING_OPERATIONS = frozenset({"reset", "step", "restore", "fork", "policy"})
#: Losses that another server cannot repair.
NOT_RECOVERABLE = frozenset({"forked", "sequenceConflict", "recoveryFailed"})


@dataclass(frozen=True)
class Recovery:
    """How environments survive the loss of their server.

    Parameters
    ----------
    max_replay_steps : int
        Most steps of a group to replay; then a new snapshot replaces them.
    max_replay_bytes : int
        Most bytes of a group's requests to keep; then, too, a new snapshot replaces them.
    timeout_seconds : float
        How long it may take to find or start another server and to bring the environments back, in seconds.
    max_attempts : int
        Servers lost in a row, without a single answer, before the environments are given up.
    """

    max_replay_steps: int = 5_000
    max_replay_bytes: int = 64 * 1024 * 1024
    timeout_seconds: float = 120.0
    max_attempts: int = 8

    def __post_init__(self) -> None:
        """Refuse values that are out of range."""
        for name in ("max_replay_steps", "max_replay_bytes", "max_attempts"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise MecgymError("invalidOption", path=f"recovery/{name}", expected="a positive integer", got=value)
        if not isinstance(self.timeout_seconds, (int, float)) or not 0 < self.timeout_seconds < math.inf:
            expected = "a positive number of seconds"
            raise MecgymError(
                "invalidOption", path="recovery/timeout_seconds", expected=expected, got=self.timeout_seconds
            )


def resolve_recovery(recovery: Recovery | bool | None, *, is_owned: bool) -> Recovery | None:
    """Return how a session survives the loss of its server; None if it does not.

    By default it survives the loss of this process's own server, because nobody else would start that again.

    Raises
    ------
    MecgymError
        ``invalidOption``.
    """
    if recovery is None:
        recovery = is_owned
    if isinstance(recovery, bool):
        return Recovery() if recovery else None
    if not isinstance(recovery, Recovery):
        raise MecgymError("invalidOption", path="recovery", expected="True, False or a Recovery", got=recovery)
    return recovery


@dataclass(frozen=True)
class LoggedRequest:
    """A request that changed lanes: operation, fields and body."""

    op: str
    fields: Mapping[str, Any]
    body: bytes | None

    @property
    def num_steps(self) -> int:
        """Decisions of each lane that replaying it takes."""
        return int(self.fields["steps"]) if self.op == "policy" else 1

    @property
    def num_bytes(self) -> int:
        """Approximate bytes in memory."""
        return 100 + (0 if self.body is None else len(self.body))


@dataclass
class ReplayLog:
    """The requests that bring a new group of lanes to its present state.

    Attributes
    ----------
    snapshot : list of LoggedRequest
        `restore` requests of the last snapshot, a page each; empty before the first.
    requests : list of LoggedRequest
        What was carried out since, in order.
    last_body : bytes or memoryview or None
        Body of the reply to the last of them; a replay must end with the same body.
    """

    snapshot: list[LoggedRequest] = field(default_factory=list)
    requests: list[LoggedRequest] = field(default_factory=list)
    last_body: Body | None = None
    num_steps: int = 0
    num_bytes: int = 0
    #: Grows if no snapshot can be taken (a lane was never reset), so that this is not tried at every step.
    _patience: int = 1

    def add(self, request: LoggedRequest, reply_body: Body | None, *, is_start: bool) -> None:
        """Note a request that was carried out; one that restarts all lanes makes the earlier ones unnecessary."""
        if is_start:
            self._clear()
            self.snapshot = []
        self.requests.append(request)
        self.last_body = reply_body
        self.num_steps += request.num_steps
        self.num_bytes += request.num_bytes

    def wants_snapshot(self, recovery: Recovery) -> bool:
        """Whether a replay would take more steps, or memory, than it may."""
        if not self.requests or self.requests[-1].op == "policy":
            return False  # a snapshot does not hold what a policy remembers within an episode
        return (
            self.num_steps > recovery.max_replay_steps * self._patience
            or self.num_bytes > recovery.max_replay_bytes * self._patience
        )

    def start_from(self, snapshot: list[LoggedRequest]) -> None:
        """Replace everything so far by a snapshot."""
        self._clear()
        self.snapshot = snapshot
        self.last_body = None

    def postpone_snapshot(self) -> None:
        """Go on without a snapshot for now, because taking one failed."""
        self._patience *= 2

    def __iter__(self) -> Iterator[LoggedRequest]:
        """Return all requests, in order."""
        yield from self.snapshot
        yield from self.requests

    @property
    def memory_bytes(self) -> int:
        """Approximate bytes in memory."""
        return self.num_bytes + sum(request.num_bytes for request in self.snapshot)

    def _clear(self) -> None:
        self.requests = []
        self.num_steps = self.num_bytes = 0
        self._patience = 1
