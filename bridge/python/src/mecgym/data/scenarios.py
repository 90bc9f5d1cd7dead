"""Scenarios as users give them: an id, a map of fields, or a JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MecgymError

__all__ = ["ScenarioInfo", "ScenarioInput", "read_scenario"]

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
        Content hash, 64 hexadecimal digits; scenarios with the same hash are the same world.
    scenario : dict
        Every field, in the units their names say.
    """

    id: str
    description: str
    hash: str
    scenario: dict[str, Any]


def read_scenario(scenario: ScenarioInput) -> str | dict[str, Any]:
    """Return the id or the fields of a scenario; a name that ends in ``.json`` is a file.

    Raises
    ------
    MecgymError
        ``invalidScenario`` if it is neither, or the file cannot be read.
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
