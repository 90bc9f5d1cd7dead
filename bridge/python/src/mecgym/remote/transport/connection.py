"""A connection to a server: requests with deadlines, sent again where an answer is late, each carried out once."""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import zmq

from ...errors import DeadlineExceeded, MecgymError, ServerError, SessionLost
from ..protocol.headers import PROTOCOL_VERSION, ReplyHeader, encode_header
from ..protocol.layout import Body
from ..protocol.reply_memo import ReplyMemo
from .resend import ResendTimer

if TYPE_CHECKING:
    from .keys import ClientKeys
    from .server import LocalServer

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "Connection", "Pending"]

DEFAULT_TIMEOUT_SECONDS = 60.0
#: Longest sleep in one go, so that a server that died is noticed soon.
SLICE_SECONDS = 0.05
#: How often a request that the server could not read is sent again before that counts as its answer.
MAX_UNREAD = 3
#: A request is taken for lost, and sent again at once, when so many later ones of its session were answered before it.
MAX_OVERTAKEN = 1

#: As a number, because an enumeration's member takes longer to combine than to send.
SEND_MORE = int(zmq.SNDMORE)


@dataclass
class Pending:
    """A request on its way: what was sent, and what came back.

    Attributes
    ----------
    op : str
        Operation.
    key : Hashable
        What its reply is told by.
    frames : list of bytes
        The message, kept so that it can be sent again.
    stream : Hashable
        What it is in order with: requests of one session are answered in about the order they were sent.
    reply : ReplyHeader or None
        Header of the reply once it is there.
    body : bytes or memoryview or None
        Body of the reply, where it has one.
    """

    op: str
    key: Hashable
    frames: list[bytes]
    stream: Hashable = None
    reply: ReplyHeader | None = None
    body: Body | None = None
    num_sent: int = 0
    num_unread: int = 0
    num_overtaken: int = 0
    last_sent: float = 0.0
    resend_after: float = 0.0


class Leaseholder(Protocol):
    """A session whose lease is renewed while it is open."""

    connection: Connection
    session: str
    is_closed: bool


