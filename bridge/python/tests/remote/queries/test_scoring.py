"""Scores of answers in recorded states: the figures of the records, and parse failures that cost what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mecgym import MecgymError, OffloadingEnv, make_dataset, score
from mecgym.data.scores import NO_ACTION, PARSE_FAILURES
from mecgym.remote.protocol.bodies import pack_texts


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """Return states with different numbers of servers."""
    return make_dataset("test", scenario="paper-3-to-11-servers-v1", count=12, show_progress=False)


def test_scores_of_all_actions_are_the_figures_of_the_record(records: list[dict[str, Any]]) -> None:
    for record in records:
        actions = np.arange(record["state"]["numServers"] + 1)
        scores = score([record], actions, state_of_answer=np.zeros(len(actions)), scenario=record["scenarioId"])
        assert scores.cost_slots.tolist() == record["costSlots"]
        assert scores.impact_slots.tolist() == record["impactSlots"]
        assert scores.reward.tolist() == record["lookAheadReward"]
        assert scores.action.tolist() == actions.tolist()
        assert set(scores.cheapest_cost_slots) == {min(record["costSlots"])}


def test_texts_are_read_and_charged(records: list[dict[str, Any]]) -> None:
    answers = ["Local", "Server 2", "I cannot say.", "", "Server 99", "<think>Server 1 or"]
    few = records[: len(answers)]
    scores = score(few, answers, scenario="paper-3-to-11-servers-v1")
    assert scores.action.tolist() == [0, 2, NO_ACTION, NO_ACTION, 99, NO_ACTION]
    failures = [PARSE_FAILURES[code] for code in scores.parse_failure]
    assert failures == ["none", "none", "noDecision", "empty", "none", "unfinishedReasoning"]
    assert scores.is_invalid.tolist() == [0, 0, 0, 0, 1, 0]
    costliest = [max(record["costSlots"]) for record in few]
    assert scores.cost_slots[2:].tolist() == costliest[2:]
    assert scores.cost_slots[:2].tolist() == [few[0]["costSlots"][0], few[1]["costSlots"][2]]


def test_answers_of_a_group_face_the_same_futures(records: list[dict[str, Any]]) -> None:
    options: dict[str, Any] = {"num_samples": 5, "rates": "resampled", "scenario": "paper-3-to-11-servers-v1"}
    scores = score(records[:2], ["Server 1"] * 6, state_of_answer=[0, 1, 0, 1, 0, 1], **options)
    assert len(set(scores.reward.tolist())) == 2


def test_states_of_an_episode_are_scored_as_it_looks_ahead() -> None:
    env = OffloadingEnv("paper-v1")
    env.reset(seed=7)
    ahead = env.look_ahead(weight=1.0, mode="sequential")
    record = make_dataset("grpo", count=1, show_progress=False)[0]
    assert ahead.reward.shape == (7,)
    actions = np.arange(7)
    options: dict[str, Any] = {"weight": 1.0, "mode": "sequential"}
    scores = score([record], actions, state_of_answer=[0] * 7, **options)
    assert scores.cost_slots.tolist() == record["costSlots"]
    assert (scores.reward == -(scores.cost_slots + scores.impact_slots)).all()
    env.close()


def test_nothing_is_scored_without_a_request() -> None:
    assert score([], []).reward.shape == (0,)


def test_texts_of_any_kind_are_packed() -> None:
    offsets, data = pack_texts(["ä", "", "服务器", "\ud800x"])
    assert offsets.tolist() == [0, 2, 2, 11, 13]
    assert data.tobytes().decode() == "ä服务器?x"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda record: record.pop("episodeSeed"), "invalidRecord"),
        (lambda record: record["state"].pop("rateMbps"), "invalidRecord"),
        (lambda record: record["state"]["rateMbps"].pop(), "invalidRecord"),
        (lambda record: record["state"].update(sizeMbit="3"), "invalidRecord"),
        (lambda record: record["state"].update(sizeMbit=-1.0), "unsupportedState"),
        (lambda record: record.update(episodeSeed=-1), "invalidRecord"),
    ],
)
def test_what_is_not_a_record_is_refused(spoil: Any, code: str, records: list[dict[str, Any]]) -> None:
    record = {**records[0], "state": {name: _copy(value) for name, value in records[0]["state"].items()}}
    spoil(record)
    with pytest.raises(MecgymError) as caught:
        score([record], ["Local"], scenario="paper-3-to-11-servers-v1")
    assert caught.value.code == code


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def test_answers_need_states() -> None:
    with pytest.raises(MecgymError) as caught:
        score([], ["Local"])
    assert caught.value.code == "invalidOption"
