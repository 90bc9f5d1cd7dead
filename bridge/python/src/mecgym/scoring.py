"""Old name of `mecgym.data.scores`."""

from .data.scores import *  # noqa: F403
from .remote.queries.scoring import *  # noqa: F403
