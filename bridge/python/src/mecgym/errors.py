"""The errors of mecgym: a code to branch on, where it happened, what was expected and what came."""

from __future__ import annotations

import math
from typing import Any, NoReturn

__all__ = ["DeadlineExceeded", "MecgymError", "ServerError", "ServerNotFound", "SessionLost"]


class MecgymError(Exception):
    """Bad input, or a server that cannot do what was asked; the base of every error this package raises.

    Parameters
    ----------
    code : str
        Short name to branch on, such as ``"invalidAction"``; the server's own codes are listed in the protocol.
    message : str, optional
        The whole sentence; built from the other parts where left out.
    path : str, optional
        Where it happened: a JSON path such as ``"/numServers"``, or the name of an argument.
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
        # gymnasium.vector.AsyncVectorEnv raises a worker's error anew as `type(error)(error)`
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
        """Pickle by the five parts, so that the error survives the way out of a worker process."""
        return _rebuild, (type(self), self.code, self.message, self.path, self.expected, self.got)


class ServerError(MecgymError):
    """The server could not be started, has ended, or answered something that is not in the protocol."""


class ServerNotFound(ServerError):
    """There is no server to start: no command was configured, no checkout is near, or Node is missing."""


class SessionLost(ServerError):
    """The server no longer has the environments: it ended, was restarted, or the session was closed elsewhere."""


class DeadlineExceeded(ServerError):
    """The server did not answer in time.

    Whether it carried the request out is not known, so an environment asks for a reset before its next step.
    """


def malformed(path: str, expected: str, got: Any) -> NoReturn:
    """Refuse something a server sent.

    Raises
    ------
    ServerError
        ``malformedReply``.
    """
    raise ServerError("malformedReply", path=path, expected=expected, got=got)


def _rebuild(
    kind: type[MecgymError], code: str, message: str, path: str | None, expected: Any, got: Any
) -> MecgymError:
    return kind(code, message, path=path, expected=expected, got=got)


def _describe(value: Any) -> str:
    """Give a value as one short piece of text; what was expected is already in words."""
    if value is None:
        return "nothing"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = value if isinstance(value, str) else repr(value)
    return f"{text[:157]}…" if len(text) > 160 else text
