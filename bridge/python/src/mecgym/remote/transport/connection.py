"""A connection: one socket to a server, with deadlines; late answers are asked for again, each request runs once."""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import zmq

from ...errors import DeadlineExceeded, MecgymError, ServerError, SessionLost
from ..protocol.headers import PROTOCOL_VERSION, ReplyHeader, decode_reply, encode_header
from ..protocol.layout import Body
from .context import check_process, destroy_context, process_context
from .pending import Pending, Traffic
from .resend import ResendTimer

if TYPE_CHECKING:
    from .keys import ClientKeys
    from .server import LocalServer

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "Connection", "close_all"]

DEFAULT_TIMEOUT_SECONDS = 60.0
#: Longest single wait, so that a dead server is noticed soon.
SLICE_SECONDS = 0.05
#: How long a socket that is closed may still deliver its last message, in milliseconds.
LINGER_MS = 300
#: How often a request that the server could not read is sent again before the refusal counts as its answer.
MAX_UNREAD = 3
#: A request counts as lost, and is sent again at once, when this many later ones of its session were answered first.
MAX_OVERTAKEN = 1

#: As a number, because combining the enumeration's member takes longer than sending.
SEND_MORE = int(zmq.SNDMORE)


class Connection:
    """One DEALER socket. Each session has its own, so a thread that waits in one session never delays another.

    Threads may share a connection, as the groups of a session do; they take turns in slices of a wait.

    Parameters
    ----------
    address : str
        ZeroMQ address of the server.
    server : LocalServer, optional
        The server, if this process owns it: its end is noticed at once, and error messages quote its log.
    keys : ClientKeys, optional
        Keys for a server that accepts only known clients.
    timer : ResendTimer, optional
        Round-trip times, shared with other connections to the same server.
    traffic : Traffic, optional
        Counts, shared in the same way.

    Raises
    ------
    MecgymError
        ``invalidAddress``.
    ServerError
        ``transport`` if the process has no room for another socket.
    """

    def __init__(
        self,
        address: str,
        server: LocalServer | None = None,
        keys: ClientKeys | None = None,
        *,
        timer: ResendTimer | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self.address = address
        self._server = server
        self._owner_pid = os.getpid()
        self._lock = threading.RLock()
        self._waiting: dict[Hashable, Pending] = {}
        self._is_closed = False
        self._receive_timeout_ms = -1
        self._timer = ResendTimer() if timer is None else timer
        self.traffic = Traffic() if traffic is None else traffic
        #: Whether a request was given up, so that its answer may still arrive.
        self.has_given_up = False
        #: Whether bodies stay in the memory they came in; this pays off from about 32 KiB on.
        self.maps_bodies = False
        #: Requests that one group of a session may have in flight; the server says how many.
        self.max_in_flight = 1
        try:
            self._socket: zmq.Socket[bytes] = process_context().socket(zmq.DEALER)
        except zmq.ZMQError as error:
            raise ServerError(
                "transport",
                f"no room for another socket: {error}. Each open session has one; close some, or raise this process's "
                "limit of open files",
            ) from error
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.SNDTIMEO, 0)
            self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
            if keys is not None:
                keys.apply(self._socket)
            self._socket.connect(address)
        except (zmq.ZMQError, TypeError, ValueError) as error:
            self._socket.close(linger=0)
            raise MecgymError(
                "invalidAddress", path="address", expected="a ZeroMQ address such as tcp://127.0.0.1:5555", got=address
            ) from error
        _connections.add(self)

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent: it is open, in the process that made it, and its own server runs."""
        if self._is_closed or os.getpid() != self._owner_pid:
            return False
        return self._server is None or self._server.is_alive()

    @property
    def is_idle(self) -> bool:
        """Whether it can serve another session: it is usable, and no answer is still expected."""
        return self.is_usable and not self._waiting and not self.has_given_up

    def request(
        self, op: str, fields: Mapping[str, Any] | None = None, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Carry out an operation that belongs to no session and has no bodies, and return its result.

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
        """Carry out an operation that belongs to no session, and return its result and the reply's body.

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
        """Send a request, its header as fields or encoded, without waiting for its answer; `receive` waits."""
        head = header if isinstance(header, bytes) else encode_header(header)
        frames = [head] if body is None else [head, body]
        pending = Pending(op, key, frames, stream)
        with self._lock:
            self._check_open()
            pending.resend_after = self._timer.first()
            self._waiting[key] = pending
            self._transmit(pending)
        return pending

    def receive(self, pending: Pending, deadline: float, timeout_seconds: float) -> tuple[dict[str, Any], Body | None]:
        """Wait for the answer to a request, and return its result and body.

        Parameters
        ----------
        pending : Pending
            The request. After DeadlineExceeded it can be waited for again, until `forget`.
        deadline : float
            When to give up, as `time.monotonic` counts.
        timeout_seconds : float
            The whole waiting time, in seconds, for the error message.

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
                if pending.reply is None:  # otherwise another thread has received it
                    self._check_open()
                    self._wait_once(pending, min(remaining, SLICE_SECONDS))
            finally:
                self._lock.release()
        error = pending.reply.error
        if error is not None:
            raise error
        assert pending.reply.result is not None
        return pending.reply.result, pending.body

    def forget(self, pending: Pending) -> None:
        """Stop waiting for the answer to a request."""
        if pending.reply is None:
            self.has_given_up = True
        self._waiting.pop(pending.key, None)

    def close(self) -> None:
        """Close the socket; does nothing the second time, or in a forked child."""
        if self._is_closed or os.getpid() != self._owner_pid:
            return
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            self._socket.close(linger=0)

    def close_with(self, header: dict[str, Any] | None = None) -> None:
        """Send one last request, do not wait for its answer, and close the socket.

        Finalisers call this, so it takes no lock: nobody else uses the socket by then.
        """
        if self._is_closed or os.getpid() != self._owner_pid:
            return
        self._is_closed = True
        try:
            if header is not None:
                self._socket.send(encode_header(header))
        except zmq.ZMQError:
            pass  # the server does not read, or is gone; its lease or its end takes the session
        finally:
            self._socket.close(linger=LINGER_MS)

    def check_usable(self) -> None:
        """Refuse a connection that can no longer be used.

        Raises
        ------
        SessionLost
            It is closed, belongs to the parent process, or its own server has ended.
        """
        self._check_open()
        if self._server is not None and not self._server.is_alive():
            raise self._server_ended()

    def check_process(self) -> None:
        """Refuse to be used in a forked child; see `check_process`."""
        check_process(self._owner_pid)

    def _check_open(self) -> None:
        check_process(self._owner_pid)
        if self._is_closed:
            if self._server is not None and not self._server.is_alive():
                raise self._server_ended()
            raise SessionLost("connectionClosed", f"the connection to {self.address} is closed")

    def _wait_once(self, pending: Pending, seconds: float) -> None:
        """Take in one message; if none comes, send again if it is time, and check that the server still runs."""
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
            # the message's memory lives as long as the view
            frames.append(memoryview(frame.buffer).toreadonly() if self.maps_bodies else frame.bytes)
        return frames

    def _take_in(self, pending: Pending, frames: list[Any]) -> None:
        """Match a message to its request; a message that answers no request, such as a duplicate, is dropped."""
        try:
            if len(frames) > 2:
                raise ServerError("malformedReply", path="message", expected="at most 2 parts", got=len(frames))
            reply = decode_reply(frames[0])
        except ServerError:
            self.traffic.num_dropped += 1
            return
        if reply.key is None:
            # the server could not read a request's header, so it cannot say which one: it arrived damaged, and is sent
            # again, unless the server will never accept it
            self.traffic.num_dropped += 1
            if reply.error is None:
                return
            pending.num_unread += 1
            if pending.num_unread <= MAX_UNREAD:
                self._transmit(pending)
                return
            reply = ReplyHeader(pending.key, pending.op, None, reply.error)
        match = self._waiting.get(reply.key)
        if match is None or reply.op != match.op:
            self.traffic.num_dropped += 1
            return
        del self._waiting[reply.key]
        match.body = frames[1] if len(frames) == 2 else None
        match.reply = reply
        if match.num_sent == 1:  # if a request was sent twice, nobody knows which one this answers
            self._timer.measure(time.monotonic() - match.last_sent)
            if self._waiting:
                self._send_overtaken_again(match)

    def _send_overtaken_again(self, answered: Pending) -> None:
        """Send requests again that this reply has overtaken: they, or their replies, were lost."""
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
            self.traffic.num_resent += 1
        try:
            for frame in pending.frames[:-1]:
                self._socket.send(frame, SEND_MORE)
            self._socket.send(pending.frames[-1])
        except zmq.Again:
            pass  # the queue is full, because the server does not read; it is sent again later
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
        num_dropped = self.traffic.num_dropped
        dropped = f", {num_dropped} other replies dropped" if num_dropped else ""
        message = (
            f"the server at {self.address} did not answer `{pending.op}` within {timeout_seconds:g} s (sent {times}"
            f"{dropped}){self._describe_log()}"
        )
        if self.address.startswith("tcp:"):
            message += ". Such a server answers only clients whose keys it knows, and that know its key"
        return DeadlineExceeded(
            "deadlineExceeded", message, path=pending.op, expected=f"a reply within {timeout_seconds:g} s"
        )

    def _describe_log(self) -> str:
        log = self._server.log_tail() if self._server is not None else ""
        return f"\nThe server's log ends with:\n{log}" if log else ""


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def close_all() -> None:
    """Close every connection of this process."""
    for connection in list(_connections):
        connection.close()
    destroy_context()
