"""Old name of `mecgym.data.scenarios`."""

from .data.scenarios import *  # noqa: F403
from .remote.queries.scenarios import *  # noqa: F403
