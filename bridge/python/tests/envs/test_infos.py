"""Infos that are built when they are read are those that would have been built at once."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from helpers import assert_equal
from mecgym import OffloadingVectorEnv
from mecgym.envs.infos import DECISIONS, OUTCOMES, StepInfos

SMALL: dict[str, Any] = {"numServers": 3, "episodeSlots": 6}
NAMES = {name for one in (*DECISIONS, *OUTCOMES) for name in (one, f"_{one}")}


def two_steps() -> tuple[StepInfos, dict[str, Any]]:
    """Give the infos of a step twice: unread, and read before another step was played."""
    envs = [OffloadingVectorEnv(40, SMALL, seed=1) for _ in range(2)]
    found: list[StepInfos] = []
    for env in envs:
        env.reset()
        infos = env.step(np.arange(40) % 4)[4]
        assert isinstance(infos, StepInfos)
        if found:
            dict(infos)
        found.append(infos)
        env.step(np.zeros(40, np.int64))
        env.close()
    return found[0], dict(found[1])


USES: dict[str, Callable[[Any], Any]] = {
    "dict": dict,
    "spread": lambda infos: {**infos},
    "copy": copy.copy,
    "its copy": lambda infos: infos.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda infos: pickle.loads(pickle.dumps(infos)),  # noqa: S301
    "items": lambda infos: dict(infos.items()),
    "keys": lambda infos: {name: infos[name] for name in infos.keys()},  # noqa: SIM118
    "values": lambda infos: dict(zip(infos, infos.values(), strict=True)),
    "reversed": lambda infos: {name: infos[name] for name in reversed(infos)},
    "or": lambda infos: infos | {},
    "or before": lambda infos: {} | infos,
    "get": lambda infos: {name: infos.get(name) for name in NAMES},
    "one by one": lambda infos: {name: infos[name] for name in NAMES if name in infos},
    "pop": lambda infos: {name: infos.pop(name) for name in NAMES},
    "popitem": lambda infos: dict(infos.popitem() for _ in range(len(infos))),
    "update": lambda infos: _updated({}, infos),
}


def _updated(target: dict[str, Any], infos: Any) -> dict[str, Any]:
    target.update(infos)
    return target


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_every_way_to_read_gives_all(use: Callable[[Any], Any]) -> None:
    infos, expected = two_steps()
    assert set(expected) == NAMES
    assert isinstance(infos, dict)
    assert_equal(use(infos), expected)


def test_they_can_be_changed() -> None:
    infos, expected = two_steps()
    infos["slot"] = 1
    infos["new"] = 2
    assert (infos["slot"], infos["new"], len(infos)) == (1, 2, len(expected) + 1)
    del infos["slot"]
    assert "slot" not in infos
    assert infos.get("slot", "gone") == "gone"
    with pytest.raises(KeyError):
        infos["slot"]
    assert infos.setdefault("slot", 3) == 3
    infos.clear()
    assert not infos
    assert json.dumps(infos) == "{}"
    with pytest.raises(KeyError):
        two_steps()[0]["nothing"]


def test_unread_infos_cost_no_arrays() -> None:
    infos, expected = two_steps()
    assert infos
    assert dict.__len__(infos) == 0
    assert infos["slot"] is infos["slot"]
    assert dict.__len__(infos) == 1
    assert repr(infos) == repr(dict(infos))
    assert len(expected) == len(infos)


def test_gymnasiums_wrappers_take_them() -> None:
    env = RecordEpisodeStatistics(OffloadingVectorEnv(3, SMALL, seed=1, autoreset_mode="NextStep"))
    env.reset()
    ended = [infos for _ in range(40) if "episode" in (infos := env.step(np.asarray([1, 2, 3]))[4])]
    assert ended
    assert {"r", "l", "t", "_episode", "episode_stats"} & (set(ended[0]) | set(ended[0]["episode"]))
    env.close()
