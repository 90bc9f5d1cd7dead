"""Scenarios: by id, as fields or from a file, and what the server knows of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import MecgymError, malformed
from ..transport.endpoints import connect

__all__ = ["ScenarioInfo", "ScenarioInput", "list_scenarios", "read_scenario", "scenario_hash"]

#: A scenario's id, its fields, or the path of a JSON file with them.
ScenarioInput = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class ScenarioInfo:
    """A scenario as the server knows it.

    Attributes
    ----------
    id : str
        Its name.
    description : str
        One sentence.
    hash : str
        Content hash, 64 hexadecimal digits; two scenarios with one hash are the same world.
    scenario : dict
        Every field, in the units their names say.
    """

    id: str
    description: str
    hash: str
    scenario: dict[str, Any]


def list_scenarios(*, address: str | None = None, keys: str | os.PathLike[str] | None = None) -> list[ScenarioInfo]:
    """Give the frozen scenarios, in order of their ids.

    Parameters
    ----------
    address : str, optional
        Address of a running server; this process's own where left out.
    keys : str or path, optional
        Folder of the keys for that address, where its server asks for some.
    """
    return _ask({}, address, keys)


def scenario_hash(
    scenario: ScenarioInput, *, address: str | None = None, keys: str | os.PathLike[str] | None = None
) -> str:
    """Give the content hash of a scenario, 64 hexadecimal digits.

    Parameters
    ----------
    scenario : str, path or dict
        Id, JSON file or fields.
    address : str, optional
        Address of a running server; this process's own where left out.
    keys : str or path, optional
        Folder of the keys for that address, where its server asks for some.

    Raises
    ------
    MecgymError
        ``unknownScenario`` or ``invalidScenario``.
    """
    return _ask({"scenario": read_scenario(scenario)}, address, keys)[0].hash


def read_scenario(scenario: ScenarioInput) -> str | dict[str, Any]:
    """Give an id or the fields of a scenario as the server takes them; a name that ends in ``.json`` is a file's.

    Raises
    ------
    MecgymError
        ``invalidScenario`` where it is neither, or the file cannot be read.
    """
    if isinstance(scenario, Mapping):
        return dict(scenario)
    if isinstance(scenario, os.PathLike) or (isinstance(scenario, str) and scenario.endswith(".json")):
        try:
            fields = json.loads(Path(scenario).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise MecgymError(
                "invalidScenario", path=str(scenario), expected="a JSON file with a scenario", got=str(error)
            ) from error
        if not isinstance(fields, dict):
            raise MecgymError("invalidScenario", path=str(scenario), expected="a map of fields", got=fields)
        return fields
    if isinstance(scenario, str):
        return scenario
    raise MecgymError(
        "invalidScenario", path="scenario", expected="an id, a map of fields or a JSON file", got=scenario
    )


def _ask(fields: Mapping[str, Any], address: str | None, keys: str | os.PathLike[str] | None) -> list[ScenarioInfo]:
    entries = connect(address, keys).request("scenarios", fields).get("scenarios")
    if not isinstance(entries, list) or not entries:
        malformed("scenarios", "a list", entries)
    return [_info(entry) for entry in entries]


def _info(entry: Any) -> ScenarioInfo:
    scenario = entry.get("scenario") if isinstance(entry, dict) else None
    if not isinstance(scenario, dict):
        malformed("scenarios", "a map with a scenario", entry)
    texts = {name: entry.get(name) for name in ("id", "description", "hash")}
    for name, text in texts.items():
        if not isinstance(text, str):
            malformed(f"scenarios/{name}", "text", text)
    return ScenarioInfo(**texts, scenario=scenario)
