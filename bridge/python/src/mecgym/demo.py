"""Old name of `mecgym.cli.demo`."""

import sys

from .cli.demo import *  # noqa: F403
from .cli.demo import main

if __name__ == "__main__":
    sys.exit(main())
