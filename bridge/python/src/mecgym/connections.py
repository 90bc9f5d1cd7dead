"""The connections of this process: one for each server, made on first use, and none across a fork."""

from __future__ import annotations

import atexit
import os
import threading

from .client import DEFAULT_TIMEOUT_SECONDS, Connection
from .command import ADDRESS_VARIABLE
from .errors import malformed
from .server import shared_server

__all__ = ["connect"]


def connect(address: str | None = None, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Connection:
    """Give this process's connection to a server.

    Parameters
    ----------
    address : str, optional
        The server's address; where left out, ``MECGYM_ADDRESS``, or else this process's own server.
    timeout_seconds : float
        How long the server may take to answer, in seconds.

    Raises
    ------
    ServerNotFound
        There is no server to start.
    DeadlineExceeded
        The server did not answer in time.
    MecgymError
        ``versionMismatch``, ``invalidAddress``.
    """
    server = None
    address = address if address is not None else os.environ.get(ADDRESS_VARIABLE) or None
    if address is None:
        server = shared_server()
        address = server.address
    with _lock:
        for stale in [key for key, connection in _connections.items() if not connection.is_usable]:
            _connections.pop(stale).close()
        if address in _connections:
            return _connections[address]
        connection = Connection(address, server)
        try:
            limits = connection.request("hello", timeout_seconds=timeout_seconds).get("limits")
            max_in_flight = limits.get("maxInFlight") if isinstance(limits, dict) else None
            if not isinstance(max_in_flight, int):
                malformed("hello/limits/maxInFlight", "an integer", max_in_flight)
            connection.max_in_flight = max_in_flight
        except BaseException:
            connection.close()
            raise
        _connections[address] = connection
        return connection


_connections: dict[str, Connection] = {}
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
