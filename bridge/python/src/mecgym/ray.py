"""Old name of `mecgym.integrations.ray`."""

from .integrations.ray import *  # noqa: F403
