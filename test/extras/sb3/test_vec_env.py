"""`OffloadingVecEnv` keeps to what Stable-Baselines3 expects of a VecEnv, and plays the episodes of `OffloadingEnv`."""

# ruff: noqa: D103

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecMonitor, VecNormalize

import mecgym
from conftest import Make
from mecgym import MecgymError, OffloadingEnv

CHURN = "churn-v1"
MIXED = "paper-3-to-11-servers-v1"


def actions_of(rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    return np.where(masks, rng.random(masks.shape), -1).argmax(axis=1)


def without(info: dict, *names: str) -> dict:
    return {name: value for name, value in info.items() if name not in names}


@pytest.mark.parametrize("scenario", ["paper-v1", MIXED, CHURN])
def test_check_env_of_the_library_has_nothing_to_say(scenario: str) -> None:
    env = gymnasium.make(mecgym.ENV_ID, scenario=scenario, history=scenario == CHURN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, warn=True)
        check_env(env, warn=True)
    env.close()


@pytest.mark.parametrize("scenario", [MIXED, CHURN])
def test_plays_what_the_librarys_own_batch_of_single_environments_plays(scenario: str, make: Make) -> None:
    """Observations, rewards, ends and infos of three lanes over two episodes and their ends, against DummyVecEnv."""
    batch = make(3, scenario, seed=11)
    # lane i of a batch draws its later episodes as lane i, a single environment as lane 0: give them the seeds
    singles = DummyVecEnv([lambda: OffloadingEnv(scenario, seed=0) for _ in range(3)])
    assert singles.observation_space == batch.observation_space
    assert singles.action_space == batch.action_space
    for episodes in ([5, 6, 7], [1005, 1006, 1007]):
        rng = np.random.default_rng(episodes[0])
        batch.seed(episodes[0])
        singles.seed(episodes[0])
        found, expected = batch.reset(), singles.reset()
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
        assert [info["episode_seed"] for info in batch.reset_infos] == episodes
        running = np.ones(3, bool)
        while running.any():
            masks = np.stack(batch.env_method("action_masks"))
            actions = actions_of(rng, masks)
            found, rewards, dones, infos = batch.step(actions)
            expected, expected_rewards, expected_dones, expected_infos = singles.step(actions)
            assert rewards.dtype == expected_rewards.dtype == np.float32
            np.testing.assert_array_equal(rewards[running], expected_rewards[running])
            np.testing.assert_array_equal(dones[running], expected_dones[running])
            for lane in np.flatnonzero(running):
                info, expected_info = infos[lane], expected_infos[lane]
                assert info.keys() == expected_info.keys()
                for name, value in without(expected_info, "terminal_observation", "action_mask").items():
                    assert info[name] == value, name
                    assert type(info[name]) is type(value), name
                np.testing.assert_array_equal(info["action_mask"], expected_info["action_mask"])
                if dones[lane]:
                    assert info["TimeLimit.truncated"] is True
                    np.testing.assert_array_equal(info["terminal_observation"], expected_info["terminal_observation"])
                    assert batch.reset_infos[lane]["decision_index"] == 0
                    assert batch.reset_infos[lane]["episode_seed"] != episodes[lane]
                else:
                    assert info["TimeLimit.truncated"] is False
                    np.testing.assert_array_equal(found[lane], expected[lane])
            running &= ~dones
    singles.close()


def test_lanes_answer_as_environments_do(make: Make) -> None:
    batch = make(4, MIXED)
    batch.seed(3)
    batch.reset()
    assert is_masking_supported(batch)
    masks = get_action_masks(batch)
    assert masks.dtype == np.bool_
    singles = [OffloadingEnv(MIXED) for _ in range(4)]
    for lane, single in enumerate(singles):
        single.reset(seed=3 + lane)
        np.testing.assert_array_equal(masks[lane], single.action_masks())
        (ahead,) = batch.env_method("look_ahead", indices=lane, num_samples=2)
        expected = single.look_ahead(num_samples=2)
        np.testing.assert_array_equal(ahead.reward, expected.reward)
        np.testing.assert_array_equal(ahead.cost_slots, expected.cost_slots)
        single.close()
    assert len(batch.env_method("action_masks", indices=[0, 2])) == 2
    assert batch.get_attr("scenario_hash", indices=[1]) == [mecgym.scenario_hash(MIXED)]
    assert batch.get_attr("render_mode") == [None] * 4
    assert batch.env_is_wrapped(Monitor) == [False] * 4
    assert not batch.has_attr("no_such_thing")
    for wrong in (
        lambda: batch.get_attr("no_such_thing"),
        lambda: batch.env_method("close"),
        lambda: batch.set_attr("scenario", "paper-v1"),
    ):
        with pytest.raises(AttributeError):
            wrong()


def test_bad_input_changes_nothing(make: Make) -> None:
    batch, twin = make(2), make(2)
    for env in (batch, twin):
        env.seed(9)
        env.reset()
    for actions in (np.zeros(3, int), np.zeros(2), np.asarray([0, 2**40])):
        with pytest.raises(MecgymError) as refused:
            batch.step(actions)
        assert refused.value.code == "invalidAction"
    for one, other in zip(batch.step(np.asarray([1, 2]))[:3], twin.step(np.asarray([1, 2]))[:3], strict=True):
        np.testing.assert_array_equal(one, other)
    batch.set_options({"scenario": CHURN})
    with pytest.raises(MecgymError, match="no options of a reset"):
        batch.reset()
    with pytest.raises(MecgymError, match="SameStep"):
        make(2, autoreset_mode="NextStep")
    batch.close()
    batch.close()


def test_the_librarys_wrappers_go_around_it(make: Make) -> None:
    """Returns of VecMonitor are the sums of rewards; VecNormalize has the mean and variance of what it saw."""
    batch = make(4, seed=1)
    env = VecNormalize(VecCheckNan(VecMonitor(batch), raise_exception=True), norm_reward=False, clip_obs=1e9)
    env.seed(1)
    env.reset()
    seen, returns, ended = [env.get_original_obs()], np.zeros(4), 0
    rng = np.random.default_rng(0)
    for _ in range(500):
        _observations, rewards, dones, infos = env.step(rng.integers(0, 7, 4))
        returns += rewards
        seen.append(env.get_original_obs())
        for lane in np.flatnonzero(dones):
            episode = infos[lane]["episode"]
            assert episode["r"] == pytest.approx(returns[lane], rel=1e-4)
            assert episode["l"] == infos[lane]["decision_index"] == infos[lane]["episode_stats"]["num_decisions"]
            returns[lane] = 0
            ended += 1
    assert ended >= 4
    np.testing.assert_allclose(env.obs_rms.mean, np.concatenate(seen).mean(axis=0), rtol=1e-3, atol=1e-3)
    assert get_action_masks(env).shape == (4, 7)
