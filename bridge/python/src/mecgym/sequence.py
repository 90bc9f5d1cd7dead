"""The requests of a session in their order: numbered, acknowledged, and never carried out twice."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from .client import Connection, Pending
from .errors import MecgymError
from .protocol import PROTOCOL_VERSION

__all__ = ["RequestSequence"]

GROUP = 0
#: How long `close` waits for the server's answer, in seconds; nothing depends on it.
CLOSE_SECONDS = 1.0

Answer = tuple[dict[str, Any], bytes | None]


class RequestSequence:
    """One group of a session, with one request awaited at a time, and at most one look-ahead sent along.

    Parameters
    ----------
    connection : Connection
        The way to the server.
    session, epoch : str or int
        What the server calls the session.
    timeout_seconds : float
        How long each request may take, in seconds.
    """

    def __init__(self, connection: Connection, session: str | int, epoch: str | int, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._connection = connection
        self._ids = (session, epoch)
        self._seq = 0
        #: What was sent and has no answer yet, in order.
        self._in_flight: deque[Pending] = deque()
        self._ahead: tuple[Mapping[str, Any], Pending] | None = None

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up waiting for, so that nobody knows whether it was carried out."""
        return any(self._ahead is None or pending is not self._ahead[1] for pending in self._in_flight)

    def exchange(
        self,
        op: str,
        fields: Mapping[str, Any],
        body: bytes | None = None,
        *,
        ahead: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Carry out a request and give its result and body.

        Parameters
        ----------
        op : str
            Operation.
        fields : dict
            Its fields.
        body : bytes, optional
            Its body.
        ahead : dict, optional
            Fields of a look-ahead that is sent along, because it is likely to be asked for next; `look_ahead` takes
            its answer. That saves a round trip, and nothing else depends on it.
        timeout_seconds : float, optional
            How long it may take, in seconds; the session's own time where left out.
        """
        timeout_seconds = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + timeout_seconds
        self._settle(deadline, timeout_seconds)
        pending = self._send(op, fields, body)
        if ahead is not None and self._connection.max_in_flight >= 2:
            self._ahead = (ahead, self._send("lookahead", ahead, None))
        return self._receive(pending, deadline, timeout_seconds)

    def look_ahead(self, fields: Mapping[str, Any]) -> Answer:
        """Carry out a look-ahead, or take the answer of the one that was sent along."""
        if self._ahead is None or self._ahead[0] != fields or self.is_unanswered:
            return self.exchange("lookahead", fields)
        pending = self._ahead[1]
        answer = self._receive(pending, time.monotonic() + self.timeout_seconds, self.timeout_seconds)
        self._ahead = None
        return answer

    def close(self) -> None:
        """End the session; does not mind a server that is gone."""
        try:
            if self._connection.is_usable:
                if self.is_unanswered:
                    self._send("close", {}, None)
                else:
                    self.exchange("close", {}, timeout_seconds=CLOSE_SECONDS)
        except MecgymError:
            pass
        finally:
            self._forget_all()

    def abandon(self) -> None:
        """End the session together with the connection's next request; for finalisers."""
        self._connection.send_last(self._header("close", {}, self._seq + 1))
        self._forget_all()

    def _forget_all(self) -> None:
        for pending in self._in_flight:
            self._connection.forget(pending)

    def _header(self, op: str, fields: Mapping[str, Any], seq: int) -> dict[str, Any]:
        session, epoch = self._ids
        # every reply before the first request without one is here
        ack = seq - 1 - len(self._in_flight) if seq > self._seq else seq - 1
        ids = {"session": session, "epoch": epoch, "group": GROUP, "seq": seq, "ack": ack}
        return {"v": PROTOCOL_VERSION, "op": op, **ids, **fields}

    def _send(self, op: str, fields: Mapping[str, Any], body: bytes | None) -> Pending:
        seq = self._seq + 1
        pending = self._connection.send(op, (*self._ids, GROUP, seq), self._header(op, fields, seq), body)
        self._seq = seq
        self._in_flight.append(pending)
        return pending

    def _receive(self, pending: Pending, deadline: float, timeout_seconds: float) -> Answer:
        """Wait for the answer to the first request in flight."""
        try:
            return self._connection.receive(pending, deadline, timeout_seconds)
        finally:
            if pending.reply is not None and pending in self._in_flight:
                self._in_flight.remove(pending)

    def _settle(self, deadline: float, timeout_seconds: float) -> None:
        """Wait for what was sent before: requests are carried out in order."""
        while self._in_flight:
            pending = self._in_flight[0]
            try:
                self._receive(pending, deadline, timeout_seconds)
            except MecgymError:
                if pending.reply is None:  # this was no answer
                    raise
        self._ahead = None
