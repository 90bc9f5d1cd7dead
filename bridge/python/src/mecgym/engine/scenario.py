"""Scenarios without a server: by id or by fields, checked, completed and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import rfc8785

from ..data.scenarios import ScenarioInfo
from .nearest import suggestion, value_hint
from .package_data import FROZEN_SCENARIOS, data_folder
from .refusals import refusal
from .schema import complete, find_problem, plain_data

__all__ = ["content_hash", "describe_scenario", "frozen_ids", "max_servers_of", "max_users_of", "resolve_scenario"]

#: Fields that name a scenario and do not change its world.
LABELS = ("id", "description")


@cache
def frozen_ids() -> tuple[str, ...]:
    """Return the ids of the frozen scenarios, in order."""
    return tuple(sorted(file.stem for file in data_folder(FROZEN_SCENARIOS).glob("*.json")))


def resolve_scenario(scenario: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of a scenario, checked, defaults filled in.

    Parameters
    ----------
    scenario : str or dict
        Id of a frozen scenario, or fields.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``.
    """
    if isinstance(scenario, str):
        return complete("scenario", _read_frozen(scenario))
    fields = plain_data(scenario)
    problem = find_problem("scenario", fields)
    if problem is not None:
        expected = problem.expected + value_hint(problem.path, problem.got)
        raise refusal("invalidScenario", problem.path, expected, problem.got)
    completed = complete("scenario", fields)
    _check_ranges(completed)
    return completed


def content_hash(scenario: Mapping[str, Any]) -> str:
    """Return the content hash of a complete scenario: 64 hexadecimal digits, the same in every language.

    SHA-256 of ``mecgym-scenario-v1``, a newline, and the fields except `id` and `description` as canonical JSON (RFC
    8785). Two scenarios with one hash are the same world.
    """
    fields = {name: value for name, value in scenario.items() if name not in LABELS}
    return hashlib.sha256(b"mecgym-scenario-v1\n" + rfc8785.dumps(fields)).hexdigest()


def describe_scenario(scenario: str | Mapping[str, Any]) -> ScenarioInfo:
    """Return what there is to know of a scenario."""
    fields = resolve_scenario(scenario)
    return ScenarioInfo(fields["id"], fields["description"], content_hash(fields), fields)


def max_servers_of(scenario: Mapping[str, Any]) -> int:
    """Return the most servers that an episode of a complete scenario can have."""
    number = scenario["numServers"]
    most: int = number["max"] if isinstance(number, Mapping) else max(number) if isinstance(number, list) else number
    return most


def max_users_of(scenario: Mapping[str, Any]) -> int:
    """Return the most users that an episode of a complete scenario can have."""
    users: dict[str, int] = scenario["users"]
    return users["count"] if "count" in users else users["perServer"] * max_servers_of(scenario)


def _read_frozen(name: str) -> dict[str, Any]:
    if name not in frozen_ids():
        expected = f"one of {', '.join(frozen_ids())}, or the fields of a scenario{suggestion(name, frozen_ids())}"
        raise refusal("unknownScenario", "scenario", expected, name)
    file = data_folder(FROZEN_SCENARIOS) / f"{name}.json"
    fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return fields


def _check_ranges(scenario: Mapping[str, Any]) -> None:
    """Check what a JSON Schema cannot say: ranges the right way round, and as many capacities as servers."""
    ranges = {
        "/numServers": scenario["numServers"],
        "/serverCpuGHz": scenario["serverCpuGHz"],
        "/taskSizeMbit": scenario["taskSizeMbit"],
        "/lookAhead/sizeFactor": scenario["lookAhead"]["sizeFactor"],
    }
    for path, value in ranges.items():
        if isinstance(value, Mapping) and value["min"] > value["max"]:
            raise refusal("invalidScenario", path, "min ≤ max", value)
    capacities, most = scenario["serverCpuGHz"], max_servers_of(scenario)
    if isinstance(capacities, list) and len(capacities) != most:
        expected = f"{most}, one for each server"
        raise refusal("invalidScenario", "/serverCpuGHz", expected, f"{len(capacities)} capacities")
