"""Scenarios as users give them: an id, a map of fields, or a JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MecgymError
from .plain import plain_data

__all__ = ["ScenarioInfo", "ScenarioInput", "Scenarios", "is_file", "read_scenario", "read_scenarios"]

#: A scenario's id, its fields, or the path of a JSON file with them.
ScenarioInput = str | os.PathLike[str] | Mapping[str, Any]
#: One scenario, or a list of them.
Scenarios = ScenarioInput | Sequence[ScenarioInput]


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
        Content hash, 64 hexadecimal digits; scenarios with the same hash are the same world.
    scenario : dict
        Every field, in the units their names say.
    """

    id: str
    description: str
    hash: str
    scenario: dict[str, Any]


def is_file(scenario: Any) -> bool:
    """Whether a scenario is given as the path of a file: a path, or a name that ends in ``.json``."""
    return isinstance(scenario, os.PathLike) or (isinstance(scenario, str) and scenario.lower().endswith(".json"))


def read_scenarios(scenario: Any) -> str | dict[str, Any] | list[str | dict[str, Any]]:
    """Return one scenario, or each of a list, as `read_scenario` does."""
    if isinstance(scenario, (list, tuple)):
        return [read_scenario(one) for one in scenario]
    return read_scenario(scenario)


def read_scenario(scenario: ScenarioInput) -> str | dict[str, Any]:
    """Return the id or the fields of a scenario; a name that ends in ``.json`` is a file.

    The fields are a deep copy: what happens to the map or the file later changes nothing.

    Raises
    ------
    MecgymError
        ``invalidScenario`` if it is neither, or the file cannot be read.
    """
    if isinstance(scenario, Mapping):
        fields: dict[str, Any] = plain_data(scenario)
        return fields
    if is_file(scenario):
        try:
            read = json.loads(Path(scenario).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise MecgymError(
                "invalidScenario", path=str(scenario), expected="a JSON file with a scenario", got=str(error)
            ) from error
        if not isinstance(read, dict):
            raise MecgymError("invalidScenario", path=str(scenario), expected="a map of fields", got=read)
        return dict(plain_data(read))
    if isinstance(scenario, str):
        return scenario
    raise MecgymError(
        "invalidScenario", path="scenario", expected="an id, a map of fields or a JSON file", got=scenario
    )
