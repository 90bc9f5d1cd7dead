"""Old name of `mecgym.remote.queries.scenarios`."""

from .remote.queries.scenarios import *  # noqa: F403
