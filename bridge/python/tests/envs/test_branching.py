"""Snapshots, forks and copies: every way to branch off leads to the same bits as playing straight on."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import assert_equal
from mecgym import EnvSnapshot, MecgymError, OffloadingEnv, OffloadingVectorEnv

MakeEnv = Callable[..., OffloadingEnv]
SMALL = {"numServers": 3, "episodeSlots": 8}
CHURN = {**SMALL, "churn": {"leaveProbability": 0.2, "returnProbability": 0.3}}


def steps(env: OffloadingEnv, actions: list[int]) -> list[Any]:
    """Play, and return all results."""
    return [env.step(action) for action in actions]


def assert_same(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]
        assert_equal(one[4], other[4])


@pytest.mark.parametrize("scenario", [SMALL, CHURN, "bursty-v1"], ids=["small", "churn", "bursty"])
def test_a_snapshot_leads_back(make_env: MakeEnv, scenario: Any) -> None:
    env = make_env(scenario)
    env.reset(seed=5)
    steps(env, [1, 2, 0])
    snapshot = env.snapshot()
    straight = steps(env, [1, 2, 3, 0])
    observation, info = env.restore(snapshot)
    assert (info["decision_index"], info["episode_seed"]) == (3, 5)
    assert env.observation_space.contains(observation)
    assert_same(steps(env, [1, 2, 3, 0]), straight)
    env.restore(snapshot)
    assert env.snapshot().state_hashes == snapshot.state_hashes
    # another action leads to another state
    env.step(2)
    assert env.snapshot().state_hashes != snapshot.state_hashes


def test_a_snapshot_goes_to_another_environment_and_process(make_env: MakeEnv) -> None:
    env, other = make_env(SMALL), make_env(SMALL)
    env.reset(seed=5)
    env.step(1)
    snapshot = env.snapshot()
    expected = steps(env, [2, 1])
    other.restore(snapshot)  # it was never reset
    assert_same(steps(other, [2, 1]), expected)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert_same(pool.apply(play_from, (snapshot,)), expected)


def play_from(snapshot: EnvSnapshot) -> list[Any]:
    env = OffloadingEnv(SMALL)
    env.restore(snapshot)
    played = steps(env, [2, 1])
    env.close()
    return played


@pytest.mark.parametrize("fork", [copy.deepcopy, lambda env: env.fork()], ids=["deepcopy", "fork"])
def test_a_fork_goes_its_own_way(make_env: MakeEnv, fork: Callable[[Any], Any]) -> None:
    env, straight = make_env(SMALL), make_env(SMALL)
    for one in (env, straight):
        one.reset(seed=5)
        one.step(1)
    child = fork(env)
    assert (child.action_masks() == env.action_masks()).all()
    steps(child, [3, 3, 3])
    assert_same(steps(env, [2, 1]), steps(straight, [2, 1]))
    child.close()
    assert_same(steps(env, [0]), steps(straight, [0]))
    # and with the copied one going on where the first is closed
    grandchild = fork(env)
    expected = steps(env, [2])
    env.close()
    assert_same(steps(grandchild, [2]), expected)
    grandchild.close()


def test_a_fork_draws_the_same_episodes_next(make_env: MakeEnv) -> None:
    env = make_env(SMALL, seed=3)
    env.reset()
    child = env.fork()
    assert child.reset()[1]["episode_seed"] == env.reset()[1]["episode_seed"]
    assert child.np_random is not env.np_random
    child.close()


def test_wrapped_environments_are_copied_whole() -> None:
    env: Any = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("mecgym/Offloading-v0", scenario=SMALL))
    env.reset(seed=5)
    env.step(1)
    child = copy.deepcopy(env)
    ends = []
    for one in (env, child):
        truncated = False
        while not truncated:
            _, _, _, truncated, info = one.step(2)
        ends.append(info["episode"]["r"])
        one.close()
    assert ends[0] == ends[1]


@pytest.mark.parametrize("backend", ["engine", "server"])
def test_unpickling_makes_a_new_environment(backend: str) -> None:
    options: dict[str, Any] = {"history": True, "max_servers": 5, "seed": 4, "backend": backend}
    env: Any = gymnasium.make("mecgym/Offloading-v0", scenario=SMALL, **options)
    first = env.reset()[1]["episode_seed"]
    again = pickle.loads(pickle.dumps(env.unwrapped))  # noqa: S301 - it is this test's own
    assert again.spec == env.unwrapped.spec
    assert again.observation_space == env.observation_space
    if backend == "server":  # which has the state
        with pytest.raises(MecgymError, match="needsReset"):
            again.step(0)
        assert again.reset()[1]["episode_seed"] == first
    else:
        assert again.step(0)[4]["episode_seed"] == first
    envs = OffloadingVectorEnv(2, SMALL, autoreset_mode="SameStep", seed=4)
    more = pickle.loads(pickle.dumps(envs))  # noqa: S301
    assert more.metadata == envs.metadata
    np.testing.assert_array_equal(more.reset()[0], envs.reset()[0])
    for one in (env, again, envs, more):
        one.close()


def test_what_is_no_snapshot_of_this_scenario_is_refused(make_env: MakeEnv) -> None:
    env, other, batch = make_env(SMALL), make_env("paper-v1"), OffloadingVectorEnv(2, SMALL)
    with pytest.raises(MecgymError, match="needsReset"):
        env.snapshot()
    for one in (env, other, batch):
        one.reset(seed=1)
    before = env.snapshot()
    damaged = bytearray(before.lanes.to_bytes(0))
    damaged[len(damaged) // 2] ^= 255
    bad = copy.deepcopy(before)
    bad.lanes.data.setflags(write=True)
    bad.lanes.data[:] = np.frombuffer(bytes(damaged), np.uint8)
    for snapshot, code in [
        (other.snapshot(), "invalidSnapshot"),
        (b"x", "invalidSnapshot"),
        (None, "invalidSnapshot"),
        (bad, "invalidSnapshot"),
        (batch.snapshot(), "invalidOption"),
    ]:
        with pytest.raises(MecgymError) as caught:
            env.restore(snapshot)  # type: ignore[arg-type]
        assert caught.value.code == code
    assert env.snapshot().state_hashes == before.state_hashes
    env.step(1)
    batch.close()


def test_the_end_of_an_episode_is_a_state_too(make_env: MakeEnv) -> None:
    env = make_env(SMALL)
    env.reset(seed=1)
    truncated = False
    while not truncated:
        observation, _, _, truncated, _ = env.step(1)
    snapshot = env.snapshot()
    env.reset(seed=2)
    np.testing.assert_array_equal(env.restore(snapshot)[0], observation)
    with pytest.raises(MecgymError, match="needsReset"):
        env.step(1)


@pytest.fixture(scope="module")
def batch() -> Iterator[OffloadingVectorEnv]:
    """Make a batch of four environments."""
    envs = OffloadingVectorEnv(4, SMALL, autoreset_mode=AutoresetMode.SAME_STEP)
    yield envs
    envs.close()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.lists(st.integers(0, 3), min_size=4, max_size=4)),
        st.tuples(st.just("fork"), st.permutations(range(4))),
        st.tuples(st.just("take"), st.permutations(range(4))),
        st.tuples(st.just("restore"), st.permutations(range(4))),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(operations=OPERATIONS, seed=st.integers(0, 2**53 - 5))
def test_any_branching_of_a_batch_is_what_its_lanes_played(
    batch: OffloadingVectorEnv, operations: list[tuple[str, list[int]]], seed: int
) -> None:
    """Every lane stands where its own history of actions, from its own seed, leads to."""
    batch.reset(seed=seed)
    histories: list[list[int]] = [[lane] for lane in range(4)]
    snapshot, taken = batch.snapshot(), copy.deepcopy(histories)
    for name, order in operations:
        if name == "step":
            batch.step(order)
            for history, action in zip(histories, order, strict=True):
                history.append(action)
        elif name == "fork":  # the first half of the lanes becomes copies of the others
            batch.fork_lanes(order[2:], order[:2])
            for source, target in zip(order[2:], order[:2], strict=True):
                histories[target] = list(histories[source])
        elif name == "take":
            snapshot, taken = batch.snapshot(order[:2]), [histories[lane] for lane in sorted(order[:2])]
            taken = copy.deepcopy(taken)
        else:
            targets = order[: len(taken)]
            _, infos = batch.restore(snapshot, targets)
            assert infos["_slot"].tolist() == [lane in targets for lane in range(4)]
            for lane, history in zip(targets, taken, strict=True):
                histories[lane] = list(history)
    found = batch.snapshot().state_hashes
    longest = max(map(len, histories))
    # a lane that needs fewer steps than the longest is played on its own
    alone = OffloadingVectorEnv(1, SMALL, autoreset_mode=AutoresetMode.SAME_STEP)
    assert longest < 40
    try:
        for lane, (origin, *actions) in enumerate(histories):
            alone.reset(seed=seed + origin)
            for action in actions:
                alone.step([action])
            expected = alone.snapshot().state_hashes[0]
            # what is drawn after an episode's end hangs on the lane, so it is compared up to there
            if len(actions) == int(alone._current().arrays["decisionIndex"][0]):
                assert found[lane] == expected
    finally:
        alone.close()


def test_bad_lanes_are_refused_and_change_nothing(batch: OffloadingVectorEnv) -> None:
    batch.reset(seed=1)
    before = batch.snapshot()
    calls: list[Callable[[], Any]] = [
        lambda: batch.snapshot([]),
        lambda: batch.snapshot([4]),
        lambda: batch.snapshot([0, 0]),
        lambda: batch.restore(before, [0, 1]),
        lambda: batch.restore(before, [0, 1, 2, -1]),
        lambda: batch.fork_lanes([0], [1, 2]),
        lambda: batch.fork_lanes([0, 4], [1, 2]),
        lambda: batch.fork_lanes([0, 0], [1, 1]),
        lambda: batch.fork_lanes([0.5], [1]),  # type: ignore[list-item]
    ]
    for call in calls:
        with pytest.raises(MecgymError) as caught:
            call()
        assert caught.value.code == "invalidOption"
    assert batch.snapshot().state_hashes == before.state_hashes
    fresh = OffloadingVectorEnv(4, SMALL)
    with pytest.raises(MecgymError, match="needsReset"):
        fresh.restore(batch.snapshot([1]))
    fresh.restore(before)
    assert fresh.snapshot().state_hashes == before.state_hashes
    fresh.close()


def test_ended_lanes_stay_ended_where_they_are_copied() -> None:
    envs = OffloadingVectorEnv(2, {"numServers": 1, "episodeSlots": 2}, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=1)
    truncations = np.zeros(2, np.bool_)
    while not truncations.any():
        truncations = envs.step([1, 1])[3]
    snapshot = envs.snapshot()
    assert list(snapshot.is_running) == (~truncations).tolist()
    envs.reset(options={"reset_mask": truncations})
    assert all(envs.snapshot().is_running)
    envs.restore(snapshot)
    assert envs.snapshot().is_running == snapshot.is_running
    with pytest.raises(MecgymError, match="needsReset"):
        envs.step([1, 1])
    envs.close()
