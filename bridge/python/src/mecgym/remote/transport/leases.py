"""Leases: a thread tells a server that is not this process's own that its sessions are still wanted."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from ...errors import MecgymError

__all__ = ["Lease", "keep_leases"]

#: Share of a lease after which it is renewed.
RENEWED_SHARE = 1 / 3
#: Longest silence, in seconds: devices between two machines forget connections that say nothing.
MAX_SILENCE_SECONDS = 300.0
#: Sessions named in one request; a header has room for more.
SESSIONS_PER_PING = 500


class Lease:
    """A session's right to be kept by the server; it is renewed for as long as this object lives.

    Parameters
    ----------
    session : str
        Id of the session.
    """

    def __init__(self, session: str) -> None:
        self.session = session


class Lessor(Protocol):
    """A server that gives up sessions it does not hear from."""

    is_over: threading.Event

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent."""

    def sessions(self) -> set[str]:
        """Return the ids of the sessions that are still wanted."""

    def request(self, op: str, fields: Mapping[str, Any] | None = None, *, timeout_seconds: float) -> dict[str, Any]:
        """Carry out an operation that belongs to no session."""


def keep_leases(lessor: Lessor, lease_seconds: float) -> threading.Thread:
    """Start a thread that renews all leases, until the lessor is over or forgotten.

    Parameters
    ----------
    lessor : Lessor
        The server.
    lease_seconds : float
        How long it keeps a session that it does not hear from, in seconds.
    """
    seconds = min(lease_seconds * RENEWED_SHARE, MAX_SILENCE_SECONDS)
    arguments = (weakref.ref(lessor), lessor.is_over, seconds)
    thread = threading.Thread(target=_renew, args=arguments, name="mecgym-leases", daemon=True)
    thread.start()
    return thread


def _renew(reference: weakref.ref[Lessor], is_over: threading.Event, seconds: float) -> None:
    while not is_over.wait(seconds):
        lessor = reference()
        if lessor is None or not lessor.is_usable:
            return
        sessions = sorted(lessor.sessions())
        for start in range(0, len(sessions), SESSIONS_PER_PING):
            # a session that is lost learns that from its own next request
            with contextlib.suppress(MecgymError):
                page = sessions[start : start + SESSIONS_PER_PING]
                lessor.request("ping", {"sessions": page}, timeout_seconds=seconds)
        del lessor
