"""Typed results: what a server returns for an operation, read field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from ...errors import malformed

__all__ = ["Hello", "JobStarted", "JobStatus", "Opened", "Resumed", "Scenarios", "read_result", "refuse_field"]

Result = TypeVar("Result")


class Limits(msgspec.Struct, rename="camel"):
    """What a server allows; a lease of 0 seconds never ends."""

    max_in_flight: int
    lease_seconds: int | float = 0


class Hello(msgspec.Struct):
    """Result of `hello`."""

    limits: Limits


class Layouts(msgspec.Struct, rename="camel"):
    """Layouts of a session's bodies, as `Layout` takes them."""

    reset_request: Any
    step_request: Any
    step_reply: Any


class Opened(msgspec.Struct, rename="camel"):
    """Result of `open`, and of `fork` of a whole session."""

    session: str
    epoch: int
    num_envs: int
    groups: int
    max_servers: int
    max_users: int
    observation_size: int
    history_slots: int
    observation_header: list[str]
    observation_server_fields: list[str]
    episode_stats_fields: list[str]
    scenarios: list[dict[str, Any]]
    layouts: Layouts
    bytes_per_lane: int | float = 0


class Resumed(msgspec.Struct):
    """Result of `resume`."""

    epoch: int


class ScenarioEntry(msgspec.Struct):
    """One scenario of `scenarios`."""

    id: str
    description: str
    hash: str
    scenario: dict[str, Any]


class Scenarios(msgspec.Struct):
    """Result of `scenarios`."""

    scenarios: list[ScenarioEntry]


class JobStarted(msgspec.Struct):
    """Result of an operation that starts a job."""

    job: str


class JobStatus(msgspec.Struct):
    """Result of `job-status`."""

    state: str
    done: int = 0
    total: int = 0
    pages: int = 0
    bytes: int = 0
    sha256: str | None = None
    error: Any = None


def read_result(result: Mapping[str, Any], kind: type[Result], op: str) -> Result:
    """Read an operation's result; unknown fields are ignored.

    Raises
    ------
    ServerError
        ``malformedReply`` at a path such as ``open/maxServers``.
    """
    try:
        return msgspec.convert(result, kind)
    except msgspec.ValidationError as error:
        refuse_field(result, error, op)


#: The two shapes of msgspec's messages, and the place in the data that they name.
WRONG_TYPE = re.compile(r"Expected `(?P<expected>[^`]+)`.*?(?: - at `(?:key` in `)?\$(?P<path>[^`]*)`)?$")
MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`(?: - at `\$(?P<path>[^`]*)`)?$")
#: msgspec's words for types, in the words of this package's errors.
WORDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "a map",
    "array": "a list",
    "null": "nothing",
}


def refuse_field(value: Any, error: msgspec.ValidationError, op: str = "") -> NoReturn:
    """Refuse what msgspec refused: with the field's place, what is there, and what was expected.

    Raises
    ------
    ServerError
        ``malformedReply``.
    """
    missing = MISSING.search(str(error))
    wrong = WRONG_TYPE.search(str(error))
    found = missing or wrong
    keys = re.findall(r"[A-Za-z_]\w*|\d+", (found["path"] if found else None) or "")
    for key in keys:
        value = value[int(key)] if isinstance(value, list) else value.get(key)
    if missing:
        keys, value = [*keys, missing["name"]], None
        expected = "a field of this name"
    else:
        kinds = wrong["expected"].split(" | ") if wrong else []
        expected = " or ".join(WORDS.get(kind, kind) for kind in kinds) or str(error)
    malformed("/".join([op, *keys] if op else keys) or "header", expected, value)
