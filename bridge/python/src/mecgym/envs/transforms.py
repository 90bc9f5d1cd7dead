"""Transforms: functions that give observations, the last axis of an array, other shapes and spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..errors import MecgymError

if TYPE_CHECKING:
    from .branching import SessionEnv

__all__ = ["ScaleTransform", "TokenTransform"]


class TokenTransform:
    """Turns observations into matrices with a row for each action.

    Parameters
    ----------
    env : SessionEnv
        The environment the observations come from.

    Attributes
    ----------
    fields : list of str
        Names of the columns: the task's and the device's numbers, the same in every row; those of the row's server, 0
        for the device; its workload history, if there is one, oldest slot first; the facts of the decision and of the
        row's server, if there are any; and ``isDevice``, 1 in row 0.
    """

    def __init__(self, env: SessionEnv, space: spaces.Space[Any]) -> None:
        self._num_task = len(env.observation_header)
        self._num_server = len(env.observation_server_fields)
        self._num_history = env.history_slots
        self._num_servers: int = env.max_servers
        history = [f"workloadMbit{i - self._num_history}" for i in range(self._num_history)]
        facts, server_facts = env.observation_facts, env.observation_server_facts
        self._num_facts, self._num_server_facts = len(facts), len(server_facts)
        names = [*env.observation_header, *env.observation_server_fields, *history, *facts, *server_facts]
        self.fields = [*names, "isDevice"]
        box = check_flat(env, space)
        # what is always 0 gets an upper bound of 1, because some libraries object to equal bounds
        self.space = spaces.Box(0.0, np.maximum(self(box.high), 1.0), dtype=np.float32)

    def __call__(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """Return tokens, float32 of shape (..., max_servers + 1, len(fields)), of observations of shape (..., size)."""
        leading, n = observations.shape[:-1], self._num_servers
        task, rest = np.split(observations, [self._num_task], axis=-1)
        ends = np.cumsum([n * self._num_server, n * self._num_history, self._num_facts])
        servers, history, facts, server_facts = np.split(rest, ends, axis=-1)
        tokens = np.zeros((*leading, n + 1, len(self.fields)), dtype=np.float32)
        tokens[..., : self._num_task] = task[..., None, :]
        end = self._num_task + self._num_server
        tokens[..., 1:, self._num_task : end] = servers.reshape(*leading, n, self._num_server)
        if self._num_history:
            tokens[..., 1:, end : end + self._num_history] = history.reshape(*leading, n, self._num_history)
        if self._num_facts:
            own = -1 - self._num_server_facts
            tokens[..., own - self._num_facts : own] = facts[..., None, :]
            tokens[..., 1:, own:-1] = server_facts.reshape(*leading, n, self._num_server_facts)
        tokens[..., 0, -1] = 1.0
        return tokens


class ScaleTransform:
    """Divides each number of an observation by a scale that follows from the scenario, so that most are of order 1.

    Nothing is learned from data, so two runs scale alike. Sizes, workloads and histories
    are divided by the largest task, rates by their mean, clocks by the fastest server's, times by the deadline, the
    user's index by the number of users; counts of tasks stay. Long queues bring numbers beyond 1.
    """

    def __init__(self, env: SessionEnv, space: spaces.Space[Any]) -> None:
        box = check_flat(env, space)
        scales = _scales(env.scenario, env.max_users)
        names = [
            *env.observation_header,
            *env.observation_server_fields * env.max_servers,
            *["workloadMbit"] * (env.history_slots * env.max_servers),
            *env.observation_facts,
            *env.observation_server_facts * env.max_servers,
        ]
        self._scale = np.asarray([scales.get(name, 1.0) for name in names], dtype=np.float32)
        self.space = spaces.Box(self(box.low), self(box.high), dtype=np.float32)

    def __call__(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """Return scaled observations, float32 of the same shape."""
        return np.asarray(observations / self._scale, dtype=np.float32)


def _scales(scenario: Mapping[str, Any], max_users: int) -> dict[str, float]:
    largest = scenario["taskSizeMbit"]["max"]
    capacity = scenario["serverCpuGHz"]
    fastest = max(capacity) if isinstance(capacity, list) else capacity["max"]
    return {
        "sizeMbit": largest,
        "densityGcyclesPerMbit": scenario["densityGcyclesPerMbit"],
        "deadlineSlots": scenario["deadlineSlots"],
        "userIndex": max_users,
        "localCpuGHz": fastest,
        "localWaitSlots": scenario["deadlineSlots"],
        "rateMbps": scenario["uplink"]["meanRateMbps"],
        "cpuGHz": fastest,
        "workloadMbit": largest,
        "usersLeft": max_users,
        "slot": scenario["episodeSlots"],
        "decisionIndex": scenario["episodeSlots"] * max_users,
        "meanSizeMbit": largest,
        "assignedMbit": largest,
    }


def check_flat(env: SessionEnv, space: spaces.Space[Any]) -> spaces.Box:
    """Return the space of flat observations.

    Raises
    ------
    MecgymError
        ``invalidOption`` if a wrapper has already changed it.
    """
    each = len(env.observation_server_fields) + env.history_slots + len(env.observation_server_facts)
    size = len(env.observation_header) + len(env.observation_facts) + env.max_servers * each
    if not isinstance(space, spaces.Box) or space.shape != (size,):
        raise MecgymError(
            "invalidOption", path="env/observation_space", expected=f"a Box of shape ({size},)", got=space
        )
    return space
