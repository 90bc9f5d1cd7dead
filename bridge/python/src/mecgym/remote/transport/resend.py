"""Resend times: a request is sent again after a few round trips, as in TCP, and then less and less often."""

from __future__ import annotations

__all__ = ["ResendTimer"]

#: Bounds of the waiting time, in seconds.
MIN_SECONDS = 0.02
MAX_SECONDS = 10.0
#: Waiting time before any round trip was measured, in seconds.
FIRST_SECONDS = 1.0


class ResendTimer:
    """Smoothed round trip and its deviation, as in RFC 6298."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = 0.0

    def measure(self, seconds: float) -> None:
        """Note the round trip of a request that was sent once."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
            self._mean += (seconds - self._mean) / 8

    def first(self) -> float:
        """Return how long to wait for a reply before a request is sent again, in seconds."""
        if self._mean is None:
            return FIRST_SECONDS
        return min(max(self._mean + 4 * self._deviation, MIN_SECONDS), MAX_SECONDS)

    def next(self, seconds: float) -> float:
        """Return how long to wait next if `seconds` were not enough."""
        return min(2 * seconds, MAX_SECONDS)
