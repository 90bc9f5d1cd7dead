"""Old name of `mecgym.envs.lanes`."""

from .envs.lanes import *  # noqa: F403
