"""Old name of `mecgym.integrations.turns`."""

from .integrations.turns import *  # noqa: F403
