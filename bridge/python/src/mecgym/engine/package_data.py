"""Files that the package shares with the rest of the repository: the module, the schemas and the frozen scenarios."""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["CORE", "FROZEN_SCENARIOS", "SCHEMAS", "data_folder"]

#: Name of each folder: in the wheel under `_data`, in a checkout where the repository keeps it.
CORE = "core"
FROZEN_SCENARIOS = "scenarios"
SCHEMAS = "schemas"

IN_CHECKOUT = {CORE: "env/core/generated", FROZEN_SCENARIOS: "env/scenario/frozen", SCHEMAS: "schemas"}


@cache
def data_folder(name: str) -> Path:
    """Return the folder of one kind of file.

    Raises
    ------
    FileNotFoundError
        The package is neither installed from a wheel nor part of a checkout.
    """
    installed = Path(__file__).parents[1] / "_data" / name
    if installed.is_dir():
        return installed
    for folder in Path(__file__).resolve().parents:
        in_checkout = folder / IN_CHECKOUT[name]
        if (folder / "package.json").is_file() and in_checkout.is_dir():
            return in_checkout
    raise FileNotFoundError(f"{installed} is missing; install mecgym again")
