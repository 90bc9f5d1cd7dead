"""Old name of `mecgym.data.scores` and `mecgym.bench.score`."""

from .bench.score import *  # noqa: F403
from .data.scores import *  # noqa: F403
