"""The ZeroMQ context of this process, and the rule that a forked child uses nothing of its parent's."""

from __future__ import annotations

import os
import threading

import zmq

from ...errors import SessionLost

__all__ = ["check_process", "destroy_context", "process_context"]

#: Sockets of one process. ZeroMQ's own limit is 1,023, and a server may allow more sessions than that.
MAX_SOCKETS = 65_535

#: This process's one ZeroMQ context, and those of the processes it was forked from.
_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}
_context_lock = threading.Lock()


def process_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return this process's context; a forked child gets its own, and never finalises its parent's."""
    with _context_lock:
        context = _contexts.get(os.getpid())
        if context is None:
            context = _contexts[os.getpid()] = zmq.Context()
            context.set(zmq.MAX_SOCKETS, min(MAX_SOCKETS, context.get(zmq.SOCKET_LIMIT)))
        return context


def destroy_context() -> None:
    """End this process's context and its sockets; its parent's stays."""
    context = _contexts.get(os.getpid())
    if context is not None:
        context.destroy(linger=0)


def check_process(owner_pid: int) -> None:
    """Refuse what a parent process has made in its forked child.

    Raises
    ------
    SessionLost
        ``forked``.
    """
    if os.getpid() != owner_pid:
        raise SessionLost(
            "forked", "this environment belongs to the parent process; make a new one after the fork", path="env"
        )


def _after_fork_in_child() -> None:
    global _context_lock
    _context_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
