"""Infos that are built when they are read, and what they are built of."""

# Trainers read few infos or none, and to build them all would take as long as to play the step.

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from .batch import FLAG_INVALID_ACTION, FLAG_LATE, Batch, BatchLayout

__all__ = ["LaneInfo", "LaneState", "LaneStep", "LazyInfos", "batch_of", "lane_info"]

#: What a step of one lane brought: its bytes, their layout, and the rows of `Batch.final`.
LaneStep = tuple[bytes, BatchLayout, "NDArray[Any] | None"]


def batch_of(step: LaneStep) -> Batch:
    """Return what a step brought as a batch."""
    data, layout, final = step
    return Batch(data, final, layout.stats_fields, None, layout)


class LaneState:
    """Where an environment of one lane stands: shared with the function that steps it.

    Attributes
    ----------
    is_running : bool
        Whether an episode runs.
    latest : LaneStep, Batch or None
        What the last call brought; None if nobody knows.
    """

    __slots__ = ("is_running", "latest")

    def __init__(self, is_running: bool = False, latest: LaneStep | Batch | None = None) -> None:
        self.is_running = is_running
        self.latest = latest

    def batch(self) -> Batch | None:
        """Return what the last call brought."""
        latest = self.latest
        if isinstance(latest, tuple):
            latest = self.latest = batch_of(latest)
        return latest

    def __deepcopy__(self, _memo: dict[int, Any]) -> LaneState:
        """Return a state of its own; nobody writes to what a step brought."""
        return LaneState(self.is_running, self.latest)


class LazyInfos(dict[str, Any]):
    """A dict whose values are built when somebody first needs them; `_build` adds those that are not there yet."""

    __slots__ = ()

    def _build(self) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        self._build()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._build()
        return super().__reversed__()

    def __len__(self) -> int:
        self._build()
        return super().__len__()

    def __repr__(self) -> str:
        self._build()
        return super().__repr__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle, and copy, as an ordinary dict."""
        return dict, (dict(self),)


def _after_building(name: str) -> Callable[..., Any]:
    """Return a method of dict that needs all values, for infos."""
    method = getattr(dict, name)

    def call(self: LazyInfos, *arguments: Any, **options: Any) -> Any:
        self._build()
        for other in arguments:
            if isinstance(other, LazyInfos):
                other._build()
        return method(self, *arguments, **options)

    call.__name__, call.__doc__ = name, method.__doc__
    return call


_NEED_ALL = (
    *("__contains__", "__delitem__", "__eq__", "__ior__", "__ne__", "__or__", "__ror__", "clear", "copy", "get"),
    *("items", "keys", "pop", "popitem", "setdefault", "update", "values"),
)
for _name in _NEED_ALL:
    setattr(LazyInfos, _name, _after_building(_name))


class LaneInfo(LazyInfos):
    """Infos of a step of one environment: all are built when the first is read.

    Made without arguments, since `__init__` would cost as much as a tenth of a step; `_step` is set afterwards.
    """

    __slots__ = ("_step",)

    _step: LaneStep | None

    def __missing__(self, name: str) -> Any:
        if self._step is None:
            raise KeyError(name)
        self._build()
        return self[name]

    def _build(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            for name, value in lane_info(batch_of(step), has_stepped=True).items():
                super().setdefault(name, value)


def lane_info(batch: Batch, *, has_stepped: bool) -> dict[str, Any]:
    """Return the infos of lane 0: the outcomes of a step, if there was one, and the facts about the decision."""
    numbers = batch.numbers()
    info: dict[str, Any] = {}
    if has_stepped:
        flags = numbers["flags"]
        info = {
            "latency_slots": numbers["latencySlots"],
            "cost_slots": numbers["costSlots"],
            "is_late": flags & FLAG_LATE != 0,
            "invalid_action": flags & FLAG_INVALID_ACTION != 0,
            "executed_action": numbers["executedAction"],
            "lost_tasks": numbers["lostTasks"],
            "lost_on_time_tasks": numbers["lostOnTimeTasks"],
        }
    info["episode_seed"] = numbers["episodeSeed"]
    info["decision_index"] = numbers["decisionIndex"]
    info["slot"] = numbers["slot"]
    info["num_servers"] = numbers["numServers"]
    info["action_mask"] = batch.mask()
    if batch.final is not None:
        info["episode_stats"] = batch.episode_stats(0)
    return info
