"""Old name of `mecgym.data.look_ahead`."""

from .data.look_ahead import *  # noqa: F403
