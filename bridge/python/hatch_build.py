"""Puts the bundled server into the wheel; an editable installation uses the checkout's server."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundledServer(BuildHookInterface[Any]):
    """Adds `server/`, which `npm run wheel` makes and source distributions contain, as `mecgym/_server`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the server's files to those of the package.

        Raises
        ------
        FileNotFoundError
            The server was not bundled, so the wheel would lack it.
        """
        if version == "editable":
            return
        server = Path(self.root, "server")
        if not (server / "cli.mjs").exists():
            raise FileNotFoundError(
                f"{server} is missing; `npm run wheel` in the checkout bundles it and builds the wheel"
            )
        build_data["force_include"][str(server)] = "mecgym/_server"
