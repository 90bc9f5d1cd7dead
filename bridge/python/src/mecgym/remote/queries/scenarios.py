"""Scenario requests: what the server knows about scenarios."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...data.scenarios import ScenarioInfo, ScenarioInput, read_scenario
from ...errors import malformed
from ..protocol.results import Scenarios, read_result
from ..transport.endpoints import connect

__all__ = ["list_scenarios", "scenario_hash"]


def list_scenarios(*, address: str | None = None, keys: str | os.PathLike[str] | None = None) -> list[ScenarioInfo]:
    """Return the frozen scenarios, in order of their ids.

    Parameters
    ----------
    address : str, optional
        Address of a running server; by default this process's own.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.
    """
    return _ask({}, address, keys)


def scenario_hash(
    scenario: ScenarioInput, *, address: str | None = None, keys: str | os.PathLike[str] | None = None
) -> str:
    """Return the content hash of a scenario, 64 hexadecimal digits.

    Parameters
    ----------
    scenario : str, path or dict
        Id, JSON file or fields.
    address : str, optional
        Address of a running server; by default this process's own.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.

    Raises
    ------
    MecgymError
        ``unknownScenario`` or ``invalidScenario``.
    """
    return _ask({"scenario": read_scenario(scenario)}, address, keys)[0].hash


def _ask(fields: Mapping[str, Any], address: str | None, keys: str | os.PathLike[str] | None) -> list[ScenarioInfo]:
    result = read_result(connect(address, keys).request("scenarios", fields), Scenarios, "scenarios")
    if not result.scenarios:
        malformed("scenarios", "at least one scenario", result.scenarios)
    return [ScenarioInfo(entry.id, entry.description, entry.hash, entry.scenario) for entry in result.scenarios]
