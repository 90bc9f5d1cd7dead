"""Rewards of `mecgym.trl`: the figures of the data, one request a batch, and None only if nobody could be asked."""

# ruff: noqa: D103

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import mecgym.integrations.trl
from conftest import Write, records_of
from mecgym import MecgymError, ServerNotFound
from mecgym.trl import FormatReward, LacsReward, LatencyReward, make_dataset, paper_config

NO_ANSWER = "I would rather not say."


@pytest.fixture(scope="module")
def records(write: Write) -> list[dict[str, Any]]:
    return records_of(write("grpo", "--count", "12"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mecgym.integrations.trl, "_last", None)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return a list that gets the number of answers of every request."""
    sizes: list[int] = []
    score = mecgym.integrations.trl.score

    def counting(states: Any, answers: Any, **options: Any) -> Any:
        sizes.append(len(answers))
        return score(states, answers, **options)

    monkeypatch.setattr(mecgym.integrations.trl, "score", counting)
    return sizes


def word_of(action: int) -> str:
    return "Local" if action == 0 else f"Server {action}"


def columns_of(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [record[name] for record in records] for name in records[0]}


def ask(reward: Any, records: list[dict[str, Any]], completions: list[Any], **more: Any) -> list[float | None]:
    columns = columns_of(records)
    return reward(prompts=columns.pop("prompt"), completions=completions, **columns, **more)


def test_rewards_are_the_figures_of_the_records(records: list[dict[str, Any]]) -> None:
    for action in range(7):
        words = [word_of(action)] * len(records)
        assert ask(LacsReward(), records, words) == [record["lookAheadReward"][action] for record in records]
        assert ask(LatencyReward(), records, words) == [-record["costSlots"][action] for record in records]
        assert ask(FormatReward(), records, words) == [1.0] * len(records)


def test_what_cannot_be_read_costs_as_much_as_the_costliest_action(records: list[dict[str, Any]]) -> None:
    for answer in (NO_ANSWER, "", "Server 99"):
        words = [answer] * len(records)
        costliest = [record["costSlots"].index(max(record["costSlots"])) for record in records]
        expected = [record["lookAheadReward"][action] for record, action in zip(records, costliest, strict=True)]
        assert ask(LacsReward(), records, words) == expected
        assert ask(LatencyReward(), records, words) == [-max(record["costSlots"]) for record in records]
        assert ask(FormatReward(), records, words) == [0.0] * len(records)


def test_messages_are_read_as_their_text(records: list[dict[str, Any]]) -> None:
    as_text = ask(LacsReward(), records, ["Server 2"] * 12)
    message = [{"role": "assistant", "content": "Server 2"}]
    parts = [{"role": "assistant", "content": [{"type": "text", "text": "Server "}, {"type": "text", "text": "2"}]}]
    tools = [{"role": "assistant", "content": None}, {"role": "tool", "content": "Server 5"}, *message]
    assert ask(LacsReward(), records, [message] * 12) == as_text
    assert ask(LacsReward(), records, [parts] * 12) == as_text
    assert ask(LacsReward(), records, [tools] * 12) == as_text


def test_one_request_a_batch_with_each_answer_once(records: list[dict[str, Any]], requests: list[int]) -> None:
    """Two groups of four; one has two different answers, the other three; a second reward asks nothing again."""
    batch = [records[0]] * 4 + [records[1]] * 4
    answers = ["Local", "Server 1", "Local", "Local", "Server 1", "Server 2", NO_ANSWER, "Server 2"]
    found = ask(LacsReward(), batch, answers)
    assert requests == [5]
    assert found[0] == found[2] == found[3] == records[0]["lookAheadReward"][0]
    assert found[5] == found[7] == records[1]["lookAheadReward"][2]
    ask(FormatReward(), batch, answers)
    ask(LatencyReward(), batch, answers)
    assert requests == [5]
    ask(LacsReward(weight=1.0), batch, answers)
    assert requests == [5, 5]
    mixed = [records[0]] * 2 + [{**records[1], "scenarioId": "load-24-users-v1", "scenarioHash": None}] * 2
    ask(LacsReward(), mixed, ["Local"] * 4)
    assert requests == [5, 5, 1, 1]  # a request for each scenario


def test_options_of_the_look_ahead_reach_the_server(records: list[dict[str, Any]]) -> None:
    words = ["Server 1"] * 12
    costs, now = ask(LatencyReward(), records, words), ask(LacsReward(weight=0.0), records, words)
    assert now == costs
    assert ask(LacsReward(num_samples=9), records, words) != ask(LacsReward(), records, words)
    with pytest.raises(MecgymError, match="invalidOption"):
        LacsReward(timeout_seconds=-1.0)


def test_means_of_a_batch_are_logged(records: list[dict[str, Any]]) -> None:
    logged: dict[str, float] = {}
    ask(LacsReward(), records, ["Server 1"] * 9 + [NO_ANSWER] * 3, log_metric=logged.__setitem__)
    charged = [record["costSlots"][1] for record in records[:9]] + [max(record["costSlots"]) for record in records[9:]]
    assert logged["mecgym/cost_slots"] == pytest.approx(sum(charged) / 12)
    regrets = [cost - min(record["costSlots"]) for cost, record in zip(charged, records, strict=True)]
    assert logged["mecgym/regret_slots"] == pytest.approx(sum(regrets) / 12)
    assert logged["mecgym/parse_failures"] == 0.25
    assert logged["mecgym/unavailable_actions"] == 0


def test_a_reward_works_in_another_process(records: list[dict[str, Any]]) -> None:
    """In a new one, and in a fork, which must not use its parent's connection."""
    reward = LacsReward()
    here = ask(reward, records, ["Server 1"] * 12)
    batch = pickle.dumps((reward, columns_of(records)))
    code = (
        "import pickle, sys; reward, columns = pickle.load(sys.stdin.buffer);"
        "print(reward(columns.pop('prompt'), ['Server 1'] * 12, **columns))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=batch, capture_output=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == str(here)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            mecgym.integrations.trl._last = None
            os.write(writing, str(ask(reward, records, ["Server 1"] * 12)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read().decode() == str(here)
    os.waitpid(child, 0)


def test_none_if_nobody_can_be_asked_and_never_if_the_data_is_wrong(
    records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    deaf = LacsReward(address=f"ipc://{tmp_path}/nobody", timeout_seconds=0.3)
    with caplog.at_level(logging.WARNING):
        assert ask(deaf, records, ["Local"] * 12) == [None] * 12
    assert "nothing answers at" in caplog.text
    with pytest.raises(MecgymError, match="invalidRecord"):
        LacsReward()(prompts=["?"], completions=["Local"])
    broken = [{**records[0], "state": {"numServers": 2, "decisionIndex": 0}}]
    with pytest.raises(MecgymError, match="invalidRecord"):
        ask(LacsReward(), broken, ["Local"])
    with pytest.raises(MecgymError, match="unknownScenario"):
        LacsReward("no-such-v1")
    monkeypatch.setenv("MECGYM_SERVER_COMMAND", '["/no/such/command"]')
    monkeypatch.setattr("mecgym.integrations.trl.score", lambda *_arguments, **_options: mecgym.LocalServer())
    with pytest.raises(ServerNotFound):
        ask(LacsReward(), records, ["Local"] * 12)


def test_data_are_those_of_the_command(write: Write) -> None:
    made = make_dataset("grpo", count=5, template="en-compact-v1", form="chat")
    written = records_of(write("grpo", "--count", "5", "--template", "en-compact-v1", "--form", "chat"))
    assert made["episodeSeed"] == [record["episodeSeed"] for record in written]
    assert made["prompt"] == [record["prompt"] for record in written]
    with pytest.raises(MecgymError, match="no-such"):
        make_dataset("grpo", template="no-such")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_papers_settings(tmp_path: Any) -> None:
    config = paper_config(output_dir=str(tmp_path), use_cpu=True, bf16=False, per_device_train_batch_size=8, beta=0.1)
    assert (config.num_generations, config.learning_rate, config.loss_type) == (8, 5e-6, "grpo")
    assert config.beta == 0.1
    assert paper_config(output_dir=str(tmp_path), use_cpu=True, bf16=False, per_device_train_batch_size=8).beta == 0.005
