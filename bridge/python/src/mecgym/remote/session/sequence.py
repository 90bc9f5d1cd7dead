"""The requests of one group in order: numbered, acknowledged, never carried out twice, and kept for a replay."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import MecgymError, SessionLost
from ..protocol.headers import PROTOCOL_VERSION, encode_header
from ..protocol.layout import Body
from ..protocol.snapshots import read_snapshots, restore_body
from ..transport.pending import Pending
from .link import SessionLink
from .recovery import MUTATING_OPERATIONS, LoggedRequest, ReplayLog

__all__ = ["Answer", "Request", "RequestSequence"]

#: How long `close` waits for the server's answer, in seconds; nothing depends on it.
CLOSE_SECONDS = 1.0

Answer = tuple[dict[str, Any], Body | None]


@dataclass(eq=False)
class Request:
    """A request of a group, until its answer is taken; recovery may send it to several servers."""

    op: str
    fields: Mapping[str, Any]
    body: bytes | None
    seq: int
    pending: Pending
    is_start: bool = False


class RequestSequence:
    """One group of a session.

    `exchange` carries out requests one after another, with at most one look-ahead sent along. `send` and `receive` do
    this in two steps, so that other work, or another group, can go on in between.

    Parameters
    ----------
    link : SessionLink
        The session's way to a server.
    group : int
        Index of the group.
    """

    def __init__(self, link: SessionLink, group: int) -> None:
        self._link = link
        self._group = group
        self._seq = 0
        #: Requests without an answer yet, in order.
        self._in_flight: deque[Request] = deque()
        self._ahead: Request | None = None
        self.log = ReplayLog()
        self._encode = msgspec.msgpack.Encoder().encode
        self._headers: dict[tuple[str, int], bytes] = {}

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up, so that nobody knows whether it was carried out."""
        return any(request is not self._ahead for request in self._in_flight)

    @property
    def num_in_flight(self) -> int:
        """Requests without an answer yet, except a look-ahead that was sent along."""
        return sum(request is not self._ahead for request in self._in_flight)

    def exchange(
        self,
        op: str,
        fields: Mapping[str, Any],
        body: bytes | None = None,
        *,
        ahead: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
        is_start: bool = False,
    ) -> Answer:
        """Carry out a request and return its result and body.

        Parameters
        ----------
        op : str
            Operation.
        fields : dict
            Its fields.
        body : bytes, optional
            Its body.
        ahead : dict, optional
            Fields of a look-ahead to send along, because the caller is likely to ask for it next; `look_ahead` takes
            its answer. This saves a round trip, and nothing else depends on it.
        timeout_seconds : float, optional
            How long it may take, in seconds; by default as long as the session allows.
        is_start : bool
            Whether it restarts every lane, whatever was before.
        """
        timeout_seconds = self._link.timeout_seconds if timeout_seconds is None else timeout_seconds
        self._settle(timeout_seconds)
        request = self._transmit(op, fields, body, is_start)
        if ahead is not None and self._link.connection.max_in_flight >= 2:
            self._ahead = self._transmit("lookahead", ahead, None)
        return self._receive(request, timeout_seconds)

    def send(self, op: str, fields: Mapping[str, Any], body: bytes | None = None, *, is_start: bool = False) -> None:
        """Send a request without waiting for its answer; `receive` waits.

        Raises
        ------
        MecgymError
            ``windowExceeded`` if as many requests are in flight as the server holds for a group.
        """
        limit = self._link.connection.max_in_flight
        if len(self._in_flight) >= limit:
            raise MecgymError(
                "windowExceeded",
                path=f"group/{self._group}",
                expected=f"at most {limit} requests in flight",
                got="more",
            )
        self._transmit(op, fields, body, is_start)

    def receive(self, timeout_seconds: float | None = None) -> tuple[str, Answer]:
        """Wait for the answer to the first request in flight, and return its operation, result and body.

        Raises
        ------
        MecgymError
            ``nothingInFlight``, or what the server refused the request with.
        """
        timeout_seconds = self._link.timeout_seconds if timeout_seconds is None else timeout_seconds
        while self._in_flight and self._in_flight[0] is self._ahead:
            self._receive(self._ahead, timeout_seconds)
            self._ahead = None
        if not self._in_flight:
            path = f"group/{self._group}"
            raise MecgymError("nothingInFlight", path=path, expected="a request that was sent", got="none")
        request = self._in_flight[0]
        return request.op, self._receive(request, timeout_seconds)

    def look_ahead(self, fields: Mapping[str, Any], body: bytes | None = None) -> Answer:
        """Carry out a look-ahead, or take the answer to the one that was sent along."""
        ahead = self._ahead
        if ahead is None or body is not None or ahead.fields != fields or self.is_unanswered:
            return self.exchange("lookahead", fields, body)
        answer = self._receive(ahead, self._link.timeout_seconds)
        self._ahead = None
        return answer

    def close(self) -> None:
        """End the session; ignores a server that is gone."""
        try:
            if self._link.connection.is_usable:
                if self.is_unanswered:
                    self._transmit("close", {}, None)
                else:
                    self._settle(CLOSE_SECONDS)
                    self._await(self._transmit("close", {}, None), CLOSE_SECONDS)
        except MecgymError:
            pass
        finally:
            self.forget_all()

    def abandon(self) -> None:
        """End the session without waiting for an answer, and close its socket; for finalisers."""
        self._link.connection.close_with(self._header("close", {}, self._seq + 1))

    def forget_all(self) -> None:
        """Stop waiting for answers."""
        for request in self._in_flight:
            self._link.connection.forget(request.pending)

    def bring_back(self, deadline: float) -> None:
        """Replay the log in a new epoch; then send what was in flight.

        Raises
        ------
        SessionLost
            ``recoveryFailed`` if an answer differs from the first one; or the server was lost again.
        """
        self.forget_all()
        self._seq = 0
        window: deque[Request] = deque()
        last: Answer | None = None
        for logged in self.log:
            if len(window) >= self._link.connection.max_in_flight:
                last = self._take_again(window.popleft(), deadline)
            window.append(self._number(logged.op, logged.fields, logged.body, ack=self._ack_of(window)))
        while window:
            last = self._take_again(window.popleft(), deadline)
        if last is not None and self.log.last_body is not None and last[1] != self.log.last_body:
            raise SessionLost(
                "recoveryFailed",
                "the environments were played again on another server, and reached a different state",
            )
        for request in self._in_flight:
            again = self._number(request.op, request.fields, request.body, ack=self._ack_of(self._in_flight, request))
            request.seq, request.pending = again.seq, again.pending

    def _take_again(self, request: Request, deadline: float) -> Answer:
        remaining = deadline - time.monotonic()
        try:
            return self._link.connection.receive(request.pending, deadline, remaining)
        except SessionLost:
            raise
        except MecgymError as error:
            if request.pending.reply is None:
                raise
            raise SessionLost(
                "recoveryFailed", f"another server refused what the previous one had carried out: {error}"
            ) from error

    def _ack_of(self, window: deque[Request], until: Request | None = None) -> int:
        """Return the highest number up to which every answer has arrived, for a request that follows `window`."""
        for request in window:
            if request is until:
                break
            return request.seq - 1
        return self._seq

    def _number(self, op: str, fields: Mapping[str, Any], body: bytes | None, ack: int) -> Request:
        seq = self._seq + 1
        link = self._link
        ids = (link.session, link.epoch, self._group, seq)
        # most requests are steps, whose headers differ in two numbers only
        header = self._header(op, fields, seq, ack) if fields else self._plain_header(op, seq, ack)
        pending = link.connection.send(op, ids, header, body, link.session)
        self._seq = seq
        return Request(op, fields, body, seq, pending)

    def _header(self, op: str, fields: Mapping[str, Any], seq: int, ack: int | None = None) -> dict[str, Any]:
        if ack is None:
            ack = self._ack_of(self._in_flight)
        return {
            "v": PROTOCOL_VERSION,
            "op": op,
            "session": self._link.session,
            "epoch": self._link.epoch,
            "group": self._group,
            "seq": seq,
            "ack": ack,
            **fields,
        }

    def _plain_header(self, op: str, seq: int, ack: int) -> bytes:
        """Encode a header that has no further fields; the part that stays the same is encoded once in each epoch."""
        name = (op, self._link.epoch)
        start = self._headers.get(name)
        if start is None:
            whole = encode_header(self._header(op, {}, 0, 0))
            start = self._headers[name] = whole.removesuffix(b"\xa3seq\x00\xa3ack\x00")
        encode = self._encode
        return b"".join((start, b"\xa3seq", encode(seq), b"\xa3ack", encode(ack)))

    def _transmit(self, op: str, fields: Mapping[str, Any], body: bytes | None, is_start: bool = False) -> Request:
        while True:
            try:
                self._link.check_ready()
                request = self._number(op, fields, body, self._ack_of(self._in_flight))
                break
            except SessionLost as error:
                self._link.recover(error)
        request.is_start = is_start
        self._in_flight.append(request)
        return request

    def _await(self, request: Request, timeout_seconds: float) -> Answer:
        return self._link.connection.receive(request.pending, time.monotonic() + timeout_seconds, timeout_seconds)

    def _receive(self, request: Request, timeout_seconds: float) -> Answer:
        """Wait for the answer to a request, on another server if this one is lost meanwhile."""
        while True:
            try:
                self._link.check_ready()
                answer = self._await(request, timeout_seconds)
                break
            except SessionLost as error:
                try:
                    self._link.recover(error)
                except SessionLost:
                    self._drop_answered(request)
                    raise
            except MecgymError:
                self._drop_answered(request)
                raise
        self._drop_answered(request)
        if request.op in MUTATING_OPERATIONS and self._link.recovery is not None:
            logged = LoggedRequest(request.op, request.fields, request.body)
            self.log.add(logged, answer[1], is_start=request.is_start)
            if self.log.wants_snapshot(self._link.recovery) and not self.is_unanswered:
                self._take_snapshot(timeout_seconds)
        return answer

    def _drop_answered(self, request: Request) -> None:
        if request.pending.reply is not None and request in self._in_flight:
            self._in_flight.remove(request)
            self._link.note_answer()

    def _take_snapshot(self, timeout_seconds: float) -> None:
        """Replace the log by a snapshot, once all of it has arrived intact."""
        pages: list[LoggedRequest] = []
        first_lane = 0
        num_lanes = self._link.lanes_per_group
        try:
            while first_lane < num_lanes:
                fields = {"firstLane": first_lane} if first_lane else {}
                result, body = self._receive(self._transmit("snapshot", fields, None), timeout_seconds)
                layout, restored = restore_body(read_snapshots(result, body))
                pages.append(LoggedRequest("restore", {"layout": layout}, restored))
                first_lane = int(result.get("nextLane", num_lanes))
        except MecgymError as error:
            # the log still has everything; a lane that was never reset has no snapshot
            self._link.logger.info("no snapshot of a group of %d lanes: %s", num_lanes, error)
            self.log.postpone_snapshot()
        else:
            self.log.start_from(pages)

    def _settle(self, timeout_seconds: float) -> None:
        """Wait for earlier requests, because they are carried out in order."""
        while self._in_flight:
            request = self._in_flight[0]
            try:
                self._receive(request, timeout_seconds)
            except MecgymError:
                if request.pending.reply is None:  # the error is not the server's answer
                    raise
        self._ahead = None
