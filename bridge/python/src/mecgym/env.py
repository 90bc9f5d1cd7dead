"""Old name of `mecgym.envs.numeric`."""

from .envs.numeric import *  # noqa: F403