class Connection:
    """One DEALER socket, shared by all environments of this process that use the same server.

    Parameters
    ----------
    address : str
        ZeroMQ address of the server.
    server : LocalServer, optional
        The server, where this process owns it: its end is noticed at once, and its log is part of error messages.
    keys : ClientKeys, optional
        Keys for a server that answers those it knows alone.

    Raises
    ------
    MecgymError
        ``invalidAddress``.
    """

    def __init__(self, address: str, server: LocalServer | None = None, keys: ClientKeys | None = None) -> None:
        self.address = address
        self.keys = keys
        self._server = server
        self._owner_pid = os.getpid()
        self._lock = threading.RLock()
        self._waiting: dict[Hashable, Pending] = {}
        self._last_words: deque[bytes] = deque()
        self._is_closed = False
        #: Set when the connection is closed, for threads that serve it.
        self.is_over = threading.Event()
        self._links: weakref.WeakSet[Leaseholder] = weakref.WeakSet()
        self._receive_timeout_ms = -1
        self._timer = ResendTimer()
        self._replies = ReplyMemo()
        self.num_dropped = 0
        #: Requests sent more than once, counting each repetition.
        self.num_resent = 0
        #: Whether bodies stay in the memory they came in; worth its price from some 32 KiB on.
        self.maps_bodies = False
        #: Requests a group of a session may have under way; `connect` asks the server.
        self.max_in_flight = 1
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.SNDTIMEO, 0)
            self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
            if keys is not None:
                keys.apply(self._socket)
            self._socket.connect(address)
        except (zmq.ZMQError, TypeError, ValueError) as error:
            self._context.destroy(linger=0)
            raise MecgymError(
                "invalidAddress", path="address", expected="a ZeroMQ address such as tcp://127.0.0.1:5555", got=address
            ) from error

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent: it is open, in the process that made it, and its own server runs."""
        if self._is_closed or os.getpid() != self._owner_pid:
            return False
        return self._server is None or self._server.is_alive()

    def sessions(self) -> set[str]:
        """Give the ids of the sessions that use this connection."""
        return {link.session for link in list(self._links) if link.connection is self and not link.is_closed}

    def note_session(self, link: Leaseholder) -> None:
        """Take note of a session that uses this connection."""
        self._links.add(link)

    @property
    def is_owned(self) -> bool:
        """Whether the server is this process's own."""
        return self._server is not None

    def request(
        self, op: str, fields: Mapping[str, Any] | None = None, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Carry out an operation that belongs to no session and has no bodies, and give its result.

        Raises
        ------
        MecgymError
            The server refused the request.
        DeadlineExceeded
            There was no answer in time.
        """
        return self.exchange(op, fields, timeout_seconds=timeout_seconds)[0]

    def exchange(
        self,
        op: str,
        fields: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> tuple[dict[str, Any], Body | None]:
        """Carry out an operation that belongs to no session, and give its result and the reply's body.

        Raises
        ------
        MecgymError
            The server refused the request.
        DeadlineExceeded
            There was no answer in time.
        """
        request_id = secrets.token_hex(16)
        header: dict[str, Any] = {"v": PROTOCOL_VERSION, "op": op, "requestId": request_id, **(fields or {})}
        pending = self.send(op, (request_id,), header, body)
        try:
            return self.receive(pending, time.monotonic() + timeout_seconds, timeout_seconds)
        finally:
            self.forget(pending)

    def send(
        self,
        op: str,
        key: Hashable,
        header: dict[str, Any] | bytes,
        body: bytes | None = None,
        stream: Hashable = None,
    ) -> Pending:
        """Send a request, its header as fields or encoded, and do not wait for its answer; `receive` does."""
        head = header if isinstance(header, bytes) else encode_header(header)
        frames = [head] if body is None else [head, body]
        pending = Pending(op, key, frames, stream)
        with self._lock:
            self._check_open()
            pending.resend_after = self._timer.first()
            while self._last_words:
                self._transmit(Pending("", None, [self._last_words.popleft()]))
            self._waiting[key] = pending
            self._transmit(pending)
        return pending

    def receive(self, pending: Pending, deadline: float, timeout_seconds: float) -> tuple[dict[str, Any], Body | None]:
        """Wait for the answer to a request, and give its result and body.

        Parameters
        ----------
        pending : Pending
            The request. Where this raises DeadlineExceeded it can be waited for again, until `forget`.
        deadline : float
            When to give up, as `time.monotonic` has it.
        timeout_seconds : float
            How long that is in all, in seconds, for the error message.

        Raises
        ------
        MecgymError
            The server refused the request.
        SessionLost
            The server has ended, or no longer knows the session.
        DeadlineExceeded
            There was no answer in time.
        """
        while pending.reply is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._lock.acquire(timeout=remaining):
                raise self._too_late(pending, timeout_seconds)
            try:
                if pending.reply is None:  # else another thread has taken it in
                    self._check_open()
                    self._wait_once(pending, min(remaining, SLICE_SECONDS))
            finally:
                self._lock.release()
        error = pending.reply.error
        if error is not None:
            raise error
        assert pending.reply.result is not None
        return pending.reply.result, pending.body

    def send_last(self, header: dict[str, Any]) -> None:
        """Leave a request to be sent with the next one; its answer is dropped. For finalisers: it takes no lock."""
        if self.is_usable:
            self._last_words.append(encode_header(header))

    def forget(self, pending: Pending) -> None:
        """Take no answer to a request any more."""
        self._waiting.pop(pending.key, None)

    def close(self) -> None:
        """Close the socket; does nothing the second time, or in a forked child."""
        if self._is_closed or os.getpid() != self._owner_pid:
            return
        self.is_over.set()
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            self._context.destroy(linger=0)

    def check_usable(self) -> None:
        """Refuse a connection that cannot be used any more.

        Raises
        ------
        SessionLost
            It is closed, belongs to the parent process, or its own server has ended.
        """
        self._check_open()
        if self._server is not None and not self._server.is_alive():
            raise self._server_ended()

    def check_process(self) -> None:
        """Refuse to be used in a forked child.

        Raises
        ------
        SessionLost
            ``forked``.
        """
        if os.getpid() != self._owner_pid:
            raise SessionLost(
                "forked", "this environment belongs to the parent process; make a new one after the fork", path="env"
            )

    def _check_open(self) -> None:
        self.check_process()
        if self._is_closed:
            if self._server is not None and not self._server.is_alive():
                raise self._server_ended()
            raise SessionLost("connectionClosed", f"the connection to {self.address} is closed")

    def _wait_once(self, pending: Pending, seconds: float) -> None:
        """Take in one message, or do what is due where none comes: send again, look after the server."""
        timeout_ms = max(1, round(seconds * 1000))
        try:
            if timeout_ms != self._receive_timeout_ms:
                self._socket.setsockopt(zmq.RCVTIMEO, timeout_ms)
                self._receive_timeout_ms = timeout_ms
            frames = self._read_message()
        except zmq.Again:
            if self._server is not None and not self._server.is_alive():
                raise self._server_ended() from None
            if time.monotonic() - pending.last_sent >= pending.resend_after:
                self._transmit(pending)
            return
        except zmq.ZMQError as error:
            raise ServerError("transport", f"the connection to {self.address} failed: {error}") from error
        self._take_in(pending, frames)

    def _read_message(self) -> list[Any]:
        frame = self._socket.recv(0, False)
        frames: list[Any] = [frame.bytes]
        while frame.more:
            frame = self._socket.recv(0, False)
            # the message's memory lives as long as the view does
            frames.append(memoryview(frame.buffer).toreadonly() if self.maps_bodies else frame.bytes)
        return frames

    def _take_in(self, pending: Pending, frames: list[Any]) -> None:
        """Match a message to its request; what answers none (a duplicate, say) is dropped."""
        try:
            if len(frames) > 2:
                raise ServerError("malformedReply", path="message", expected="at most 2 parts", got=len(frames))
            reply = self._replies.decode(frames[0])
        except ServerError:
            self.num_dropped += 1
            return
        if reply.key is None:
            # the server could not read a request's header, so it cannot say whose it was: it came spoilt, and is sent
            # again, unless the server will never take it
            self.num_dropped += 1
            if reply.error is None:
                return
            pending.num_unread += 1
            if pending.num_unread <= MAX_UNREAD:
                self._transmit(pending)
                return
            reply = ReplyHeader(pending.key, pending.op, None, reply.error)
        match = self._waiting.get(reply.key)
        if match is None or reply.op != match.op:
            self.num_dropped += 1
            return
        del self._waiting[reply.key]
        match.body = frames[1] if len(frames) == 2 else None
        match.reply = reply
        if match.num_sent == 1:  # of a request sent twice nobody knows which one this answers
            self._timer.measure(time.monotonic() - match.last_sent)
            if self._waiting:
                self._send_overtaken_again(match)

    def _send_overtaken_again(self, answered: Pending) -> None:
        """Send requests again that this reply and others before it have overtaken: they were lost, or their replies."""
        for waiting in list(self._waiting.values()):
            if waiting.stream != answered.stream or waiting.stream is None or waiting.last_sent >= answered.last_sent:
                continue
            waiting.num_overtaken += 1
            if waiting.num_overtaken >= MAX_OVERTAKEN:
                self._transmit(waiting)

    def _transmit(self, pending: Pending) -> None:
        if pending.num_sent > 0:
            pending.resend_after = self._timer.next(pending.resend_after)
            pending.num_overtaken = 0
            self.num_resent += 1
        try:
            for frame in pending.frames[:-1]:
                self._socket.send(frame, SEND_MORE)
            self._socket.send(pending.frames[-1])
        except zmq.Again:
            pass  # the way is full, as the server does not read; once more later
        except zmq.ZMQError as error:
            raise ServerError("transport", f"the connection to {self.address} failed: {error}") from error
        pending.num_sent += 1
        pending.last_sent = time.monotonic()

    def _server_ended(self) -> SessionLost:
        assert self._server is not None
        return SessionLost(
            "serverEnded",
            f"the server (process {self._server.pid}) is gone: {self._server.describe_end()}. Its environments are "
            f"lost; make new ones, which start a new server{self._describe_log()}",
        )

    def _too_late(self, pending: Pending, timeout_seconds: float) -> DeadlineExceeded:
        times = "once" if pending.num_sent == 1 else f"{pending.num_sent} times"
        message = (
            f"the server at {self.address} did not answer `{pending.op}` within {timeout_seconds:g} s (sent {times}"
            f"{f', {self.num_dropped} other replies dropped' if self.num_dropped else ''}){self._describe_log()}"
        )
        if self.address.startswith("tcp:"):
            message += ". Such a server answers only clients whose keys it knows, and that know its own"
        return DeadlineExceeded(
            "deadlineExceeded", message, path=pending.op, expected=f"a reply within {timeout_seconds:g} s"
        )

    def _describe_log(self) -> str:
        log = self._server.log_tail() if self._server is not None else ""
        return f"\nThe server's log ends with:\n{log}" if log else ""
