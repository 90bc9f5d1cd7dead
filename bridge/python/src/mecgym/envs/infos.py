"""Infos of vector environments: an array for each name, and a mask of the rows that have it."""

# Trainers read few infos or none, and to build them all takes as long as to play a step. So an array is built when it
# is first read. Batches never change, so the array is what it would have been at once.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batch import FLAG_INVALID_ACTION, FLAG_LATE, Batch, snake_case

__all__ = ["DECISIONS", "ENDS", "OUTCOMES", "StepInfos"]

#: Builds the value of one name, which is the caller's own: an array, or infos of one level below.
Recipes = Mapping[str, Callable[[Batch], Any]]


def _copied(name: str, kind: type[np.generic]) -> Callable[[Batch], NDArray[Any]]:
    return lambda batch: batch.arrays[name].astype(kind)


def _flagged(bit: int) -> Callable[[Batch], NDArray[Any]]:
    return lambda batch: (batch.arrays["flags"] & bit) != 0


#: The facts about the current decisions; the first axis of each array has n rows.
DECISIONS: Recipes = {
    "episode_seed": _copied("episodeSeed", np.int64),
    "decision_index": _copied("decisionIndex", np.int64),
    "slot": _copied("slot", np.int64),
    "num_servers": _copied("numServers", np.int64),
    "action_mask": _copied("actionMask", np.int8),
}

#: The outcomes of the last decisions; latencies and costs in slots.
OUTCOMES: Recipes = {
    "latency_slots": _copied("latencySlots", np.float64),
    "cost_slots": _copied("costSlots", np.float64),
    "is_late": _flagged(FLAG_LATE),
    "invalid_action": _flagged(FLAG_INVALID_ACTION),
    "executed_action": _copied("executedAction", np.int64),
    "lost_tasks": _copied("lostTasks", np.int64),
    "lost_on_time_tasks": _copied("lostOnTimeTasks", np.int64),
}


def _episode_stats(batch: Batch) -> dict[str, NDArray[Any]]:
    """Return the statistics of the episodes that ended, and their masks, as `Batch.episode_stats` has them."""
    assert batch.final is not None
    lanes, table = batch.final["finalLane"], batch.final["finalStats"]
    has_ended = np.zeros(len(batch.arrays["flags"]), np.bool_)
    has_ended[lanes] = True
    infos: dict[str, NDArray[Any]] = {}
    for field, column in zip(batch.stats_fields, table.T, strict=True):
        values = np.zeros(len(has_ended), np.float64 if field.endswith("Slots") else np.int64)
        values[lanes] = column
        name = snake_case(field)
        infos[name], infos[f"_{name}"] = values, has_ended.copy()
    return infos


#: What became of episodes that ended.
ENDS: Recipes = {"episode_stats": _episode_stats}


class StepInfos(dict[str, Any]):
    """Infos of a reset or a step: a dict whose arrays are built when they are first read.

    As Gymnasium's ``VectorEnv._add_info`` does, each array has zeros in the rows that do not have its value, and a mask
    of the others under its name after an underscore. Everything that needs all names builds all arrays first.

    Parameters
    ----------
    values : dict
        Infos that are there already.
    parts : tuple of (recipes, batch, mask)
        What else there is: the arrays of `recipes`, of a batch, in the rows of a mask.
    """

    __slots__ = ("_parts",)

    def __init__(self, values: Mapping[str, Any], parts: tuple[tuple[Recipes, Batch, NDArray[np.bool_]], ...]) -> None:
        super().__init__(values)
        self._parts = parts

    def __missing__(self, name: str) -> Any:
        of = name.removeprefix("_")
        for recipes, batch, mask in self._parts:
            if of in recipes:
                value = recipes[of](batch) if of == name else mask.copy()
                if isinstance(value, np.ndarray) and of == name:
                    value[~mask] = 0
                super().__setitem__(name, value)
                return value
        raise KeyError(name)

    def _build(self) -> None:
        """Build everything that was not read yet."""
        for recipes, _batch, _mask in self._parts:
            for name in recipes:
                for one in (name, f"_{name}"):
                    self[one]
        self._parts = ()

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        return isinstance(name, str) and any(name.removeprefix("_") in recipes for recipes, _b, _m in self._parts)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, or `default` if there is none."""
        return self[name] if name in self else default  # noqa: SIM401 - that would be this method

    def __iter__(self) -> Iterator[str]:
        self._build()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._build()
        return super().__reversed__()

    def __len__(self) -> int:
        self._build()
        return super().__len__()

    def __bool__(self) -> bool:
        return bool(self._parts) or super().__len__() > 0

    def __repr__(self) -> str:
        self._build()
        return super().__repr__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle, and copy, as an ordinary dict."""
        return dict, (dict(self),)


def _after_building(name: str) -> Callable[..., Any]:
    """Return a method of dict that needs all values, for infos."""
    method = getattr(dict, name)

    def call(self: StepInfos, *arguments: Any, **options: Any) -> Any:
        self._build()
        for other in arguments:
            if isinstance(other, StepInfos):
                other._build()
        return method(self, *arguments, **options)

    call.__name__, call.__doc__ = name, method.__doc__
    return call


_NEED_ALL = (
    *("__delitem__", "__eq__", "__ior__", "__ne__", "__or__", "__ror__", "clear", "copy", "items", "keys", "pop"),
    *("popitem", "setdefault", "update", "values"),
)
for _name in _NEED_ALL:
    setattr(StepInfos, _name, _after_building(_name))
