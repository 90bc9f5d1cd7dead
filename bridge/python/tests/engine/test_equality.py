"""The engine and a server play the same episodes to the last bit, step by step, over scenarios of every feature."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mecgym.data.batch import Batch
from mecgym.data.snapshots import Snapshots
from mecgym.engine.session import EngineSession
from mecgym.errors import MecgymError
from mecgym.remote.session.session import Session
from mecgym.remote.transport.endpoints import connect
from scenario_strategy import scenarios

pytestmark = pytest.mark.limit_seconds(600)


def open_both(fields: dict[str, Any]) -> tuple[EngineSession, Session]:
    return EngineSession(fields), Session(connect(None, None, timeout_seconds=60), fields)


def assert_same(found: Batch, expected: Batch) -> None:
    for name in expected.arrays.dtype.names or ():
        assert found.arrays[name].tobytes() == expected.arrays[name].tobytes(), name
        assert found.arrays[name].dtype == expected.arrays[name].dtype, name
        assert found.arrays[name].shape == expected.arrays[name].shape, name
    assert (found.final is None) == (expected.final is None)
    if expected.final is not None and found.final is not None:
        for name in expected.final.dtype.names or ():
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


@settings(max_examples=60)
@given(sessions(), st.integers(0, 2**32 - 1), st.data())
def test_states_are_the_same(fields: dict[str, Any], seed: int, data: st.DataObject) -> None:
    engine, server = open_both(fields)
    generator = np.random.default_rng(seed)
    n = engine.lanes_per_group
    for group in range(engine.num_groups):
        engine.reset(group=group)
        server.reset(group=group)
    group = int(generator.integers(engine.num_groups))
    settings_asked = data.draw(look_ahead_settings)
    ended = False
    for _ in range(4):
        for _ in range(int(generator.integers(6))):
            if ended:
                break
            actions = generator.integers(0, engine.max_servers + 1, n, dtype=np.int32)
            expected = server.step(actions, group=group)
            assert_same(engine.step(actions, group=group), expected)
            ended = fields["autoreset"] == "disabled" and expected.final is not None
        for asked in ({}, settings_asked):
            one_each = generator.integers(0, engine.max_servers + 1, n, dtype=np.int32)
            for of_actions in (None, one_each):
                pairs = zip(
                    engine.look_ahead(asked, of_actions, group),
                    server.look_ahead(asked, of_actions, group),
                    strict=True,
                )
                for found, wanted in pairs:
                    np.testing.assert_array_equal(found, wanted)
                    assert found.dtype == wanted.dtype
        mine, theirs = engine.snapshot(group=group), server.snapshot(group=group)
        for name in ("lanes", "hashes", "offsets", "data"):
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes(), name
            assert getattr(mine, name).dtype == getattr(theirs, name).dtype, name
        # each goes on from what the other wrote
        assert_same(engine.restore(theirs, group=group), server.restore(mine, group=group))
        sources = generator.integers(0, n, n)
        if len({fields.get("laneScenario", [0])[0]}) == 1 and "laneScenario" not in fields:
            targets = generator.permutation(n)
            assert_same(
                engine.fork_lanes(sources.tolist(), targets.tolist(), group),
                server.fork_lanes(sources.tolist(), targets.tolist(), group),
            )
    child, other = engine.fork(), server.fork()
    for one, another in ((engine, server), (child, other)):
        if ended:
            break
        actions = generator.integers(0, engine.max_servers + 1, n, dtype=np.int32)
        assert_same(one.step(actions, group=group), another.step(actions, group=group))
    for session in (engine, server, child, other):
        session.close()


look_ahead_settings = st.fixed_dictionaries(
    {},
    optional={
        "numSamples": st.integers(1, 64),
        "weight": st.floats(0, 1000),
        "sizeFactor": st.tuples(st.floats(0.001, 1000), st.floats(0.001, 1000)).map(
            lambda pair: {"min": min(pair), "max": max(pair)}
        ),
        "mode": st.sampled_from(["independent", "sequential"]),
        "rates": st.sampled_from(["frozen", "resampled"]),
    },
)


@settings(max_examples=30)
@given(sessions(), st.sampled_from(["oracle", "lacs"]), st.integers(1, 40))
def test_policies_are_the_same(fields: dict[str, Any], policy: str, steps: int) -> None:
    engine, server = open_both(fields)
    engine.reset()
    server.reset()
    (found, sums), (expected, wanted) = engine.run_policy(policy, steps), server.run_policy(policy, steps)
    assert_same(found, expected)
    for name in wanted.dtype.names or ():
        assert sums[name].tobytes() == wanted[name].tobytes(), name
        assert sums[name].shape == wanted[name].shape, name
    engine.close()
    server.close()


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


WRONG_SETTINGS: list[dict[str, Any]] = [
    {"numSamples": 0},
    {"numSamples": 1.5},
    {"weight": -1},
    {"weight": "much"},
    {"sizeFactor": {"min": 2, "max": 1}},
    {"sizeFactor": {"min": 0, "max": 1}},
    {"mode": "both"},
    {"rates": None},
]


@pytest.mark.parametrize("wrong", WRONG_SETTINGS, ids=str)
def test_wrong_look_aheads_are_refused_alike(wrong: dict[str, Any]) -> None:
    engine, server = open_both({"scenarios": ["paper-v1"], "numEnvs": 2})
    engine.reset()
    server.reset()
    with pytest.raises(MecgymError) as expected:
        server.look_ahead(wrong)
    with pytest.raises(MecgymError) as found:
        engine.look_ahead(wrong)
    assert_same_error(found.value, expected.value)
    server.close()


def spoiled(snapshots: Snapshots, change: str) -> Snapshots:
    """Give a snapshot of one lane with something wrong in it."""
    data = bytearray(snapshots.to_bytes(0))
    if change == "length":
        data = data[:-4]
    elif change == "short":
        data = data[:64]
    elif change == "magic":
        data[0] ^= 1
    elif change == "version":
        data[7] = 9
    elif change == "scenario":
        data[9] ^= 1
    elif change == "checksum":
        data[80] ^= 1
    else:  # a number out of its bounds, under a right checksum
        at = 72 + 8 * int(change)
        data[at : at + 8] = np.float64(-1.5).tobytes()
        data[40:72] = hashlib.sha256(data[72:]).digest()
    bytes_ = np.frombuffer(bytes(data), np.uint8)
    return Snapshots(snapshots.lanes, snapshots.hashes, np.asarray([0, len(bytes_)], np.uint32), bytes_)


CHANGES = ["length", "short", "magic", "version", "scenario", "checksum", "0", "2", "4", "11", "20", "38", "39"]


@pytest.mark.parametrize("change", CHANGES)
def test_wrong_snapshots_are_refused_alike(change: str) -> None:
    engine, server = open_both({"scenarios": ["paper-v1"], "numEnvs": 1})
    engine.reset(np.asarray([5], np.uint64))
    server.reset(np.asarray([5], np.uint64))
    before = engine.snapshot()
    wrong = spoiled(before, change)
    with pytest.raises(MecgymError) as expected:
        server.restore(wrong)
    with pytest.raises(MecgymError) as found:
        engine.restore(wrong)
    assert found.value.code == expected.value.code
    assert expected.value.path is not None
    assert found.value.path == expected.value.path.partition("/0")[0]
    if not change.isdigit():
        assert_same_error(found.value, expected.value)
    assert engine.snapshot().data.tobytes() == before.data.tobytes()
    server.close()


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_options_are_refused_alike(wrong: dict[str, Any]) -> None:
    fields = {"scenarios": ["paper-v1"], "numEnvs": 4, **wrong}
    with pytest.raises(MecgymError) as expected:
        Session(connect(None, None, timeout_seconds=60), fields)
    with pytest.raises(MecgymError) as found:
        EngineSession(fields)
    assert_same_error(found.value, expected.value)
