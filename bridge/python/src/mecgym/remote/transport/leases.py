"""Keeps the sessions of a server that is someone else's alive while this process does something else for long."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from ...errors import MecgymError

__all__ = ["keep_leases"]

#: A lease is renewed when so much of it is over.
RENEWED_SHARE = 1 / 3
#: Longest silence, in seconds: what stands between two machines forgets connections that say nothing.
MAX_SILENCE_SECONDS = 300.0
#: Sessions named in one request; a header has room for more.
SESSIONS_PER_PING = 500


class Leased(Protocol):
    """A way to a server on which sessions have leases."""

    is_over: threading.Event

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent."""

    def sessions(self) -> set[str]:
        """Return the ids of the sessions whose leases are renewed."""

    def request(self, op: str, fields: Mapping[str, Any] | None = None, *, timeout_seconds: float) -> dict[str, Any]:
        """Carry out an operation that belongs to no session."""


def keep_leases(connection: Leased, lease_seconds: float) -> threading.Thread:
    """Start a thread that renews the leases of all sessions of a connection, until that is closed or forgotten.

    Parameters
    ----------
    connection : Leased
        The way to a server that gives up sessions it does not hear of.
    lease_seconds : float
        How long it waits before it does, in seconds.
    """
    seconds = min(lease_seconds * RENEWED_SHARE, MAX_SILENCE_SECONDS)
    arguments = (weakref.ref(connection), connection.is_over, seconds)
    thread = threading.Thread(target=_renew, args=arguments, name="mecgym-leases", daemon=True)
    thread.start()
    return thread


def _renew(reference: weakref.ref[Leased], is_over: threading.Event, seconds: float) -> None:
    while not is_over.wait(seconds):
        connection = reference()
        if connection is None or not connection.is_usable:
            return
        sessions = sorted(connection.sessions())
        for start in range(0, len(sessions), SESSIONS_PER_PING):
            # whoever uses a session next is told what became of it
            with contextlib.suppress(MecgymError):
                page = sessions[start : start + SESSIONS_PER_PING]
                connection.request("ping", {"sessions": page}, timeout_seconds=seconds)
        del connection
