"""Old name of `mecgym.envs.branching`."""

from .envs.branching import *  # noqa: F403
from .envs.branching import _make_again  # noqa: F401 - pickled environments name it
