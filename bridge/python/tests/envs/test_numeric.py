"""`OffloadingEnv`: Gymnasium's rules, episodes by their seeds, and what is refused before it does harm."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import mecgym
from helpers import play, session_of
from mecgym import MecgymError, OffloadingEnv, OffloadingVectorEnv

MakeEnv = Callable[..., OffloadingEnv]
SMALL: dict[str, Any] = {"numServers": {"min": 2, "max": 4}, "episodeSlots": 10}


@pytest.mark.parametrize(
    "arguments",
    [
        {"scenario": "paper-v1"},
        {"scenario": "paper-v1", "history": True},
        {"scenario": SMALL, "max_servers": 6},
        {"scenario": {"numServers": 1, "users": {"count": 1}, "arrivals": {"process": "poisson", "ratePerSlot": 3}}},
    ],
)
def test_gymnasium_finds_nothing_to_warn_of(arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("mecgym/Offloading-v0", **arguments)
        check_env(env.unwrapped)
        env.close()


@pytest.mark.parametrize("name", sorted(name for name in gymnasium.registry if name.startswith("mecgym/")))
@pytest.mark.parametrize(
    "scenario", ["paper-v1", "paper-3-to-11-servers-v1", "bursty-v1", "churn-v1", "scale-32-servers-v1"]
)
def test_gymnasium_finds_nothing_to_warn_of_in_what_is_registered(name: str, scenario: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for module in ("", "mecgym:"):
            env = gymnasium.make(module + name, scenario=scenario)
            check_env(env.unwrapped)
            env.close()


def test_both_names_make_the_environment() -> None:
    for name in ("mecgym/Offloading-v0", "mecgym:mecgym/Offloading-v0"):
        env = gymnasium.make(name, scenario="paper-v1")
        assert isinstance(env.unwrapped, OffloadingEnv)
        observation, info = env.reset(seed=3)
        assert observation in env.observation_space
        assert info["episode_seed"] == 3
        env.close()


def test_importing_again_does_not_register_again() -> None:
    assert mecgym.ENV_ID in gymnasium.registry


def test_spaces_have_the_scenarios_sizes(make_env: MakeEnv) -> None:
    env = make_env("paper-v1")
    assert env.action_space == gymnasium.spaces.Discrete(7)
    assert env.observation_space.shape == (6 + 6 * 4,)
    assert env.observation_space.dtype == np.float32
    assert np.isfinite(env.observation_space.low).all()
    assert np.isfinite(env.observation_space.high).all()
    assert make_env("paper-v1", history=True).observation_space.shape == (6 + 6 * (4 + 10),)
    assert make_env("paper-v1", max_servers=9).observation_space.shape == (6 + 9 * 4,)


def test_a_step_gives_what_gymnasium_expects(make_env: MakeEnv) -> None:
    env = make_env()
    _observation, info = env.reset(seed=1)
    assert sorted(info) == ["action_mask", "decision_index", "episode_seed", "num_servers", "slot"]
    assert [type(info[name]) for name in ("decision_index", "episode_seed", "num_servers", "slot")] == [int] * 4
    observation, reward, terminated, truncated, info = env.step(np.int64(2))
    assert observation.dtype == np.float32
    assert observation.flags.writeable
    assert (type(reward), terminated, truncated) == (float, False, False)
    assert reward == -info["cost_slots"]
    assert type(info["latency_slots"]) is float
    assert (type(info["is_late"]), type(info["invalid_action"])) == (bool, bool)
    assert (info["executed_action"], info["invalid_action"], info["decision_index"]) == (2, False, 1)
    assert info["action_mask"].dtype == np.int8
    assert "episode_stats" not in info


def test_episodes_end_truncated_and_with_their_statistics(make_env: MakeEnv) -> None:
    env = make_env(SMALL)
    _observation, info = env.reset(seed=4)
    late = 0
    truncated = False
    while not truncated:
        *_rest, terminated, truncated, info = env.step(0)
        late += info["is_late"]
        assert terminated is False
        assert type(truncated) is bool
    stats = info["episode_stats"]
    assert stats["episode_seed"] == 4
    assert stats["num_decisions"] == info["decision_index"]
    assert stats["finished_tasks"] + stats["unfinished_tasks"] == stats["num_decisions"]
    assert type(stats["realised_latency_sum_slots"]) is float
    assert type(stats["finished_late_tasks"]) is int
    with pytest.raises(MecgymError) as caught:
        env.step(0)
    assert caught.value.code == "needsReset"
    env.reset()
    env.step(0)


def test_observations_stay_in_their_space(make_env: MakeEnv) -> None:
    scenario = {
        "numServers": 2,
        "users": {"perServer": 3},
        "arrivals": {"process": "poisson", "ratePerSlot": 2},
        "uplink": {"meanSnrDb": -20, "meanRateMbps": 3},
        "localCpuGHz": 0.05,
        "episodeSlots": 30,
    }
    env = make_env(scenario, history=True)
    for seed, action in enumerate((0, 1, 2)):
        observation, _info = env.reset(seed=seed)
        truncated = False
        while not truncated:
            assert observation in env.observation_space
            observation, _reward, _terminated, truncated, _info = env.step(action)
        assert observation in env.observation_space


def test_a_seed_plays_one_episode_exactly(make_env: MakeEnv) -> None:
    first, second = make_env(SMALL, seed=1), make_env(SMALL, seed=2)
    assert play(first, [7, 8]) == play(second, [7, 8])
    assert play(first, [7]) != play(first, [8])
    # what was played before does not matter
    assert play(first, [8, 7, 8])[1] == play(second, [8, 7, 8])[1]


def test_resets_without_a_seed_follow_from_the_last_one(make_env: MakeEnv) -> None:
    first, second = make_env(SMALL), make_env(SMALL)
    first.reset(seed=5)
    second.reset(seed=5)
    episodes = [first.reset()[1]["episode_seed"] for _ in range(4)]
    assert episodes == [second.reset()[1]["episode_seed"] for _ in range(4)]
    assert len(set(episodes)) == 4


def test_the_seed_of_an_environment_picks_its_episodes(make_env: MakeEnv) -> None:
    def episodes(**arguments: Any) -> list[int]:
        env = make_env(SMALL, **arguments)
        return [env.reset()[1]["episode_seed"] for _ in range(3)]

    assert episodes(seed=1) == episodes(seed=1)
    assert episodes(seed=1) != episodes(seed=2)
    assert episodes() != episodes()


@pytest.mark.parametrize(
    ("split", "start", "size"), [("train", 0, 10**6), ("validation", 10**6, 10**4), ("test", 2 * 10**6, 10**4)]
)
def test_resets_stay_in_their_split(make_env: MakeEnv, split: str, start: int, size: int) -> None:
    env = make_env(SMALL, split=split)
    assert all(start <= env.reset()[1]["episode_seed"] < start + size for _ in range(5))


@pytest.mark.parametrize("seed", [-1, 2**53, 2**64 - 1, 1.5, True, "1", float("nan")])
def test_seeds_beyond_their_range_are_refused(make_env: MakeEnv, seed: Any) -> None:
    env = make_env(SMALL)
    env.reset(seed=3)
    with pytest.raises(MecgymError) as caught:
        env.reset(seed=seed)
    assert (caught.value.code, caught.value.path) == ("invalidSeed", "seed")
    with pytest.raises(MecgymError):
        make_env(SMALL, seed=seed)
    *_rest, info = env.step(0)
    assert (info["episode_seed"], info["decision_index"]) == (3, 1)


def test_the_largest_seed_is_played(make_env: MakeEnv) -> None:
    env = make_env(SMALL)
    assert env.reset(seed=2**53 - 1)[1]["episode_seed"] == 2**53 - 1
    numpy_seed: Any = np.int64(12)
    assert env.reset(seed=numpy_seed)[1]["episode_seed"] == 12


BAD_ACTIONS = [
    1.5,
    2.0,
    float("nan"),
    None,
    "1",
    True,
    np.True_,
    np.array([True, False]),
    np.array([1]),
    np.float32(1),
    2**31,
    -(2**31) - 1,
    np.uint64(2**63),
]


@pytest.mark.parametrize("action", BAD_ACTIONS, ids=repr)
def test_bad_actions_are_refused_and_change_nothing(make_env: MakeEnv, action: Any) -> None:
    env, undisturbed = make_env(SMALL), make_env(SMALL)
    for disturbed in (env, undisturbed):
        disturbed.reset(seed=9)
    for _ in range(4):
        with pytest.raises(MecgymError) as caught:
            env.step(action)
        assert caught.value.code == "invalidAction"
        found, expected = env.step(1), undisturbed.step(1)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:4] == expected[1:4]


@pytest.mark.parametrize("action", [2, np.int64(2), np.int8(2), np.uint16(2), np.array(2), np.int32(2)], ids=repr)
def test_integers_of_every_kind_are_actions(make_env: MakeEnv, action: Any) -> None:
    env = make_env()
    env.reset(seed=1)
    assert env.step(action)[4]["executed_action"] == 2


@pytest.mark.parametrize("action", [99, -1, 2**31 - 1, -(2**31)])
def test_actions_that_do_not_exist_are_carried_out_as_the_costliest(make_env: MakeEnv, action: int) -> None:
    env = make_env()
    env.reset(seed=1)
    costs = env.look_ahead().cost_slots
    info = env.step(action)[4]
    assert info["invalid_action"] is True
    assert info["executed_action"] == int(np.argmax(costs))
    assert info["cost_slots"] == costs.max()


def test_masks_show_which_actions_exist(make_env: MakeEnv) -> None:
    env = make_env(SMALL)
    sizes = set()
    for seed in range(12):
        _observation, info = env.reset(seed=seed)
        masks = env.action_masks()
        assert masks.dtype == np.bool_
        assert masks.tolist() == [action <= info["num_servers"] for action in range(5)]
        np.testing.assert_array_equal(info["action_mask"], masks)
        sizes.add(info["num_servers"])
        assert len(env.look_ahead().cost_slots) == info["num_servers"] + 1
    assert sizes == {2, 3, 4}


def test_look_ahead_gives_the_costs_of_the_actions(make_env: MakeEnv) -> None:
    env = make_env()
    for action in range(7):
        env.reset(seed=1)
        env.step(3)
        ahead = env.look_ahead()
        assert [array.shape for array in vars(ahead).values()] == [(7,)] * 4
        assert [array.dtype for array in vars(ahead).values()] == [np.float64] * 4
        weight = env.scenario["lookAhead"]["weight"]
        np.testing.assert_array_equal(ahead.reward, -(ahead.cost_slots + weight * ahead.impact_slots))
        info = env.step(action)[4]
        assert info["cost_slots"] == ahead.cost_slots[action]
        assert info["latency_slots"] == ahead.latency_slots[action]


def test_servers_that_leave_are_masked_and_their_tasks_lost(make_env: MakeEnv) -> None:
    churn = {"leaveProbability": 0.1, "returnProbability": 0.2}
    env = make_env({"users": {"count": 24}, "deadlineSlots": 4, "churn": churn, "episodeSlots": 60}, render_mode="ansi")
    assert env.scenario["churn"] == churn
    _observation, info = env.reset(seed=3)
    lost = on_time = absent_seen = 0
    truncated = False
    while not truncated:
        ahead = env.look_ahead()
        absent = np.flatnonzero(~env.action_masks()).tolist()
        assert np.flatnonzero(np.isinf(ahead.cost_slots)).tolist() == absent
        assert np.flatnonzero(ahead.reward == -np.inf).tolist() == absent
        if absent:
            absent_seen += 1
            assert f"{absent[0]} server   absent" in str(env.render())
        action = absent[0] if info["decision_index"] % 7 == 0 and absent else int(np.argmax(ahead.reward))
        observation, reward, _terminated, truncated, info = env.step(action)
        assert observation in env.observation_space
        assert info["invalid_action"] is (action in absent)
        decision_cost = ahead.cost_slots[info["executed_action"]]
        penalty = env.scenario["deadlinePenaltySlots"] * info["lost_on_time_tasks"]
        assert -reward == info["cost_slots"] == decision_cost + penalty
        lost += info["lost_tasks"]
        on_time += info["lost_on_time_tasks"]
    stats = info["episode_stats"]
    assert stats["lost_tasks"] == lost > on_time > 0
    assert stats["finished_tasks"] + stats["unfinished_tasks"] + lost == stats["num_decisions"]
    assert absent_seen > 0


@pytest.mark.parametrize("scenario", ["bursty-v1", "churn-v1", "paper-poisson-v1"])
def test_every_kind_of_arrivals_has_a_space(make_env: MakeEnv, scenario: str) -> None:
    env = make_env(scenario)
    observation, _info = env.reset(seed=0)
    assert observation in env.observation_space


def test_look_ahead_takes_options_and_changes_nothing(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset(seed=1)
    usual = env.look_ahead()
    options: dict[str, Any] = {"num_samples": np.int64(8), "weight": 2, "size_factor": (np.float32(1), 2.0)}
    other = env.look_ahead(**options, mode="sequential", rates="resampled")
    np.testing.assert_array_equal(usual.cost_slots, other.cost_slots)
    assert (usual.impact_slots != other.impact_slots).any()
    np.testing.assert_array_equal(env.look_ahead().reward, usual.reward)
    np.testing.assert_array_equal(env.look_ahead(weight=0).reward, -usual.cost_slots)
    with pytest.raises(AttributeError):
        usual.reward = usual.cost_slots  # type: ignore[misc]


@pytest.mark.parametrize(
    "options",
    [
        {"num_samples": 0},
        {"num_samples": "3"},
        {"weight": -1.0},
        {"weight": float("nan")},
        {"mode": "both"},
        {"rates": 1},
        {"size_factor": 3},
        {"size_factor": (2.0, 1.0)},
    ],
)
def test_bad_options_of_a_look_ahead_are_refused(make_env: MakeEnv, options: dict[str, Any]) -> None:
    env = make_env()
    env.reset(seed=1)
    with pytest.raises(MecgymError) as caught:
        env.look_ahead(**options)
    assert caught.value.code in ("invalidOption", "invalidRequest")
    assert env.step(1)[4]["decision_index"] == 1


def test_nothing_goes_before_the_first_reset(make_env: MakeEnv) -> None:
    env = make_env()
    for call in (lambda: env.step(0), env.look_ahead, env.action_masks):
        with pytest.raises(MecgymError) as caught:
            call()
        assert caught.value.code == "needsReset"


def test_a_closed_environment_says_so(make_env: MakeEnv) -> None:
    env = make_env()
    env.reset(seed=1)
    env.close()
    env.close()
    for call in (env.reset, lambda: env.step(0), env.look_ahead, env.action_masks):
        with pytest.raises(MecgymError, match="closed") as caught:
            call()
        assert caught.value.code == "closed"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"max_servers": 2}, "maxServers"),
        ({"max_servers": 0}, "max_servers"),
        ({"max_servers": 1.5}, "max_servers"),
        ({"split": "all"}, "split"),
        ({"render_mode": "human"}, "render_mode"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
    ],
)
def test_bad_arguments_are_refused(make_env: MakeEnv, arguments: dict[str, Any], path: str) -> None:
    with pytest.raises(MecgymError) as caught:
        make_env(**arguments)
    assert caught.value.code in ("invalidOption", "invalidRequest")
    assert caught.value.path is not None
    assert path in caught.value.path


def test_rendering_is_text(make_env: MakeEnv) -> None:
    env = make_env(SMALL, render_mode="ansi")
    _observation, info = env.reset(seed=1)
    text = env.render()
    assert isinstance(text, str)
    assert text.count("server") == info["num_servers"]
    assert "last" not in text
    env.step(1)
    text = env.render()
    assert text is not None
    assert "> 1 server" in text
    assert "last: action 1" in text


def test_two_environments_share_a_server(make_env: MakeEnv) -> None:
    first, second = make_env(SMALL, backend="server"), make_env(SMALL, backend="server")
    assert session_of(first)._link.endpoint is session_of(second)._link.endpoint
    alone = play(first, [1])
    for env in (first, second):
        env.reset(seed=1)
    interleaved = []
    for _ in range(5):
        interleaved.append(first.step(1)[0])
        np.testing.assert_array_equal(second.step(1)[0], interleaved[-1])
    assert play(second, [1]) == alone


def test_many_environments_can_be_left_to_the_collector() -> None:
    for _ in range(300):
        OffloadingEnv(SMALL).reset(seed=1)


def test_scenarios_come_by_id_as_fields_or_from_a_file(make_env: MakeEnv, tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    file.write_text(json.dumps(SMALL), encoding="utf-8")
    marked = tmp_path / "with-a-byte-order-mark.json"
    marked.write_text(json.dumps(SMALL), encoding="utf-8-sig")
    digests = {play(make_env(scenario), [1])[0] for scenario in (SMALL, file, str(file), marked)}
    assert len(digests) == 1
    env = make_env(file)
    assert env.scenario["numServers"] == SMALL["numServers"]
    assert env.scenario_hash == mecgym.scenario_hash(SMALL)


def test_the_scenario_of_an_environment_is_complete(make_env: MakeEnv) -> None:
    scenario = copy.deepcopy(SMALL)
    env = make_env(scenario)
    assert scenario == SMALL
    assert env.scenario["deadlineSlots"] == 10
    assert env.scenario["lookAhead"]["numSamples"] == 3


@pytest.mark.parametrize(
    ("scenario", "code", "path"),
    [
        ("paper-v9", "unknownScenario", "scenario"),
        ({"numServer": 3}, "invalidScenario", "numServer"),
        ({"serverCpuGHz": {"min": -1, "max": 20}}, "invalidScenario", "serverCpuGHz"),
        ({"numServers": {"min": 4, "max": 2}}, "invalidScenario", "numServers"),
        ({"numServers": float("nan")}, "invalidScenario", "numServers"),
        (7, "invalidScenario", "scenario"),
        ("no-such-file.json", "invalidScenario", "no-such-file.json"),
    ],
)
def test_bad_scenarios_are_refused_with_reasons(make_env: MakeEnv, scenario: Any, code: str, path: str) -> None:
    with pytest.raises(MecgymError) as caught:
        make_env(scenario)
    error = caught.value
    assert error.code == code
    assert error.path is not None
    assert path in error.path or path in str(error)
    assert error.expected
    assert error.got is not None
    assert error.code in str(error) or str(error.expected) in str(error)


@pytest.mark.parametrize("scenario", [{"numServers": {1, 2}}, {"numServers": 2**70}, {"description": "x" * 70_000}])
def test_scenarios_that_are_not_plain_data_are_refused(make_env: MakeEnv, scenario: dict[str, Any]) -> None:
    with pytest.raises(MecgymError) as caught:
        make_env(scenario)
    assert caught.value.code in ("invalidScenario", "invalidRequest")


def test_scenarios_are_listed_with_their_hashes() -> None:
    infos = mecgym.list_scenarios()
    paper = next(info for info in infos if info.id == "paper-v1")
    assert [info.id for info in infos] == sorted(info.id for info in infos)
    assert paper.description
    assert paper.scenario["numServers"] == 6
    assert paper.hash == mecgym.scenario_hash("paper-v1") == mecgym.scenario_hash({"id": "other"})
    assert len(paper.hash) == 64
    assert mecgym.scenario_hash({"numServers": 5}) != paper.hash


class OneNumber:
    """What a tensor of one number is to whoever knows no such library."""

    ndim = 0

    def __init__(self, number: Any) -> None:
        self.number = number

    def item(self) -> Any:
        return self.number


def test_a_tensor_of_one_integer_is_an_action() -> None:
    env, other = OffloadingEnv(), OffloadingEnv()
    env.reset(seed=3)
    other.reset(seed=3)
    assert env.step(OneNumber(2))[1] == other.step(2)[1]  # type: ignore[arg-type]
    for wrong in (OneNumber(1.0), OneNumber(True), OneNumber(2**31)):
        with pytest.raises(MecgymError, match="invalidAction"):
            env.step(wrong)  # type: ignore[arg-type]
    with pytest.raises(MecgymError, match="invalidAction"):
        env.step(2**31)
    # what was refused has changed nothing
    assert env.step(1)[1] == other.step(1)[1]


def test_options_of_a_reset_that_do_not_exist_are_refused() -> None:
    for env in (OffloadingEnv(), OffloadingVectorEnv(2)):
        with pytest.raises(MecgymError) as caught:
            env.reset(options={"typo": 1})
        assert (caught.value.code, caught.value.path) == ("invalidOption", "options/typo")


def test_numpy_seeds_seed_the_generator() -> None:
    for make in (OffloadingEnv, lambda: OffloadingVectorEnv(2)):
        drawn = []
        for seed in (7, np.int64(7)):
            env = make()
            env.reset(seed=seed)
            drawn.append(env.np_random.random())
        assert drawn[0] == drawn[1]


def test_max_episode_steps_of_a_batch_names_the_scenarios_field() -> None:
    with pytest.raises(MecgymError, match="episodeSlots"):
        OffloadingVectorEnv(2, max_episode_steps=10)
