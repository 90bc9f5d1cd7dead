"""Infos of vector environments: an array for each name, and a mask of the rows that have it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batch import FLAG_INVALID_ACTION, FLAG_LATE, Batch

__all__ = ["decisions_of", "masked", "outcomes_of"]


def decisions_of(batch: Batch) -> dict[str, NDArray[Any]]:
    """Return the facts about the current decisions; the first axis of each array has n rows."""
    arrays = batch.arrays
    return {
        "episode_seed": arrays["episodeSeed"].astype(np.int64),
        "decision_index": arrays["decisionIndex"].astype(np.int64),
        "slot": arrays["slot"].astype(np.int64),
        "num_servers": arrays["numServers"].astype(np.int64),
        "action_mask": arrays["actionMask"].astype(np.int8),
    }


def outcomes_of(batch: Batch) -> dict[str, NDArray[Any]]:
    """Return the outcomes of the last decisions; latencies and costs in slots."""
    arrays, flags = batch.arrays, batch.arrays["flags"]
    return {
        "latency_slots": arrays["latencySlots"].astype(np.float64),
        "cost_slots": arrays["costSlots"].astype(np.float64),
        "is_late": (flags & FLAG_LATE) != 0,
        "invalid_action": (flags & FLAG_INVALID_ACTION) != 0,
        "executed_action": arrays["executedAction"].astype(np.int64),
        "lost_tasks": arrays["lostTasks"].astype(np.int64),
        "lost_on_time_tasks": arrays["lostOnTimeTasks"].astype(np.int64),
    }


def masked(values: dict[str, NDArray[Any]], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return arrays and their masks, zero outside, as Gymnasium's ``VectorEnv._add_info`` does.

    Parameters
    ----------
    values : dict of str to array
        Arrays that this function may change.
    mask : array of bool, shape (n,)
        The rows that have the values.
    """
    infos: dict[str, Any] = {}
    for name, array in values.items():
        array[~mask] = 0
        infos[name], infos[f"_{name}"] = array, mask.copy()
    return infos
