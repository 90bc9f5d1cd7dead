"""A session's link to its server, which changes when the server is lost and another one takes over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ...errors import DeadlineExceeded, MecgymError, ServerError, SessionLost
from ..protocol.results import Resumed, read_result
from ..transport.connection import Connection
from ..transport.endpoints import Endpoint, reconnect
from ..transport.leases import Lease
from .recovery import NOT_RECOVERABLE, Recovery

__all__ = ["SessionLink"]

#: Losses of one session only.
SESSION_LOSSES = frozenset({"sessionLost", "unknownSession"})
#: Waits after a server that did not start, in seconds: the first one, and the longest.
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 2.0


class Recoverable(Protocol):
    """A group of lanes that can be brought back on another server."""

    def bring_back(self) -> None:
        """Replay the group's requests in the new epoch."""


class SessionLink:
    """The server, socket and epoch of a session at present.

    Parameters
    ----------
    endpoint : Endpoint
        The server.
    connection : Connection
        The session's own socket to it.
    fields : dict
        Fields of the protocol's ``open`` that made the session.
    session : str
        Its id, a secret.
    epoch : int
        Its epoch; raised each time the session is brought back.
    lanes_per_group : int
        Lanes of each group.
    timeout_seconds : float
        How long each request may take, in seconds.
    recovery : Recovery or None
        How the session survives the loss of its server; None if it does not.
    """

    logger = logging.getLogger("mecgym")

    def __init__(
        self,
        endpoint: Endpoint,
        connection: Connection,
        fields: Mapping[str, Any],
        session: str,
        epoch: int,
        lanes_per_group: int,
        timeout_seconds: float,
        recovery: Recovery | None,
    ) -> None:
        self.endpoint = endpoint
        self.connection = connection
        self.session = session
        self.epoch = epoch
        self.lanes_per_group = lanes_per_group
        self.timeout_seconds = timeout_seconds
        self.recovery = recovery
        self.groups: list[Recoverable] = []
        #: How often the session was brought back.
        self.num_recoveries = 0
        #: Held while requests get their numbers, and while the session is brought back.
        self.lock = threading.RLock()
        #: When the recovery that is going on is given up, as `time.monotonic` counts.
        self.deadline = 0.0
        self._fields = fields
        self._attempts = 0
        self._lease: Lease | None = endpoint.lease(session)
        #: The loss that is being recovered from; None if there is no unfinished recovery.
        self._unfinished: SessionLost | None = None

    def check_ready(self) -> None:
        """Refuse to send or wait while a recovery is unfinished.

        Raises
        ------
        SessionLost
            The loss that is not repaired yet.
        """
        if self._unfinished is not None:
            raise SessionLost(self._unfinished)

    def release(self) -> None:
        """Give up the lease: the session is over."""
        self._lease = None

    def note_answer(self) -> None:
        """Note that the server answers, so that the next loss is the first in a row."""
        self._attempts = 0

    def note_progress(self) -> None:
        """Note that a part of the recovery is done for good, so that the rest has its time from now on."""
        if self.recovery is not None:
            self.deadline = time.monotonic() + self.recovery.timeout_seconds

    def recover(self, loss: SessionLost, epoch: int) -> None:
        """Bring the session back, on another server if the present one is gone.

        A recovery that fails can be tried again: the next call of the session does.

        Parameters
        ----------
        loss : SessionLost
            What a request met.
        epoch : int
            The epoch of that request. If another thread has brought the session back since, nothing is left to do.

        Raises
        ------
        SessionLost
            The loss itself if the session is not to be brought back; the last one after too many in a row.
        ServerError
            ``serverNotReady`` if no server starts.
        """
        code = loss.code
        try:
            if self.recovery is None or code in NOT_RECOVERABLE:
                raise loss
        finally:
            # an error in a variable of a frame in its traceback would keep itself and the caller's objects
            del loss
        with self.lock:
            if epoch == self.epoch or self._unfinished is not None:
                self._recover(code)

    def _recover(self, code: str) -> None:
        assert self.recovery is not None
        first, start = code, time.monotonic()
        self._unfinished = SessionLost(code, f"the server was lost ({code}), and no other one has taken over yet")
        self.note_progress()
        pause_seconds = FIRST_PAUSE_SECONDS
        try:
            while True:
                self._attempts += 1
                is_last = self._attempts >= self.recovery.max_attempts or time.monotonic() >= self.deadline
                try:
                    self._bring_back(code)
                    break
                except SessionLost as again:
                    code = again.code
                    if is_last or code in NOT_RECOVERABLE:
                        raise
                except DeadlineExceeded as late:
                    raise SessionLost("recoveryFailed", f"no server could be found in time: {late}") from late
                except ServerError as failed:
                    if is_last or failed.code != "serverNotReady":
                        raise
                    time.sleep(pause_seconds)
                    pause_seconds = min(2 * pause_seconds, MAX_PAUSE_SECONDS)
        except MecgymError:
            self._attempts = 0  # the next call begins as this one did
            raise
        self._unfinished = None
        self.num_recoveries += 1
        seconds = time.monotonic() - start
        self.logger.warning("lost the server (%s); the environments go on as they were, %.2f s later", first, seconds)

    def _bring_back(self, code: str) -> None:
        remaining = max(0.1, self.deadline - time.monotonic())
        # a server that only gave up this session is still good
        if code not in SESSION_LOSSES or not self.connection.is_usable:
            # a fresh socket: what was queued for the old server must not reach the next one
            self.connection.close()
            self.endpoint = reconnect(self.endpoint, timeout_seconds=remaining)
            self.connection = self.endpoint.take()
            self._lease = self.endpoint.lease(self.session)
        ids = {"session": self.session, "epoch": self.epoch}
        try:
            resumed = self.connection.request("resume", {**self._fields, **ids}, timeout_seconds=remaining)
        except (SessionLost, DeadlineExceeded):
            raise
        except MecgymError as error:
            raise SessionLost("recoveryFailed", f"the server does not accept the environments: {error}") from error
        self.note_answer()
        self.epoch = read_result(resumed, Resumed, "resume").epoch
        for group in self.groups:
            group.bring_back()
