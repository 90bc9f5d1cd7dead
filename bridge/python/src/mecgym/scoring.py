"""Old name of `mecgym.remote.queries.scoring`."""

from .remote.queries.scoring import *  # noqa: F403
