"""What there is to know of scenarios: from this process, or from the server at an address."""

from __future__ import annotations

import os

from .data.scenarios import ScenarioInfo, ScenarioInput, read_scenario
from .engine.scenario import describe_scenario, frozen_ids
from .remote.queries.scenarios import ask_scenarios
from .remote.transport.command import ADDRESS_VARIABLE

__all__ = ["describe", "list_scenarios", "scenario_hash"]


def list_scenarios(*, address: str | None = None, keys: str | os.PathLike[str] | None = None) -> list[ScenarioInfo]:
    """Return the frozen scenarios, in order of their ids.

    Parameters
    ----------
    address : str, optional
        Address of a running server, which may have others; by default ``MECGYM_ADDRESS``, or else this process.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.
    """
    if _is_elsewhere(address):
        return ask_scenarios(None, address, keys)
    return [describe_scenario(name) for name in frozen_ids()]


def scenario_hash(
    scenario: ScenarioInput, *, address: str | None = None, keys: str | os.PathLike[str] | None = None
) -> str:
    """Return the content hash of a scenario, 64 hexadecimal digits.

    Parameters
    ----------
    scenario : str, path or dict
        Id, JSON file or fields.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else this process.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.

    Raises
    ------
    MecgymError
        ``unknownScenario`` or ``invalidScenario``.
    """
    return describe(scenario, address, keys).hash


def describe(
    scenario: ScenarioInput, address: str | None = None, keys: str | os.PathLike[str] | None = None
) -> ScenarioInfo:
    """Return what there is to know of a scenario; only the server at an address may know ids that are not frozen here.

    Raises
    ------
    MecgymError
        ``unknownScenario`` or ``invalidScenario``.
    """
    read = read_scenario(scenario)
    if _is_elsewhere(address) and isinstance(read, str) and read not in frozen_ids():
        return ask_scenarios(read, address, keys)[0]
    return describe_scenario(read)


def _is_elsewhere(address: str | None) -> bool:
    return bool(address or os.environ.get(ADDRESS_VARIABLE))
