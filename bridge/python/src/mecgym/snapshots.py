"""Old name of `mecgym.data.snapshots`."""

from .data.snapshots import *  # noqa: F403
