"""Rewards with wrong columns, other scenarios and no server: one clear error, and never a figure of something else."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import mecgym.integrations.trl
from mecgym import MecgymError, OffloadingTextEnv, ServerError, make_dataset, score
from mecgym.trl import LacsReward, LatencyReward, OffloadingTurns

pytestmark = pytest.mark.limit_seconds(600)

OWN: dict[str, Any] = {"id": "campus", "numServers": 3, "users": {"count": 4}, "densityGcyclesPerMbit": 0.4}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return make_dataset("grpo", count=3, show_progress=False)


@pytest.fixture(scope="module")
def own_records() -> list[dict[str, Any]]:
    return make_dataset("grpo", scenario=OWN, count=3, show_progress=False)


def ask(reward: Any, records: list[dict[str, Any]], completion: Any = "Local", **more: Any) -> list[float | None]:
    names = ("state", "episodeSeed", "scenarioId", "scenarioHash")
    columns = {name: [record[name] for record in records] for name in names}
    rewards: list[float | None] = reward([], [completion] * len(records), **{**columns, **more})
    return rewards


def local_costs(records: list[dict[str, Any]]) -> list[float]:
    return [-record["costSlots"][0] for record in records]


def test_own_scenarios(records: list[dict[str, Any]], own_records: list[dict[str, Any]]) -> None:
    assert ask(LatencyReward(OWN), own_records) == local_costs(own_records)
    mixed = [records[0], own_records[1], records[2], own_records[0]]
    assert ask(LatencyReward([OWN, "paper-v1"]), mixed) == local_costs(mixed)


def test_data_of_another_scenario_are_refused(records: list[dict[str, Any]], own_records: list[dict[str, Any]]) -> None:
    with pytest.raises(MecgymError, match=r"invalidRecord at states/0/scenarioHash: .* scenario paper-v1"):
        ask(LatencyReward("paper-v1"), own_records)
    with pytest.raises(MecgymError, match="one of the reward's scenarios, campus, paper-3-servers-v1"):
        ask(LatencyReward([OWN, "paper-3-servers-v1"]), records)
    with pytest.raises(MecgymError, match="unknownScenario"):
        ask(LatencyReward(), own_records)
    # without a hash, the numbers of a state tell
    with pytest.raises(MecgymError, match=r"states/0/state/densityGcyclesPerMbit: expected 0.297"):
        ask(LatencyReward("paper-v1"), own_records, scenarioHash=None)
    with pytest.raises(MecgymError, match="scenarioHash"):
        score(own_records, ["Local"] * 3)
    assert score(own_records, ["Local"] * 3, scenario=OWN).cost_slots.tolist() == [-x for x in local_costs(own_records)]


def test_a_missing_scenario_is_not_a_default(records: list[dict[str, Any]]) -> None:
    for missing in (None, [None] * 3):
        with pytest.raises(MecgymError, match="invalidRecord at scenarioId"):
            ask(LatencyReward(), records, scenarioId=missing)
    assert ask(LatencyReward("paper-v1"), records, scenarioId=None, scenarioHash=None) == local_costs(records)


def test_an_unknown_scenario_fails_when_the_reward_is_made() -> None:
    with pytest.raises(MecgymError, match=r"unknownScenario.*did you mean paper-v1"):
        LacsReward("paper-v2")
    with pytest.raises(MecgymError, match="invalidScenario"):
        LacsReward({"users": 24})


@pytest.mark.parametrize("completion", [None, 3, [1, 2], ["Local"], {"role": "assistant"}])
def test_completions_of_another_kind(records: list[dict[str, Any]], completion: Any) -> None:
    with pytest.raises(MecgymError, match="invalidRecord at completions/0: expected a text or a list of messages"):
        ask(LatencyReward(), records, completion)


def test_no_completions_arrays_and_nulls(records: list[dict[str, Any]]) -> None:
    assert LatencyReward()([], []) == []
    arrays = {
        "episodeSeed": np.array([one["episodeSeed"] for one in records]),
        "scenarioId": np.array(["paper-v1"] * 3),
        "state": np.array([{**one["state"], "isAvailable": None} for one in records], object),
    }
    assert ask(LatencyReward(), records, **arrays) == local_costs(records)
    assert ask(LatencyReward(), records, [{"role": "assistant", "content": "Local"}]) == local_costs(records)


def test_an_answer_that_is_too_long_is_a_parse_failure(records: list[dict[str, Any]]) -> None:
    long = "Local " * 200_000
    figures: dict[str, float] = {}
    rewards = ask(LatencyReward(), records, long, log_metric=figures.__setitem__)
    assert rewards == [-max(record["costSlots"]) for record in records]
    assert figures["mecgym/parse_failures"] == 1
    env = OffloadingTextEnv()
    env.reset(seed=1)
    *_others, info = env.step(long)
    assert (info["parse_failure"], info["parsed_action"]) == ("noDecision", None)
    env.close()


def test_missing_columns_name_the_setting(records: list[dict[str, Any]]) -> None:
    with pytest.raises(MecgymError, match="remove_unused_columns=True"):
        LatencyReward()([], ["Local"] * len(records))
    columns: dict[str, Any] = {
        name: [record[name] for record in records] for name in ("state", "episodeSeed", "scenarioId")
    }
    with pytest.raises(MecgymError, match="3 entries for 2 completions"):
        LatencyReward()([], ["Local"] * 2, **columns)


def test_two_rewards_of_one_class_have_two_names() -> None:
    names = [LacsReward().__name__, LacsReward(weight=0.5).__name__, LacsReward(OWN).__name__, LatencyReward().__name__]
    assert names[:2] == ["LacsReward", "LacsReward(weight=0.5)"]
    assert names[2].startswith("LacsReward(scenario=campus@")
    assert len(set(names)) == 4


def test_a_server_that_cannot_be_reached_ends_the_training(
    records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise ServerError("serverLost", path="score", expected="a reply", got="nothing")

    works = score
    reward = LatencyReward(max_failures=2)
    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(mecgym.integrations.trl, "_last", None)
        monkeypatch.setattr(mecgym.integrations.trl, "score", fail)
        assert ask(reward, records) == [None] * 3
        monkeypatch.setattr(mecgym.integrations.trl, "score", works)
        assert ask(reward, records) == local_costs(records)
        monkeypatch.setattr(mecgym.integrations.trl, "_last", None)
        monkeypatch.setattr(mecgym.integrations.trl, "score", fail)
        assert ask(reward, records) == [None] * 3
        with pytest.raises(ServerError, match="serverLost"):
            ask(reward, records)
    assert "no rewards for this batch" in caplog.text


def test_turns_need_a_seed_and_a_reset() -> None:
    turns = OffloadingTurns()
    with pytest.raises(MecgymError, match="needsReset at get_reward"):
        turns.get_reward()
    with pytest.raises(MecgymError, match=r"invalidSeed at episodeSeed: .* all members of a group"):
        turns.reset()
    assert turns.reset(episodeSeed=3) == turns.reset(episodeSeed=3)
