"""Old name of `mecgym.envs.wrappers`."""

from .envs.wrappers import *  # noqa: F403
