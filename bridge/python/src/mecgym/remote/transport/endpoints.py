"""Endpoints: the servers this process knows, one object for each, with sockets that wait to be used."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...errors import SessionLost
from ..protocol.layout import Body
from ..protocol.results import Hello, read_result
from .command import ADDRESS_VARIABLE
from .connection import DEFAULT_TIMEOUT_SECONDS, Connection, close_all
from .context import check_process
from .keys import KEYS_VARIABLE, ClientKeys, read_client_keys
from .leases import Lease, keep_leases
from .pending import Traffic
from .resend import ResendTimer
from .server import LocalServer, shared_server

__all__ = ["MAX_ATTEMPTS", "Endpoint", "call", "connect", "reconnect"]

#: Servers that may be lost in a row before a request that belongs to no session is given up.
MAX_ATTEMPTS = 5
#: Sockets that are kept for the next session or request.
MAX_IDLE = 8


class Endpoint:
    """A server: its address, its limits, the sockets to it, and the sessions whose leases are renewed.

    Parameters
    ----------
    address : str
        ZeroMQ address of the server.
    server : LocalServer, optional
        The server, if this process owns it.
    keys : ClientKeys, optional
        Keys for that address.

    Attributes
    ----------
    max_in_flight : int
        Requests that one group of a session may have in flight.
    traffic : Traffic
        Counts over all connections.
    is_over : Event
        Set when the endpoint is closed, for the thread that renews leases.
    """

    def __init__(self, address: str, server: LocalServer | None = None, keys: ClientKeys | None = None) -> None:
        self.address = address
        self.keys = keys
        self.max_in_flight = 1
        self.traffic = Traffic()
        self.is_over = threading.Event()
        self._server = server
        self._owner_pid = os.getpid()
        self._timer = ResendTimer()
        self._idle: deque[Connection] = deque()
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()

    @property
    def is_owned(self) -> bool:
        """Whether the server is this process's own."""
        return self._server is not None

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent: it is open, in the process that made it, and its own server runs."""
        if self.is_over.is_set() or os.getpid() != self._owner_pid:
            return False
        return self._server is None or self._server.is_alive()

    def take(self) -> Connection:
        """Return a connection that nobody else uses: one that was put back, or a new one.

        Raises
        ------
        SessionLost
            ``forked``: the endpoint belongs to the parent process.
        """
        check_process(self._owner_pid)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_idle:
                break
            connection.close()
        else:
            connection = Connection(self.address, self._server, self.keys, timer=self._timer, traffic=self.traffic)
        connection.maps_bodies = False
        connection.max_in_flight = self.max_in_flight
        return connection

    def put_back(self, connection: Connection) -> None:
        """Keep a connection for whoever takes one next, if no answer is still expected on it; otherwise close it."""
        if connection.is_idle and self.is_usable and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    @contextmanager
    def borrow(self) -> Iterator[Connection]:
        """Take a connection, and put it back at the end."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.put_back(connection)

    def exchange(
        self,
        op: str,
        fields: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> tuple[dict[str, Any], Body | None]:
        """Carry out an operation that belongs to no session; see `Connection.exchange`."""
        with self.borrow() as connection:
            return connection.exchange(op, fields, body, timeout_seconds=timeout_seconds)

    def request(
        self, op: str, fields: Mapping[str, Any] | None = None, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Carry out an operation that belongs to no session and has no bodies; see `Connection.request`."""
        return self.exchange(op, fields, timeout_seconds=timeout_seconds)[0]

    def lease(self, session: str) -> Lease:
        """Return a lease: the session stays on the server for as long as someone holds the lease."""
        lease = Lease(session)
        self._leases.add(lease)
        return lease

    def sessions(self) -> set[str]:
        """Return the ids of the sessions that are still wanted."""
        return {lease.session for lease in list(self._leases)}

    def greet(self, timeout_seconds: float) -> None:
        """Ask the server for its limits, and renew leases from now on if it gives up silent sessions.

        Raises
        ------
        DeadlineExceeded
            The server did not answer in time.
        MecgymError
            ``versionMismatch``, ``invalidAddress``.
        """
        hello = read_result(self.request("hello", timeout_seconds=timeout_seconds), Hello, "hello")
        self.max_in_flight = hello.limits.max_in_flight
        if self._server is None and hello.limits.lease_seconds > 0:
            keep_leases(self, hello.limits.lease_seconds)

    def close(self) -> None:
        """Close the sockets that nobody uses, and renew no leases any more; sessions keep their own sockets."""
        if os.getpid() != self._owner_pid:
            return
        self.is_over.set()
        while self._idle:
            self._idle.pop().close()


def connect(
    address: str | None = None,
    keys: str | os.PathLike[str] | ClientKeys | None = None,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    is_owned: bool = False,
) -> Endpoint:
    """Return this process's endpoint for a server.

    Parameters
    ----------
    address : str, optional
        The server's address; by default ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path or ClientKeys, optional
        The keys for that address, or the folder they are in; by default ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take to answer, in seconds.
    is_owned : bool
        Whether it has to be this process's own server, whatever ``MECGYM_ADDRESS`` says.

    Raises
    ------
    ServerNotFound
        There is no server to start.
    DeadlineExceeded
        The server did not answer in time.
    MecgymError
        ``versionMismatch``, ``invalidAddress``, ``invalidKeys``.
    """
    server = None
    if not is_owned and address is None:
        address = os.environ.get(ADDRESS_VARIABLE) or None
        if keys is None and address is not None:
            keys = os.environ.get(KEYS_VARIABLE) or None
    if address is None:
        server = shared_server()
        address, keys = server.address, server.keys
    if keys is not None and not isinstance(keys, ClientKeys):
        keys = read_client_keys(keys)
    key = (address, keys)
    with _lock:
        for stale in [one for one, endpoint in _endpoints.items() if not endpoint.is_usable]:
            _endpoints.pop(stale).close()
        known = _endpoints.get(key)
    if known is not None:
        return known
    endpoint = Endpoint(address, server, keys)
    try:
        # without the lock, so that a server that does not answer delays nobody who wants another one
        endpoint.greet(timeout_seconds)
    except BaseException:
        endpoint.close()
        raise
    with _lock:
        known = _endpoints.setdefault(key, endpoint)
    if known is not endpoint:  # another thread was faster
        endpoint.close()
    return known


def reconnect(lost: Endpoint, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Endpoint:
    """Return the endpoint that takes the place of one whose server was lost.

    This process's own server is started again. A server at the same address is asked for its limits again. All
    sessions of a lost server come here, and all but the first find what the first one made.

    Raises
    ------
    As in `connect`.
    """
    with _lock:
        key = (lost.address, lost.keys)
        if _endpoints.get(key) is lost:
            del _endpoints[key]
    address, keys = (None, None) if lost.is_owned else key
    return connect(address, keys, timeout_seconds=timeout_seconds, is_owned=lost.is_owned)


def call(
    endpoint: Endpoint,
    op: str,
    fields: Mapping[str, Any],
    body: bytes | None = None,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> tuple[dict[str, Any], Body | None]:
    """Carry out a request that leaves nothing behind; ask again if this process's own server is lost meanwhile.

    Raises
    ------
    MecgymError
        The server refused the request; and as in `connect`.
    """
    for _attempt in range(MAX_ATTEMPTS - 1):
        try:
            return endpoint.exchange(op, fields, body, timeout_seconds=timeout_seconds)
        except SessionLost as loss:  # noqa: PERF203 - it is a round trip that may fail, not a computation
            if not endpoint.is_owned or loss.code == "forked":
                raise
            endpoint = reconnect(endpoint, timeout_seconds=timeout_seconds)
    return endpoint.exchange(op, fields, body, timeout_seconds=timeout_seconds)


_endpoints: dict[tuple[str, ClientKeys | None], Endpoint] = {}
_inherited: list[Endpoint] = []
_lock = threading.Lock()


def _close_all() -> None:
    for endpoint in list(_endpoints.values()):
        endpoint.close()
    close_all()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _inherited.extend(_endpoints.values())  # never finalised here: their sockets belong to the parent
    _endpoints.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
