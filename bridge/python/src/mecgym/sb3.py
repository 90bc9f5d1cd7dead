"""Old name of `mecgym.integrations.sb3`."""

from .integrations.sb3 import *  # noqa: F403
