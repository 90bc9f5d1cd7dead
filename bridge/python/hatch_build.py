"""Puts the bundled server and the shared data files into the wheel; an editable installation uses the checkout's."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundledFiles(BuildHookInterface[Any]):
    """Adds `server/` and `data/`, which `npm run wheel` makes and source distributions contain."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the server's files to those of the package.

        Raises
        ------
        FileNotFoundError
            The server or the data were not gathered, so the wheel would lack them.
        """
        if version == "editable":
            return
        for name, inside in (("server", "cli.mjs"), ("data", "core/core.wasm")):
            folder = Path(self.root, name)
            if not (folder / inside).exists():
                raise FileNotFoundError(
                    f"{folder} is missing; `npm run wheel` in the checkout makes it and builds the wheel"
                )
            build_data["force_include"][str(folder)] = f"mecgym/_{name}"
