"""Finds the command that starts a server: the one configured, or the checkout's own with Node."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import ServerNotFound

__all__ = ["ADDRESS_VARIABLE", "COMMAND_VARIABLE", "find_server_command"]

#: Address of a running server to attach to.
ADDRESS_VARIABLE = "MECGYM_ADDRESS"
#: Command that starts a server: a JSON list of words, or one string as for a shell.
COMMAND_VARIABLE = "MECGYM_SERVER_COMMAND"
OLDEST_NODE = 20


def find_server_command() -> Sequence[str]:
    """Give the command that starts a server which ends with its standard input.

    Returns
    -------
    sequence of str
        ``MECGYM_SERVER_COMMAND`` where set; else Node with the script of the checkout this package lies in.

    Raises
    ------
    ServerNotFound
        ``invalidServerCommand``, ``serverNotFound`` or ``nodeNotFound``; the message says what to do.
    """
    configured = os.environ.get(COMMAND_VARIABLE, "")
    if configured.strip():
        return _parse(configured)
    root = _find_checkout()
    if root is None:
        raise ServerNotFound(
            "serverNotFound",
            f"there is no mecgym server to start: this package does not lie in a checkout of mecgym. Set "
            f"{COMMAND_VARIABLE} to the command that starts one (such as 'mecgym serve --until-stdin-closes'), or "
            f"{ADDRESS_VARIABLE} to the address of one that runs",
            path=COMMAND_VARIABLE,
            expected="a command, or a checkout around the package",
        )
    return [_find_node(), str(root / "scripts" / "mecgym.mjs"), "serve", "--until-stdin-closes"]


def _parse(configured: str) -> list[str]:
    try:
        words = json.loads(configured) if configured.lstrip().startswith("[") else shlex.split(configured)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise ServerNotFound(
            "invalidServerCommand",
            path=COMMAND_VARIABLE,
            expected="a JSON list of words, or one command as for a shell",
            got=configured,
        )
    return words


def _find_checkout() -> Path | None:
    for folder in Path(__file__).resolve().parents:
        try:
            package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(package, dict) and package.get("name") == "mecgym":
            return folder
    return None


def _find_node() -> str:
    node = shutil.which("node")
    if node is None:
        raise _node_not_found("there is no `node` on the PATH", None)
    try:
        reply = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
        version = reply.stdout.strip()
        major = int(version.removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _node_not_found(f"`{node} --version` failed", str(error)) from error
    if major < OLDEST_NODE:
        raise _node_not_found(f"`{node}` is Node {version}", version)
    return node


def _node_not_found(problem: str, got: str | None) -> ServerNotFound:
    return ServerNotFound(
        "nodeNotFound",
        f"{problem}, and the mecgym server needs Node {OLDEST_NODE} or newer. Install it and put it on the PATH, or "
        f"set {ADDRESS_VARIABLE} to the address of a server that runs",
        path="PATH",
        expected=f"Node {OLDEST_NODE} or newer",
        got=got,
    )
