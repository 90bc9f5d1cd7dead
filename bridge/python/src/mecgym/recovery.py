"""Old name of `mecgym.remote.session.recovery`."""

from .remote.session.recovery import *  # noqa: F403
