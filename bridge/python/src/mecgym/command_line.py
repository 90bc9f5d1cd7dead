"""Old name of `mecgym.cli.main`."""

import sys

from .cli.main import *  # noqa: F403
from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
