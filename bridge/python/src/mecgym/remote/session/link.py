"""A session's link to its server, which changes when the server is lost and another one takes over."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ...errors import DeadlineExceeded, MecgymError, SessionLost
from ..protocol.results import Resumed, read_result
from ..transport.connection import Connection
from ..transport.endpoints import Endpoint, reconnect
from ..transport.leases import Lease
from .recovery import NOT_RECOVERABLE, Recovery

__all__ = ["SessionLink"]

#: Losses of one session only.
SESSION_LOSSES = frozenset({"sessionLost", "unknownSession"})


class Recoverable(Protocol):
    """A group of lanes that can be brought back on another server."""

    def bring_back(self, deadline: float) -> None:
        """Replay the group's requests in the new epoch, until `deadline` as `time.monotonic` counts."""


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
            raise self._unfinished

    def release(self) -> None:
        """Give up the lease: the session is over."""
        self._lease = None

    def note_answer(self) -> None:
        """Note that the server answers, so that the next loss is the first in a row."""
        self._attempts = 0

    def recover(self, loss: SessionLost) -> None:
        """Bring the session back, on another server if the present one is gone.

        Raises
        ------
        SessionLost
            The loss itself if the session is not to be brought back; the last one after too many in a row.
        """
        if self.recovery is None or loss.code in NOT_RECOVERABLE:
            raise loss
        self._unfinished = loss
        start = time.monotonic()
        deadline = start + self.recovery.timeout_seconds
        while True:
            self._attempts += 1
            if self._attempts > self.recovery.max_attempts or time.monotonic() >= deadline:
                raise loss
            try:
                self._bring_back(loss, deadline)
                break
            except SessionLost as again:
                if again.code in NOT_RECOVERABLE:
                    raise
                loss = again
            except DeadlineExceeded as late:
                raise SessionLost("recoveryFailed", f"no server could be found in time: {late}") from loss
        self._unfinished = None
        self.num_recoveries += 1
        self.logger.warning(
            "lost the server (%s); the environments go on as they were, %.2f s later",
            loss.code,
            time.monotonic() - start,
        )

    def _bring_back(self, loss: SessionLost, deadline: float) -> None:
        remaining = max(0.1, deadline - time.monotonic())
        # a server that only gave up this session is still good
        if loss.code not in SESSION_LOSSES or not self.connection.is_usable:
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
        self.epoch = read_result(resumed, Resumed, "resume").epoch
        for group in self.groups:
            group.bring_back(deadline)
