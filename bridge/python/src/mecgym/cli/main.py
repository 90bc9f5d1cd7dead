"""The command ``mecgym`` of an installed package: runs the one that comes with it, in Node."""

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
    """Run the command with this process's arguments; give its exit code, 1 where it cannot be run."""
    try:
        command = [*find_command(), *sys.argv[1:]]
    except ServerNotFound as error:
        print(f"mecgym: {error}", file=sys.stderr)
        return 1
    os.environ.setdefault(PYTHON_VARIABLE, sys.executable)
    if os.name != "nt":
        # signals, standard input and standard output are the command's own
        os.execv(command[0], command)  # noqa: S606
    process = subprocess.Popen(command)  # noqa: S603
    while True:
        # Ctrl-C reaches the command too, which ends in its own way
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


if __name__ == "__main__":
    sys.exit(main())
