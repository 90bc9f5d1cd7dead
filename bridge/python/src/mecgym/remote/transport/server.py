"""A process's own server: started on first use, and never left behind."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

import zmq

from ...errors import ServerError, ServerNotFound
from .command import find_server_command
from .keys import ClientKeys

__all__ = ["LocalServer", "ServerKilled", "shared_server"]

#: Long enough for a checkout's first start, which may install and build.
START_TIMEOUT_SECONDS = 300.0
LOG_LINES = 40
#: Servers that may be killed while they start before that is an error.
MAX_KILLED_STARTS = 3
#: How long a server may take to end by itself, after its standard input closes and after SIGTERM.
CLOSE_SECONDS = 2.0
#: Longest wait for the log of a server that has ended, in seconds.
LOG_SECONDS = 1.0


class ServerKilled(ServerError):
    """A server was killed by a signal while it started, which says nothing about the next start."""


class LocalServer:
    """A server process that ends when this process does.

    The server ends when its standard input closes. This process holds the other end of that pipe, so the server ends
    however this process dies. Forked children close their copies.

    Parameters
    ----------
    command : sequence of str, optional
        What to run; by default what `find_server_command` finds.
    start_timeout_seconds : float
        How long the server may take until it is ready, in seconds.

    Attributes
    ----------
    address : str
        ZeroMQ address of the server.
    keys : ClientKeys or None
        Keys for that address, if the file system cannot keep others away from it. They are made here, for this server
        only.

    Raises
    ------
    ServerNotFound
        There is no such command.
    ServerError
        ``serverNotReady``: it ended, took too long, or printed something other than its ready line.
    """

    def __init__(
        self, command: Sequence[str] | None = None, *, start_timeout_seconds: float = START_TIMEOUT_SECONDS
    ) -> None:
        self._command = list(find_server_command() if command is None else command)
        self._owner_pid = os.getpid()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._first_line: str | None = None
        self._has_first_line = threading.Event()
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C in the terminal is for this process only, which may need the server to finish its work
                start_new_session=True,
            )
        except OSError as error:
            raise ServerNotFound(
                "serverNotFound", path="command", expected="a command that can be run", got=f"{self._command}: {error}"
            ) from error
        _servers.add(self)
        self._threads = [
            threading.Thread(target=self._read_output, name="mecgym-server-output", daemon=True),
            threading.Thread(target=self._read_log, name="mecgym-server-log", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        public_key, secret_key = zmq.curve_keypair()
        try:
            self._introduce(public_key)
            ready = self._wait_until_ready(start_timeout_seconds)
        except BaseException:
            self.close()
            raise
        self.address: str = ready["address"]
        server_key = ready.get("serverKey")
        self.keys = ClientKeys(server_key.encode(), public_key, secret_key) if isinstance(server_key, str) else None

    def _introduce(self, public_key: bytes) -> None:
        """Tell the server which client to accept, in case its address is open to others."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended; the missing ready line will say more
            self._process.stdin.write(json.dumps({"publicKey": public_key.decode()}).encode() + b"\n")

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the server runs and this process owns it."""
        return os.getpid() == self._owner_pid and self._process.poll() is None

    def describe_end(self) -> str:
        """Say how the server ended, for an error message."""
        code = self._process.poll()
        if code is None:
            return "it still runs"
        if code < 0:
            names = {int(member): member.name for member in signal.Signals}
            return f"it was killed by {names.get(-code, f'signal {-code}')}"
        return f"it ended with exit code {code}"

    def log_tail(self) -> str:
        """Return the last lines of the server's log, or an empty text."""
        if os.getpid() == self._owner_pid and self._process.poll() is not None:
            # its last lines may still be in the pipe
            for thread in self._threads:
                thread.join(LOG_SECONDS)
        return "\n".join(self._log)

    def close(self) -> None:
        """End the server; does nothing the second time, or in a forked child."""
        _servers.discard(self)
        if os.getpid() != self._owner_pid:
            return
        process = self._process
        _close(process.stdin)
        for last_resort in (process.terminate, process.kill, None):
            try:
                process.wait(CLOSE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if last_resort is not None:
                    last_resort()
        # the pipes close with the server, unless its own children still hold them
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)
        if not any(thread.is_alive() for thread in self._threads):
            _close(process.stdout)
            _close(process.stderr)

    def _wait_until_ready(self, timeout_seconds: float) -> dict[str, Any]:
        is_in_time = self._has_first_line.wait(timeout_seconds)
        if not is_in_time:
            raise self._not_ready(f"a ready line within {timeout_seconds:g} s", "none")
        line = self._first_line
        if line is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_SECONDS)
            raise self._not_ready("a ready line", f"the end of its output; {self.describe_end()}")
        try:
            ready = json.loads(line)
        except ValueError:
            ready = None
        if not isinstance(ready, dict) or not isinstance(ready.get("address"), str):
            raise self._not_ready("a ready line with an address", line[:200])
        return ready

    def _not_ready(self, expected: str, got: str) -> ServerError:
        log = self.log_tail()
        message = f"the server `{' '.join(self._command)}` did not start: expected {expected}, got {got}"
        if log:
            message += f"\nThe server's log ends with:\n{log}"
        is_killed = (self._process.poll() or 0) < 0
        kind = ServerKilled if is_killed else ServerError
        return kind("serverNotReady", message, path="command", expected=expected, got=got)

    def _read_output(self) -> None:
        """Keep the first line of standard output and drop the rest, so that the server never blocks."""
        buffer = b""
        for chunk in _chunks(self._process.stdout):
            if not self._has_first_line.is_set():
                buffer += chunk
                if b"\n" in buffer or len(buffer) > 65536:
                    self._first_line = buffer.split(b"\n")[0].decode("utf-8", "replace")
                    self._has_first_line.set()
        self._has_first_line.set()

    def _read_log(self) -> None:
        rest = b""
        for chunk in _chunks(self._process.stderr):
            *lines, rest = (rest + chunk).split(b"\n")
            self._log.extend(line.decode("utf-8", "replace")[:500] for line in lines if line.strip())
            rest = rest[-4096:]
        if rest.strip():
            self._log.append(rest.decode("utf-8", "replace")[:500])

    def _leave_to_parent(self) -> None:
        """Release the parent's server in a forked child."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close(pipe)
        self._process.returncode = 0  # otherwise its finaliser would wait for a process that is not this one's child


def shared_server() -> LocalServer:
    """Return this process's one server; start it if there is none, or the last one has ended.

    Raises
    ------
    ServerNotFound
        There is no server to start.
    ServerError
        ``serverNotReady``: it ended while it started, or took too long. One that is killed is started again at first.
    """
    global _shared
    with _lock:
        if _shared is None or not _shared.is_alive():
            if _shared is not None:
                _shared.close()
            _shared = None
            for _attempt in range(MAX_KILLED_STARTS):
                with contextlib.suppress(ServerKilled):
                    _shared = LocalServer()
                    return _shared
            _shared = LocalServer()
        return _shared


_servers: set[LocalServer] = set()
_shared: LocalServer | None = None
_lock = threading.Lock()


def _close_all() -> None:
    for server in list(_servers):
        server.close()


def _after_fork_in_child() -> None:
    global _lock, _shared
    _lock = threading.Lock()
    _shared = None
    for server in list(_servers):
        server._leave_to_parent()
    _servers.clear()


def _chunks(pipe: IO[bytes] | None) -> Any:
    """Yield what comes through a pipe until it ends."""
    assert pipe is not None
    while True:
        try:
            chunk = os.read(pipe.fileno(), 65536)
        except (OSError, ValueError):
            return
        if not chunk:
            return
        yield chunk


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
