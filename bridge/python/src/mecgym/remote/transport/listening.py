"""Whether anybody listens at an address: asked of the operating system, because ZeroMQ waits for a server for ever."""

from __future__ import annotations

import os
import socket

__all__ = ["why_nobody_listens"]

#: Longest wait for a machine that says neither yes nor no, in seconds; then ZeroMQ may try.
MAX_SECONDS = 3.0


def why_nobody_listens(address: str, timeout_seconds: float = MAX_SECONDS) -> str | None:
    """Return why nobody can answer at an address; None if somebody listens there, or nobody knows.

    Parameters
    ----------
    address : str
        A ZeroMQ address, ``ipc://`` or ``tcp://``.
    timeout_seconds : float
        How long it may take, in seconds.
    """
    seconds = min(timeout_seconds, MAX_SECONDS)
    try:
        if address.startswith("ipc:///"):
            _connect_to_path(address.removeprefix("ipc://"), seconds)
        elif address.startswith("tcp://"):
            _connect_to_port(address.removeprefix("tcp://"), seconds)
    except (TimeoutError, ValueError):
        return None  # a slow machine, or an address that only ZeroMQ understands
    except socket.gaierror as error:
        return f"the host name is not known ({error.strerror})"
    except ConnectionRefusedError:
        return "nobody listens there"
    except FileNotFoundError:
        return "there is no such socket"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return None


def _connect_to_path(path: str, seconds: float) -> None:
    if not hasattr(socket, "AF_UNIX"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect(path)
        except BlockingIOError:
            return  # somebody listens, and is busy


def _connect_to_port(place: str, seconds: float) -> None:
    # ZeroMQ also takes the interface to connect from, before a semicolon
    host, _colon, port = place.rpartition(";")[2].rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), seconds).close()
