"""Old name of `mecgym.integrations.trl`."""

from .integrations.trl import *  # noqa: F403
