"""Wrappers: the same numbers in other shapes, in single environments and in batches, with every autoreset mode."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FlattenObservation

from mecgym import MecgymError, wrappers

SMALL = {"numServers": [2, 3], "episodeSlots": 4}
Wrap = Callable[[Any], Any]

#: Each kind of wrapper, and a stack of all: for one environment, and for a batch.
PAIRS: dict[str, tuple[Wrap, Wrap]] = {
    "scaled": (wrappers.ScaledObservation, wrappers.VectorScaledObservation),
    "tokens": (wrappers.ServerTokens, wrappers.VectorServerTokens),
    "mask": (wrappers.ActionMaskObservation, wrappers.VectorActionMaskObservation),
    "all": (
        lambda env: wrappers.ActionMaskObservation(
            wrappers.ServerTokens(wrappers.ScaledObservation(env)), observation_key="observations"
        ),
        lambda envs: wrappers.VectorActionMaskObservation(
            wrappers.VectorServerTokens(wrappers.VectorScaledObservation(envs)), observation_key="observations"
        ),
    ),
}


def make(wrap: Wrap | None = None, **options: Any) -> Any:
    env = gymnasium.make("mecgym/Offloading-v0", **{"scenario": SMALL, **options})
    return env if wrap is None else wrap(env)


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_gymnasium_finds_nothing_to_warn_of(name: str, history: bool) -> None:
    env = make(PAIRS[name][0], history=history)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # it looks for a spec to make more of them, which is the wrapped one's
        warnings.filterwarnings("ignore", ".*different from the unwrapped version.*")
        check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("name", PAIRS)
def test_a_batch_gives_what_single_environments_give(name: str, mode: AutoresetMode) -> None:
    wrap, wrap_vector = PAIRS[name]
    envs = wrap_vector(gymnasium.make_vec("mecgym/Offloading-v0", num_envs=2, scenario=SMALL, autoreset_mode=mode))
    singles = [make(wrap) for _ in range(2)]
    try:
        observations, _infos = envs.reset(seed=5)
        assert envs.observation_space.contains(observations)
        expected = [env.reset(seed=5 + lane)[0] for lane, env in enumerate(singles)]
        has_ended = [False, False]
        while not all(has_ended):
            for lane, row in enumerate(expected):
                if not has_ended[lane]:
                    assert data_equivalence(row_of(observations, lane), row, exact=True)
            if mode is AutoresetMode.DISABLED and any(has_ended):
                break
            observations, _, _, truncations, infos = envs.step(np.asarray([1, 2]))
            for lane, env in enumerate(singles):
                if has_ended[lane]:
                    continue
                expected[lane], _, _, has_ended[lane], _ = env.step(lane + 1)
                assert truncations[lane] == has_ended[lane]
                if has_ended[lane] and mode is AutoresetMode.SAME_STEP:
                    final = infos["final_obs"][lane]
                    assert data_equivalence(final, expected[lane], exact=True)
                    assert envs.single_observation_space.contains(final)
    finally:
        for env in (envs, *singles):
            env.close()


def row_of(observations: Any, lane: int) -> Any:
    if isinstance(observations, dict):
        return {name: values[lane] for name, values in observations.items()}
    return observations[lane]


@pytest.mark.parametrize("history", [False, True])
def test_tokens_have_a_row_for_each_action(history: bool) -> None:
    plain, tokens = make(history=history), make(wrappers.ServerTokens, history=history)
    flat, _info = plain.reset(seed=1)
    matrix, _info = tokens.reset(seed=1)
    fields = tokens.transform.fields
    base = plain.unwrapped
    num_task, num_server = len(base.observation_header), len(base.observation_server_fields)
    assert matrix.shape == (4, num_task + num_server + (10 if history else 0) + 1) == (4, len(fields))
    np.testing.assert_array_equal(matrix[:, :num_task], np.tile(flat[:num_task], (4, 1)))
    assert matrix[:, fields.index("isDevice")].tolist() == [1, 0, 0, 0]
    for e in (1, 2, 3):
        start = num_task + (e - 1) * num_server
        np.testing.assert_array_equal(matrix[e, num_task : num_task + num_server], flat[start : start + num_server])
        if history:
            start = num_task + 3 * num_server + (e - 1) * 10
            np.testing.assert_array_equal(matrix[e, num_task + num_server : -1], flat[start : start + 10])
    assert not matrix[0, num_task:-1].any()
    plain.close()
    tokens.close()


def test_scaled_numbers_are_of_the_order_of_one() -> None:
    envs: Any = wrappers.VectorScaledObservation(gymnasium.make_vec("mecgym/Offloading-v0", num_envs=64, history=True))
    observations, _infos = envs.reset(seed=1)
    largest = []
    for _ in range(100):
        look_ahead = envs.unwrapped.look_ahead()
        observations, *_rest = envs.step(look_ahead.cost_slots.argmin(axis=1))
        largest.append(np.quantile(observations, 0.99, axis=0))
    assert np.max(largest) < 5
    assert np.max(largest, axis=0).min() > 0.04  # the device's clock, 2 of 48 GHz
    envs.close()


def test_the_mask_is_the_same_in_all_four_shapes() -> None:
    env = make(lambda env: wrappers.ActionMaskObservation(env, "observations"), max_servers=5)
    observation, info = env.reset(seed=3)
    assert list(observation) == ["observations", "action_mask"] == list(env.observation_space)
    truncated = False
    while not truncated:
        masks = [observation["action_mask"], info["action_mask"], env.unwrapped.action_masks()]
        assert [mask.dtype for mask in masks] == [np.int8, np.int8, np.bool_]
        assert masks[0].tolist() == masks[1].tolist() == masks[2].tolist()
        assert masks[0].sum() == info["num_servers"] + 1
        observation, _, _, truncated, info = env.step(1)
    env.close()


def test_a_dict_can_be_made_flat_again() -> None:
    env = FlattenObservation(make(wrappers.ActionMaskObservation))
    plain = make()
    flat, info = env.reset(seed=1)
    # gymnasium flattens in the order of the keys
    assert flat.tolist() == [*plain.reset(seed=1)[0].tolist(), *info["action_mask"].tolist()]
    env.close()
    plain.close()


def test_wrapped_environments_can_be_pickled_and_made_from_their_spec() -> None:
    env = PAIRS["all"][0](make())
    expected = env.reset(seed=9)[0]
    for again in (copy_of(env), gymnasium.make(env.spec)):
        assert data_equivalence(again.reset(seed=9)[0], expected, exact=True)
        again.close()
    env.close()


def copy_of(env: Any) -> Any:
    return pickle.loads(pickle.dumps(env))  # noqa: S301 - it is this test's own


def test_wrappers_around_the_wrong_thing_are_refused() -> None:
    cart = gymnasium.make("CartPole-v1")
    for kind in (wrappers.ScaledObservation, wrappers.ServerTokens, wrappers.ActionMaskObservation):
        with pytest.raises(MecgymError) as caught:
            kind(cart)
        assert (caught.value.code, caught.value.path) == ("invalidOption", "env")
    cart.close()
    env = make(wrappers.ServerTokens)
    with pytest.raises(MecgymError) as caught:
        wrappers.ScaledObservation(env)
    assert caught.value.path == "env/observation_space"
    env.close()
