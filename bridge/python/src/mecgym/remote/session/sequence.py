"""The requests of one group in order: numbered, acknowledged, never carried out twice, and kept for a replay."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import MecgymError, SessionLost
from ..protocol.headers import PROTOCOL_VERSION, encode_header
from ..protocol.layout import Body
from ..protocol.snapshots import read_snapshots, restore_bodies
from ..transport.pending import Pending
from .link import SessionLink
from .recovery import MUTATING_OPERATIONS, LoggedRequest, ReplayLog

__all__ = ["Answer", "Request", "RequestSequence"]

#: How long `close` waits for the server's answer, in seconds; nothing depends on it.
CLOSE_SECONDS = 1.0
#: A replay that takes longer than this is saved now and then, so that the loss of another server costs only the rest.
SAVED_SECONDS = 1.0

Answer = tuple[dict[str, Any], Body | None]


@dataclass(eq=False)
class Request:
    """A request of a group, until its answer is taken; recovery may send it to several servers."""

    op: str
    fields: Mapping[str, Any]
    body: bytes | None
    seq: int
    epoch: int
    pending: Pending
    is_start: bool = False


class RequestSequence:
    """One group of a session, for one thread at a time.

    `SteppedSession` takes `in_use` for the thread that calls; leaving the sequence as a context gives it back.

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
        #: The highest number of an answered request.
        self._answered = 0
        #: Requests without an answer yet, in order.
        self._in_flight: deque[Request] = deque()
        self.in_use = threading.RLock()
        self._ahead: Request | None = None
        self.log = ReplayLog()
        self._encode = msgspec.msgpack.Encoder().encode
        self._headers: dict[tuple[str, int], bytes] = {}

    def __enter__(self) -> RequestSequence:
        """Return the sequence, which the caller has taken."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Give the sequence back."""
        self.in_use.release()

    @property
    def _seq(self) -> int:
        """The last number in use. An interrupt at any place leaves either both the request and its number, or none."""
        return max(self._answered, self._in_flight[-1].seq if self._in_flight else 0)

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

    def bring_back(self) -> None:
        """Replay the log in a new epoch; then send what was in flight.

        Raises
        ------
        SessionLost
            ``recoveryFailed`` if an answer differs from the first one; or the server was lost again.
        """
        self.forget_all()
        seq = 0
        window: deque[Request] = deque()
        last: Answer | None = None
        saved = time.monotonic()
        start, replayed = len(self.log.snapshot), list(self.log)
        for i, logged in enumerate(replayed):
            if len(window) >= self._link.connection.max_in_flight:
                last = self._take_again(window.popleft())
            seq = self._replay(logged, seq, window)
            if i >= start and i + 1 < len(replayed) and time.monotonic() - saved >= SAVED_SECONDS:
                while window:
                    self._take_again(window.popleft())
                seq = self._save_replay(seq, replayed[i + 1 :])
                saved = time.monotonic()
        while window:
            last = self._take_again(window.popleft())
        if last is not None and self.log.last_body is not None and last[1] != self.log.last_body:
            raise SessionLost(
                "recoveryFailed",
                "the environments were played again on another server, and reached a different state",
            )
        self._answered = ack = seq
        for request in self._in_flight:
            seq += 1
            again = self._number(request.op, request.fields, request.body, seq, ack)
            request.seq, request.epoch, request.pending = seq, again.epoch, again.pending
            self._link.connection.transmit(request.pending)

    def _replay(self, logged: LoggedRequest, seq: int, window: deque[Request]) -> int:
        """Send a request of the log again, and return its number."""
        ack = window[0].seq - 1 if window else seq
        request = self._number(logged.op, logged.fields, logged.body, seq + 1, ack)
        window.append(request)
        self._link.connection.transmit(request.pending)
        return request.seq

    def _save_replay(self, seq: int, rest: list[LoggedRequest]) -> int:
        """Take a snapshot in the middle of a replay, and return the last number; another server goes on from there."""
        pages: list[LoggedRequest] = []
        first_lane = 0
        try:
            while first_lane < self._link.lanes_per_group:
                window: deque[Request] = deque()
                seq = self._replay(LoggedRequest("snapshot", _page(first_lane), None), seq, window)
                pending = window[0].pending
                answer = self._link.connection.receive(pending, self._link.deadline, self._link.timeout_seconds)
                first_lane = self._add_page(pages, answer)
        except SessionLost:
            raise
        except MecgymError:
            return seq  # a lane that was never reset has no snapshot
        self.log.advance(pages, rest)
        self._link.note_progress()
        return seq

    def _take_again(self, request: Request) -> Answer:
        deadline = self._link.deadline
        try:
            answer = self._link.connection.receive(request.pending, deadline, deadline - time.monotonic())
            self._link.note_answer()
            return answer
        except SessionLost:
            raise
        except MecgymError as error:
            if request.pending.reply is None:
                raise
            raise SessionLost(
                "recoveryFailed", f"another server refused what the previous one had carried out: {error}"
            ) from error

    @property
    def _ack(self) -> int:
        """The highest number up to which every answer has arrived."""
        return self._in_flight[0].seq - 1 if self._in_flight else self._answered

    def _number(self, op: str, fields: Mapping[str, Any], body: bytes | None, seq: int, ack: int) -> Request:
        link = self._link
        ids = (link.session, link.epoch, self._group, seq)
        # most requests are steps, whose headers differ in two numbers only
        header = self._header(op, fields, seq, ack) if fields else self._plain_header(op, seq, ack)
        pending = link.connection.prepare(op, ids, header, body, link.session)
        return Request(op, fields, body, seq, link.epoch, pending)

    def _header(self, op: str, fields: Mapping[str, Any], seq: int, ack: int | None = None) -> dict[str, Any]:
        if ack is None:
            ack = self._ack
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
        link = self._link
        while True:
            epoch = link.epoch
            try:
                with link.lock:
                    link.check_ready()
                    request = self._number(op, fields, body, self._seq + 1, self._ack)
                    request.is_start = is_start
                    # from here on the request is sent, if not now then again when its answer is waited for
                    self._in_flight.append(request)
                break
            except SessionLost as error:
                link.recover(error, epoch)
        try:
            link.connection.transmit(request.pending)
        except SessionLost as error:
            link.recover(error, request.epoch)
        return request

    def _await(self, request: Request, timeout_seconds: float) -> Answer:
        return self._link.connection.receive(request.pending, time.monotonic() + timeout_seconds, timeout_seconds)

    def _receive(self, request: Request, timeout_seconds: float) -> Answer:
        """Wait for the answer to a request, on another server if this one is lost meanwhile."""
        while True:
            epoch = request.epoch
            try:
                self._link.check_ready()
                answer = self._await(request, timeout_seconds)
                break
            except SessionLost as error:
                try:
                    self._link.recover(error, epoch)
                except SessionLost:
                    self._drop_answered(request)
                    raise
            except MecgymError:
                self._drop_answered(request)
                raise
        self._drop_answered(request)
        if request.op in MUTATING_OPERATIONS and self._link.recovery is not None:
            seconds = time.monotonic() - request.pending.last_sent
            logged = LoggedRequest(request.op, request.fields, request.body, seconds)
            self.log.add(logged, answer[1], is_start=request.is_start)
            if self.log.wants_snapshot(self._link.recovery) and not self.is_unanswered:
                self._take_snapshot(timeout_seconds)
        return answer

    def _drop_answered(self, request: Request) -> None:
        if request.pending.reply is not None and request in self._in_flight:
            self._answered = max(self._answered, request.seq)
            self._in_flight.remove(request)
            self._link.note_answer()

    def _take_snapshot(self, timeout_seconds: float) -> None:
        """Replace the log by a snapshot, once all of it has arrived intact."""
        pages: list[LoggedRequest] = []
        first_lane = 0
        num_lanes = self._link.lanes_per_group
        start = time.monotonic()
        try:
            while first_lane < num_lanes:
                answer = self._receive(self._transmit("snapshot", _page(first_lane), None), timeout_seconds)
                first_lane = self._add_page(pages, answer)
        except MecgymError as error:
            # the log still has everything; a lane that was never reset has no snapshot. The error as text: a log may
            # keep what it is given
            self._link.logger.info("no snapshot of a group of %d lanes: %s", num_lanes, str(error))
            self.log.postpone_snapshot()
        else:
            self.log.start_from(pages)
            self.log.snapshot_seconds = time.monotonic() - start

    def _add_page(self, pages: list[LoggedRequest], answer: Answer) -> int:
        """Add a page of a snapshot as the requests that restore it, and return the lane that the next one begins with.

        A snapshot may be longer than what a request may hold.
        """
        result, body = answer
        parts = restore_bodies(read_snapshots(result, body), self._link.connection.max_body_bytes)
        pages.extend(LoggedRequest("restore", {"layout": layout}, restored) for layout, restored in parts)
        return int(result.get("nextLane", self._link.lanes_per_group))

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


def _page(first_lane: int) -> dict[str, Any]:
    return {"firstLane": first_lane} if first_lane else {}
