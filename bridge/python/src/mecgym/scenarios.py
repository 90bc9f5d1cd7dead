"""Old name of `mecgym.data.scenarios`."""

from .catalogue import *  # noqa: F403
from .data.scenarios import *  # noqa: F403
