"""Old name of `mecgym.integrations.minari`."""

import sys

from .integrations.minari import *  # noqa: F403
from .integrations.minari import main

if __name__ == "__main__":
    sys.exit(main())
