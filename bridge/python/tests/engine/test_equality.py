"""The engine and a server play the same episodes to the last bit, step by step, over scenarios of every feature."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mecgym.data.batch import Batch
from mecgym.engine.session import EngineSession
from mecgym.errors import MecgymError
from mecgym.remote.session.session import Session
from mecgym.remote.transport.endpoints import connect
from scenario_strategy import scenarios

pytestmark = pytest.mark.limit_seconds(600)


def open_both(fields: dict[str, Any]) -> tuple[EngineSession, Session]:
    return EngineSession(fields), Session(connect(None, None), fields)


def assert_same(found: Batch, expected: Batch) -> None:
    for name in expected.arrays.dtype.names or ():
        assert found.arrays[name].tobytes() == expected.arrays[name].tobytes(), name
        assert found.arrays[name].dtype == expected.arrays[name].dtype, name
        assert found.arrays[name].shape == expected.arrays[name].shape, name
    assert (found.final is None) == (expected.final is None)
    if expected.final is not None and found.final is not None:
        for name in cast("np.ndarray[Any, Any]", expected.final).dtype.names or ():
            assert found.final[name].tobytes() == expected.final[name].tobytes(), name
            assert found.final[name].shape == expected.final[name].shape, name
    assert list(found.stats_fields) == list(expected.stats_fields)


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    num_scenarios = draw(st.sampled_from([1, 1, 1, 2, 3]))
    groups = draw(st.sampled_from([1, 1, 2]))
    num_envs = groups * draw(st.integers(1, 40))
    several = [draw(scenarios()) for _ in range(num_scenarios)]
    fields: dict[str, Any] = {
        "scenarios": several,
        "numEnvs": num_envs,
        "groups": groups,
        "autoreset": draw(st.sampled_from(["next-step", "same-step", "disabled"])),
        "history": draw(st.booleans()),
        "split": draw(st.sampled_from(["train", "validation", "test"])),
        "seed": draw(st.integers(0, 2**53 - 1)),
    }
    if num_scenarios > 1:
        index = st.integers(0, num_scenarios - 1)
        fields["laneScenario"] = draw(st.lists(index, min_size=num_envs, max_size=num_envs))
    return fields


@settings(max_examples=120)
@given(sessions(), st.integers(0, 2**32 - 1))
def test_every_step_is_the_same(fields: dict[str, Any], seed: int) -> None:
    engine, server = open_both(fields)
    assert engine.scenarios == server.scenarios
    for name in ("max_servers", "max_users", "observation_size", "history_slots", "num_groups", "lanes_per_group"):
        assert getattr(engine, name) == getattr(server, name)
    for name in ("observation_header", "observation_server_fields", "episode_stats_fields"):
        assert getattr(engine, name) == getattr(server, name)
    generator = np.random.default_rng(seed)
    n = engine.lanes_per_group
    for group in range(engine.num_groups):
        seeds = generator.integers(0, 2**53, n, dtype=np.uint64) if generator.random() < 0.5 else None
        assert_same(engine.reset(seeds, group=group), server.reset(seeds, group=group))
    for _ in range(25):
        group = int(generator.integers(engine.num_groups))
        # also actions that do not exist
        actions = generator.integers(-1, engine.max_servers + 2, n, dtype=np.int32)
        try:
            expected = server.step(actions, group=group)
        except MecgymError as error:
            with pytest.raises(MecgymError) as caught:
                engine.step(actions, group=group)
            assert_same_error(caught.value, error)
            mask = (generator.random(n) < 0.5).astype(np.uint8)
            mask[int(error.path.split("/")[1]) if error.path else 0] = 1
            seeds = np.where(generator.random(n) < 0.5, generator.integers(0, 2**53, n), -1).astype(np.uint64)
            expected = server.reset(seeds, mask, group=group)
            assert_same(engine.reset(seeds, mask, group=group), expected)
        else:
            assert_same(engine.step(actions, group=group), expected)
    server.close()
    engine.close()


def assert_same_error(found: MecgymError, expected: MecgymError) -> None:
    assert found.code == expected.code
    assert found.path == expected.path
    assert found.expected == expected.expected
    assert found.got == expected.got
    assert found.message == expected.message


WRONG: list[dict[str, Any]] = [
    {"numEnvs": 0},
    {"numEnvs": 1.5},
    {"numEnvs": True},
    {"groups": 3},
    {"groups": 257},
    {"maxServers": 5},
    {"maxServers": 513},
    {"autoreset": "sometimes"},
    {"split": "all"},
    {"seed": -1},
    {"seed": 2**53},
    {"history": 1},
    {"laneScenario": [0, 0, 1, 0]},
    {"laneScenario": [0]},
    {"laneScenario": [0, 0, 256, 0]},
    {"scenarios": []},
    {"scenarios": ["nothing-v1"]},
    {"scenarios": ["paper-v1", "nothing-v1"]},
    {"scenarios": ["paper-v1", {"slotSeconds": 0}]},
    {"colour": "blue"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_options_are_refused_alike(wrong: dict[str, Any]) -> None:
    fields = {"scenarios": ["paper-v1"], "numEnvs": 4, **wrong}
    with pytest.raises(MecgymError) as expected:
        Session(connect(None, None), fields)
    with pytest.raises(MecgymError) as found:
        EngineSession(fields)
    assert_same_error(found.value, expected.value)
