"""Errors: each has a code to branch on, a place, what was expected and what came."""

from __future__ import annotations

import math
from typing import Any, NoReturn

__all__ = [
    "DeadlineExceeded",
    "MecgymError",
    "ServerError",
    "ServerNotFound",
    "SessionLost",
    "closed",
    "in_use",
    "needs_reset",
]


class MecgymError(Exception):
    """Bad input, or a server that cannot do what was asked: the base class of all errors of this package.

    Parameters
    ----------
    code : str
        Short name to branch on, such as ``"invalidAction"``; the protocol lists the server's codes.
    message : str, optional
        The whole sentence; by default it is built from the other parts.
    path : str, optional
        The place: a JSON path such as ``"/numServers"``, or the name of an argument.
    expected, got : Any, optional
        What was expected, and what came.
    """

    def __init__(
        self,
        code: str | MecgymError,
        message: str = "",
        *,
        path: str | None = None,
        expected: Any = None,
        got: Any = None,
    ) -> None:
        # gymnasium.vector.AsyncVectorEnv raises a worker's error again as `type(error)(error)`
        if isinstance(code, MecgymError):
            error = code
            code, message = error.code, error.message
            path, expected, got = error.path, error.expected, error.got
        if not message:
            where = f" at {path}" if path else ""
            message = f"{code}{where}: expected {_describe(expected)}, got {_describe(got)}"
        super().__init__(message)
        self.code: str = code
        self.message: str = message
        self.path: str | None = path
        self.expected: Any = expected
        self.got: Any = got

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the five parts, so that the error can leave a worker process."""
        return _rebuild, (type(self), self.code, self.message, self.path, self.expected, self.got)


class ServerError(MecgymError):
    """The server could not be started, has ended, or sent something that is not in the protocol."""


class ServerNotFound(ServerError):
    """There is no server to start: no command is configured, the package lies in no checkout, or Node is missing."""


class SessionLost(ServerError):
    """The server no longer has the environments: it ended, was restarted, or the session was closed elsewhere."""


class DeadlineExceeded(ServerError):
    """The server did not answer in time.

    Nobody knows whether it carried the request out, so an environment needs a reset before its next step.
    """


def malformed(path: str, expected: str, got: Any) -> NoReturn:
    """Refuse something a server sent.

    Raises
    ------
    ServerError
        ``malformedReply``.
    """
    raise ServerError("malformedReply", path=path, expected=expected, got=got)


def closed(path: str) -> MecgymError:
    """Return the error of a call after `close`, whatever backend plays."""
    return MecgymError("closed", f"`{path}` on an environment that was closed; make a new one", path=path)


def in_use(path: str) -> MecgymError:
    """Return the error of a call that comes while another thread is in one."""
    expected = "one thread at a time; give each its own environment, or hold a lock around every call"
    return MecgymError("inUse", path=path, expected=expected, got="a call while another thread is in one")


def needs_reset(path: str) -> MecgymError:
    """Return the error of a call that needs an episode when none runs."""
    return MecgymError("needsReset", path=path, expected="a reset first", got="no running episode")


def _rebuild(
    kind: type[MecgymError], code: str, message: str, path: str | None, expected: Any, got: Any
) -> MecgymError:
    return kind(code, message, path=path, expected=expected, got=got)


def _describe(value: Any) -> str:
    """Describe a value in a short text; what was expected is already in words."""
    if value is None:
        return "nothing"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = value if isinstance(value, str) else repr(value)
    return f"{text[:157]}…" if len(text) > 160 else text
