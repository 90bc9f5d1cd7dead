"""Scenario requests: what the server knows about scenarios."""

from __future__ import annotations

import os

from ...data.scenarios import ScenarioInfo, ScenarioInput, read_scenario
from ...errors import malformed
from ..protocol.results import Scenarios, read_result
from ..transport.endpoints import connect

__all__ = ["ask_scenarios"]


def ask_scenarios(
    scenario: ScenarioInput | None = None, address: str | None = None, keys: str | os.PathLike[str] | None = None
) -> list[ScenarioInfo]:
    """Return what a server knows of a scenario, or of all frozen ones.

    Parameters
    ----------
    scenario : str, path or dict, optional
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
    fields = {} if scenario is None else {"scenario": read_scenario(scenario)}
    result = read_result(connect(address, keys).request("scenarios", fields), Scenarios, "scenarios")
    if not result.scenarios:
        malformed("scenarios", "at least one scenario", result.scenarios)
    return [ScenarioInfo(entry.id, entry.description, entry.hash, entry.scenario) for entry in result.scenarios]
