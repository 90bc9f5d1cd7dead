"""Opens sessions: what single and vector environments take alike, checked and sent to the server."""

from __future__ import annotations

import os
from typing import Any

from ...checks import check_count, check_seed, check_timeout, random_seed
from ...data.scenarios import ScenarioInput, read_scenario
from ..transport.endpoints import connect
from .recovery import Recovery, resolve_recovery
from .session import Session

__all__ = ["open_session"]


def open_session(
    fields: dict[str, Any],
    scenario: ScenarioInput,
    history: bool,
    max_servers: int | None,
    split: str,
    seed: int | None,
    address: str | None,
    keys: str | os.PathLike[str] | None,
    timeout_seconds: float,
    recovery: Recovery | bool | None = None,
) -> Session:
    """Open a session with the arguments that single and vector environments share, which are checked here first.

    With `recovery` left out, the loss of this process's own server is survived, and that of another one is not.
    """
    fields = {
        **fields,
        "scenarios": [read_scenario(scenario)],
        "history": bool(history),
        "split": split,
        "seed": random_seed() if seed is None else check_seed(seed),
    }
    if max_servers is not None:
        fields["maxServers"] = check_count(max_servers, "max_servers")
    timeout_seconds = check_timeout(timeout_seconds)
    connection = connect(address, keys, timeout_seconds=timeout_seconds)
    how = resolve_recovery(recovery, is_owned=connection.is_owned)
    return Session(connection, fields, timeout_seconds=timeout_seconds, recovery=how)
