"""`OffloadingVectorEnv`: the trajectories of single environments, and Gymnasium's three autoreset modes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from helpers import assert_equal
from mecgym import MecgymError, OffloadingEnv, OffloadingVectorEnv

SMALL: dict[str, Any] = {"numServers": {"min": 2, "max": 4}, "users": {"count": 2}, "episodeSlots": 6}
STEP_INFOS = (
    "latency_slots",
    "cost_slots",
    "is_late",
    "invalid_action",
    "executed_action",
    "lost_tasks",
    "lost_on_time_tasks",
)
MakeVec = Callable[..., OffloadingVectorEnv]


@pytest.fixture
def make_vec() -> Iterator[MakeVec]:
    """Make vector environments that are closed after the test."""
    all_envs: list[OffloadingVectorEnv] = []

    def make(num_envs: int = 3, scenario: Any = SMALL, **arguments: Any) -> OffloadingVectorEnv:
        envs = OffloadingVectorEnv(num_envs, scenario, **arguments)
        all_envs.append(envs)
        return envs

    yield make
    for envs in all_envs:
        envs.close()


class Replay(OffloadingEnv):
    """A single environment whose resets without a seed play given episodes."""

    episodes: list[int]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=self.episodes.pop(0) if seed is None else seed, options=options)


def test_make_vec_makes_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=4, scenario=SMALL, autoreset_mode="SameStep")
    assert isinstance(envs, OffloadingVectorEnv)
    assert envs.num_envs == 4
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.spec is not None
    observations, _infos = envs.reset(seed=1)
    assert observations in envs.observation_space
    assert envs.observation_space.shape == (4, 6 + 4 * 4)
    assert envs.single_action_space == gymnasium.spaces.Discrete(5)
    assert envs.action_space.shape == (4,)
    _observations, rewards, terminations, truncations, _infos = envs.step(envs.action_space.sample())
    assert [array.dtype for array in (rewards, terminations, truncations)] == [np.float64, np.bool_, np.bool_]
    assert not terminations.any()
    envs.close()
    envs.close()


def test_make_vec_makes_gymnasiums_own_too() -> None:
    envs = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=2, vectorization_mode="sync", scenario=SMALL)
    assert isinstance(envs.unwrapped, SyncVectorEnv)
    envs.reset(seed=1)
    envs.step(np.zeros(2, np.int64))
    envs.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("history", [False, True])
def test_it_is_gymnasiums_vector_environment_with_one_round_trip(
    make_vec: MakeVec, mode: AutoresetMode, history: bool
) -> None:
    """The same as SyncVectorEnv in all that is returned, when its environments play the same episodes."""
    rng = np.random.default_rng(1)
    num_envs, num_steps = 3, 60
    envs = make_vec(num_envs, autoreset_mode=mode, history=history)
    seeds = [5, 6, 7]
    script = rng.integers(-1, 6, (num_steps, num_envs))
    found = [envs.reset(seed=seeds)]
    masks: list[Any] = [None]
    for actions in script:
        found.append(envs.step(actions))  # type: ignore[arg-type]
        masks.append(None)
        ended = found[-1][3]  # type: ignore[misc]
        if mode is AutoresetMode.DISABLED and ended.any():
            found.append(envs.reset(seed=[100 + len(found) + i for i in range(3)], options={"reset_mask": ended}))
            masks.append(ended)

    singles: list[Replay] = []
    for lane in range(num_envs):
        env = Replay(SMALL, history=history)
        told = [infos for *_result, infos in found if infos["_episode_seed"][lane]]
        episodes = [int(infos["episode_seed"][lane]) for infos in told]
        env.episodes = [seed for i, seed in enumerate(episodes) if i > 0 and seed != episodes[i - 1]]
        singles.append(env)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = SyncVectorEnv([lambda env=env: env for env in singles], autoreset_mode=mode)  # type: ignore[misc]
    expected = [reference.reset(seed=seeds)]  # type: ignore[arg-type]
    steps = iter(script)
    num_ended = 0
    for i in range(1, len(found)):
        if masks[i] is not None:
            # the seeds are those of the episodes that followed
            expected.append(reference.reset(options={"reset_mask": masks[i]}))
        else:
            expected.append(reference.step(next(steps)))  # type: ignore[arg-type]
        num_ended += int(expected[-1][3].sum()) if len(expected[-1]) == 5 else 0
    assert num_ended >= 6
    for i, (result, wanted) in enumerate(zip(found, expected, strict=True)):
        for part, (value, other) in enumerate(zip(result, wanted, strict=True)):
            assert_equal(value, other, f"result {i} part {part}")
    reference.close()


def test_next_step_resets_at_the_next_step(make_vec: MakeVec) -> None:
    envs = make_vec(2)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    envs.reset(seed=1)
    truncations: Any = np.zeros(2, np.bool_)
    while not truncations.any():
        *_rest, truncations, infos = envs.step([0, 0])
    lane = int(truncations.argmax())
    assert infos["_episode_stats"].tolist() == truncations.tolist()
    assert infos["episode_stats"]["num_decisions"][lane] == infos["decision_index"][lane]
    _observations, rewards, _terminations, truncations, infos = envs.step([99, 99])
    assert rewards[lane] == 0
    assert not truncations[lane]
    assert infos["decision_index"][lane] == 0
    assert not infos["_cost_slots"][lane]


def test_disabled_never_resets(make_vec: MakeVec) -> None:
    envs = make_vec(2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=1)
    truncations: Any = np.zeros(2, np.bool_)
    while not truncations.any():
        *_rest, truncations, infos = envs.step([0, 0])
    with pytest.raises(MecgymError) as caught:
        envs.step([0, 0])
    assert caught.value.code == "needsReset"
    observations, infos = envs.reset(options={"reset_mask": truncations})
    assert infos["_episode_seed"].tolist() == truncations.tolist()
    assert observations in envs.observation_space
    envs.step([0, 0])


@pytest.mark.parametrize(
    "mask",
    [np.zeros(2, np.bool_), np.ones(3, np.bool_), np.ones(2, np.int8), [True, False], np.ones((2, 1), np.bool_), 1],
)
def test_bad_reset_masks_are_refused(make_vec: MakeVec, mask: Any) -> None:
    envs = make_vec(2, autoreset_mode="Disabled")
    envs.reset(seed=1)
    with pytest.raises(MecgymError) as caught:
        envs.reset(options={"reset_mask": mask})
    assert (caught.value.code, caught.value.path) == ("invalidOption", "options/reset_mask")


def test_a_masked_reset_needs_a_whole_one_before(make_vec: MakeVec) -> None:
    envs = make_vec(2)
    for call in (
        lambda: envs.reset(options={"reset_mask": np.asarray([True, False])}),
        lambda: envs.step([0, 0]),
        envs.look_ahead,
        envs.action_masks,
    ):
        with pytest.raises(MecgymError) as caught:
            call()
        assert caught.value.code == "needsReset"
    envs.reset(options={"reset_mask": np.asarray([True, True])})


def test_seeds_are_given_in_three_ways(make_vec: MakeVec) -> None:
    envs = make_vec(3)
    assert envs.reset(seed=10)[1]["episode_seed"].tolist() == [10, 11, 12]
    assert envs.reset(seed=[7, 7, 2**53 - 1])[1]["episode_seed"].tolist() == [7, 7, 2**53 - 1]
    drawn = envs.reset()[1]["episode_seed"]
    assert len(set(drawn.tolist())) == 3
    mixed = envs.reset(seed=[1, None, 3])[1]["episode_seed"]
    assert (mixed[0], mixed[2]) == (1, 3)


@pytest.mark.parametrize("seed", [-1, 2**53 - 2, [1, 2], [1, 2, -3], [1, 2, 2**53], [1, 2, 0.5], True])
def test_bad_seeds_are_refused(make_vec: MakeVec, seed: Any) -> None:
    envs = make_vec(3)
    envs.reset(seed=1)
    with pytest.raises(MecgymError) as caught:
        envs.reset(seed=seed)
    assert caught.value.code == "invalidSeed"
    assert envs.step([0, 0, 0])[4]["episode_seed"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "actions",
    [
        [0, 1],
        [[0, 1, 2]],
        [0.0, 1.0, 2.0],
        [0, float("nan"), 1],
        [True, False, True],
        [0, 1, 2**31],
        [0, 1, 2**70],
        0,
        None,
        np.asarray([0, 1, 2**63], np.uint64),
        ["0", "1", "2"],
        [0, None, 1],
        [[0], [1, 2], 3],
    ],
    ids=repr,
)
def test_bad_actions_are_refused_and_change_nothing(make_vec: MakeVec, actions: Any) -> None:
    envs, undisturbed = make_vec(3), make_vec(3)
    for one in (envs, undisturbed):
        one.reset(seed=1)
    with pytest.raises(MecgymError) as caught:
        envs.step(actions)
    assert caught.value.code == "invalidAction"
    for found, expected in zip(envs.step([0, 1, 2]), undisturbed.step([0, 1, 2]), strict=True):
        assert_equal(found, expected)


def test_look_ahead_has_a_row_for_each_environment(make_vec: MakeVec) -> None:
    envs = make_vec(3)
    envs.reset(seed=1)
    single = OffloadingEnv(SMALL)
    masks = envs.action_masks()
    ahead = envs.look_ahead(weight=0.5)
    for lane in range(3):
        single.reset(seed=1 + lane)
        expected = single.look_ahead(weight=0.5)
        np.testing.assert_array_equal(ahead.reward[lane][masks[lane]], expected.reward)
        assert np.isposinf(ahead.cost_slots[lane][~masks[lane]]).all()
    single.close()


def test_what_is_returned_is_the_callers_own(make_vec: MakeVec) -> None:
    envs = make_vec(2)
    observations, infos = envs.reset(seed=1)
    kept = observations.copy()
    results = [envs.step([0, 0]) for _ in range(2)]
    np.testing.assert_array_equal(observations, kept)
    for first, second in zip(results[0][:4], results[1][:4], strict=True):
        assert not np.shares_memory(first, second)
        assert first.flags.writeable
    assert infos["action_mask"].flags.writeable


def test_views_are_read_only_and_say_the_same(make_vec: MakeVec) -> None:
    copies, views = make_vec(3), make_vec(3, copy=False)
    kept = []
    for envs in (copies, views):
        first, _infos = envs.reset(seed=1)
        before = first.copy()
        observations, rewards, *_rest = envs.step([1, 2, 3])
        # an older view is not written over by the next message
        np.testing.assert_array_equal(first, before)
        kept.append((observations, rewards))
        assert observations.flags.writeable == rewards.flags.writeable == (envs is copies)
        assert observations.flags.owndata == (envs is copies)
    for mine, other in zip(*kept, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_rendering_has_a_text_for_each_environment(make_vec: MakeVec) -> None:
    envs = make_vec(2, render_mode="ansi")
    envs.reset(seed=1)
    texts = envs.render()
    assert texts is not None
    assert [text.splitlines()[0].split(",")[0] for text in texts] == ["episode 1", "episode 2"]
    assert make_vec(1).render() is None


@pytest.mark.parametrize(
    "arguments",
    [{"num_envs": 0}, {"num_envs": 2.0}, {"autoreset_mode": "next-step"}, {"render_mode": "human"}, {"split": "x"}],
)
def test_bad_arguments_are_refused(make_vec: MakeVec, arguments: dict[str, Any]) -> None:
    with pytest.raises(MecgymError) as caught:
        make_vec(**arguments)
    assert caught.value.code in ("invalidOption", "invalidRequest")


def test_a_closed_one_says_so(make_vec: MakeVec) -> None:
    envs = make_vec(2)
    envs.reset(seed=1)
    envs.close()
    for call in (envs.reset, lambda: envs.step([0, 0]), envs.look_ahead):
        with pytest.raises(MecgymError) as caught:
            call()
        assert caught.value.code == "closed"


def test_final_masks_are_those_of_final_observations() -> None:
    """Servers leave often, so the last decision has another mask than the one before it."""
    churn = {"leaveProbability": 0.4, "returnProbability": 0.4}
    scenario = {"numServers": 4, "episodeSlots": 5, "churn": churn}
    envs = OffloadingVectorEnv(20, scenario, seed=1, autoreset_mode="SameStep")
    envs.reset()
    num_ended = num_changed = 0
    for _ in range(60):
        before = envs.action_masks()
        infos = envs.step(np.zeros(20, np.int64))[4]
        for lane in np.flatnonzero(infos.get("_final_obs", np.zeros(20))):
            mask = infos["final_info"]["action_mask"][lane]
            capacities = infos["final_obs"][lane][7::4]
            assert mask.tolist() == [1, *(capacities > 0).astype(int).tolist()]
            num_ended += 1
            num_changed += bool((mask != before[lane]).any())
    envs.close()
    assert num_ended > 20
    assert num_changed > 5
