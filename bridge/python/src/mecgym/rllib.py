"""Old name of `mecgym.integrations.rllib`."""

from .integrations.rllib import *  # noqa: F403
