"""Old name of `mecgym.envs.vector`."""

from .envs.vector import *  # noqa: F403
