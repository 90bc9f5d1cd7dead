"""Old name of `mecgym.bench.play`."""

from .bench.play import *  # noqa: F403
