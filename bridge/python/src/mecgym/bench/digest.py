"""Trajectory digests: one string that tells whether two trajectories are the same."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["TrajectoryDigest"]


class TrajectoryDigest:
    """SHA-256 over the episodes of a trajectory, in the order given in the description of the model.

    Examples
    --------
    >>> digest = TrajectoryDigest()
    >>> digest.add_step([1.0, 2.0], action=0, latency_slots=3.0, cost_slots=3.0)
    >>> digest.end_episode(episode_seed=7)
    >>> len(digest.hexdigest())
    64
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._actions: list[int] = []
        self._latency_slots: list[float] = []
        self._cost_slots: list[float] = []
        self._observations: list[bytes] = []

    def add_step(self, observation: ArrayLike, action: int, latency_slots: float, cost_slots: float) -> None:
        """Add a decision.

        Parameters
        ----------
        observation : array of float32
            Observation the decision was based on, without history; it is copied.
        action : int
            Action that was carried out.
        latency_slots, cost_slots : float
            Its latency C and cost J, in slots.
        """
        self._observations.append(np.asarray(observation, dtype="<f4").tobytes())
        self._actions.append(action)
        self._latency_slots.append(latency_slots)
        self._cost_slots.append(cost_slots)

    def end_episode(self, episode_seed: int) -> None:
        """End an episode: its decisions enter the hash."""
        self._hash.update(struct.pack("<QQ", episode_seed, len(self._actions)))
        self._hash.update(np.asarray(self._actions, dtype="<i4").tobytes())
        self._hash.update(np.asarray(self._latency_slots, dtype="<f8").tobytes())
        self._hash.update(np.asarray(self._cost_slots, dtype="<f8").tobytes())
        for row in self._observations:
            self._hash.update(row)
        for values in (self._actions, self._latency_slots, self._cost_slots, self._observations):
            values.clear()

    def hexdigest(self) -> str:
        """Return the digest of all ended episodes, 64 hexadecimal digits."""
        return self._hash.hexdigest()
