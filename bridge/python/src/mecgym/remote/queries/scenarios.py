"""Scenarios: by id, as fields or from a file, and what the server knows of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...data.scenarios import ScenarioInfo, ScenarioInput, read_scenario
from ...errors import malformed
from ..transport.endpoints import connect

__all__ = ["list_scenarios", "scenario_hash"]


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
