"""The command ``mecgym`` of the installed package: runs the bundled command in Node."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from ..errors import ServerNotFound
from ..remote.transport.command import find_command

__all__ = ["PYTHON_VARIABLE", "main"]

#: Tells the command which Python has this package.
PYTHON_VARIABLE = "MECGYM_COMMAND_PYTHON"


def main() -> int:
    """Run the command with this process's arguments; return its exit code, 1 if it cannot be run."""
    try:
        command = [*find_command(), *sys.argv[1:]]
    except ServerNotFound as error:
        print(f"mecgym: {error}", file=sys.stderr)
        return 1
    os.environ.setdefault(PYTHON_VARIABLE, sys.executable)
    if os.name != "nt":
        # the command gets signals, standard input and standard output directly
        os.execv(command[0], command)  # noqa: S606
    process = subprocess.Popen(command)  # noqa: S603
    while True:
        # Ctrl-C reaches the command too, which ends by itself
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


if __name__ == "__main__":
    sys.exit(main())
