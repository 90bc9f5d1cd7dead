"""Opens sessions: options are checked, a server is found, and the session is opened on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...checks import check_timeout
from ..transport.endpoints import connect
from .options import SessionOptions
from .recovery import resolve_recovery
from .session import Session

__all__ = ["open_session"]


def open_session(options: SessionOptions, fields: Mapping[str, Any]) -> Session:
    """Open a session on a server.

    Parameters
    ----------
    options : SessionOptions
        What to play, and where.
    fields : dict
        Further fields of the protocol's ``open``, such as ``numEnvs``; they go before those of the options.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``invalidOption``, and as in `connect`.
    """
    fields = {**options.fields(), **fields}
    timeout_seconds = check_timeout(options.timeout_seconds)
    endpoint = connect(options.address, options.keys, timeout_seconds=timeout_seconds)
    recovery = resolve_recovery(options.recovery, is_owned=endpoint.is_owned)
    return Session(endpoint, fields, timeout_seconds=timeout_seconds, recovery=recovery)
