"""Old name of `mecgym.envs.text`."""

from .envs.text import *  # noqa: F403
