"""The connections of this process: one for each server, made on first use, and none across a fork."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from typing import Any

from ...errors import SessionLost, malformed
from ..protocol.layout import Body
from .command import ADDRESS_VARIABLE
from .connection import DEFAULT_TIMEOUT_SECONDS, Connection
from .keys import KEYS_VARIABLE, ClientKeys, read_client_keys
from .leases import keep_leases
from .server import shared_server

__all__ = ["call", "connect", "reconnect"]


#: Servers that may be lost in a row before a question is given up.
MAX_ATTEMPTS = 5


def connect(
    address: str | None = None,
    keys: str | os.PathLike[str] | ClientKeys | None = None,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    is_owned: bool = False,
) -> Connection:
    """Give this process's connection to a server.

    Parameters
    ----------
    address : str, optional
        The server's address; where left out, ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path or ClientKeys, optional
        The keys for that address, or the folder they are in; ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
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
        for stale in [one for one, connection in _connections.items() if not connection.is_usable]:
            _connections.pop(stale).close()
        if key in _connections:
            return _connections[key]
        connection = Connection(address, server, keys)
        try:
            limits = connection.request("hello", timeout_seconds=timeout_seconds).get("limits")
            max_in_flight = limits.get("maxInFlight") if isinstance(limits, dict) else None
            if not isinstance(max_in_flight, int):
                malformed("hello/limits/maxInFlight", "an integer", max_in_flight)
            connection.max_in_flight = max_in_flight
            lease_seconds = limits.get("leaseSeconds") if isinstance(limits, dict) else None
            if server is None and isinstance(lease_seconds, (int, float)) and lease_seconds > 0:
                keep_leases(connection, lease_seconds)
        except BaseException:
            connection.close()
            raise
        _connections[key] = connection
        return connection


def reconnect(lost: Connection, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Connection:
    """Give a connection in the place of one that lost its server, or a session on it.

    It has a fresh socket: what was queued for the old server must not reach the next one. A server of this process's
    own is started again. Every session on the old connection finds it closed, and comes here too.

    Raises
    ------
    As of `connect`.
    """
    with _lock:
        key = (lost.address, lost.keys)
        if _connections.get(key) is lost:
            del _connections[key]
    lost.close()
    address, keys = (None, None) if lost.is_owned else key
    return connect(address, keys, timeout_seconds=timeout_seconds, is_owned=lost.is_owned)


def call(
    op: str,
    fields: Mapping[str, Any],
    body: bytes | None = None,
    *,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> tuple[dict[str, Any], Body | None]:
    """Ask a question that leaves nothing behind, again where this process's own server is lost meanwhile.

    Raises
    ------
    MecgymError
        The server refused the request; and as of `connect`.
    """
    connection = connect(address, keys, timeout_seconds=timeout_seconds)
    for _attempt in range(MAX_ATTEMPTS - 1):
        try:
            return connection.exchange(op, fields, body, timeout_seconds=timeout_seconds)
        except SessionLost as loss:  # noqa: PERF203 - it is a round trip that may fail, not a computation
            if not connection.is_owned or loss.code == "forked":
                raise
            connection = reconnect(connection, timeout_seconds=timeout_seconds)
    return connection.exchange(op, fields, body, timeout_seconds=timeout_seconds)


_connections: dict[tuple[str, ClientKeys | None], Connection] = {}
_inherited: list[Connection] = []
_lock = threading.Lock()


def _close_all() -> None:
    for connection in list(_connections.values()):
        connection.close()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _inherited.extend(_connections.values())  # never finalised here: their sockets belong to the parent
    _connections.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
