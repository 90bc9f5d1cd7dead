"""Data as JSON has it: maps, lists, texts and numbers, copied from whatever a user or a table gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import MecgymError

__all__ = ["plain_data", "without_nulls"]


def plain_data(value: Any, path: str = "scenario") -> Any:
    """Return a deep copy of data as JSON has it; NumPy numbers and arrays become Python's, whole numbers integers.

    Raises
    ------
    MecgymError
        ``invalidScenario`` for anything else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain_data(one, path) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(one, path) for one in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, float):
        # −0 has no integer
        is_whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
        return int(value) if is_whole else value
    if isinstance(value, int):
        return int(value)
    raise MecgymError("invalidScenario", path=path, expected="plain JSON data", got=value)


def without_nulls(value: Any) -> Any:
    """Return a copy without the fields that are None: Arrow's tables write None for what is absent.

    Entries of lists stay, because their place counts.
    """
    if isinstance(value, Mapping):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [without_nulls(one) for one in value]
    return value
