"""Old name of `mecgym.integrations.openenv`."""

import sys

from .integrations.openenv import *  # noqa: F403
from .integrations.openenv import main

if __name__ == "__main__":
    sys.exit(main())
