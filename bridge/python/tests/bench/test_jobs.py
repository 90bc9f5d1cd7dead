"""Long work of the server: the same bytes as the commands write, with errors that say what was wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mecgym import (
    MecgymError,
    SessionLost,
    evaluate,
    make_dataset,
    play_seeds,
    random_policy,
    verify,
)
from mecgym.remote.queries import jobs
from mecgym.remote.transport.command import find_server_command
from mecgym.remote.transport.server import shared_server

SMALL = {"episodes": 2, "show_progress": False}


def command(*arguments: str) -> bytes:
    """Run the command `mecgym`."""
    node, script, *_serve = find_server_command()
    return subprocess.run([node, script, *arguments], check=True, capture_output=True).stdout


def test_data_sets_are_those_of_the_command(tmp_path: Path) -> None:
    records = make_dataset("grpo", count=30, out=tmp_path / "here.jsonl", show_progress=False)
    command("dataset", "grpo", "--count", "30", "--out", str(tmp_path / "there"))
    assert (tmp_path / "here.jsonl").read_bytes() == (tmp_path / "there" / "grpo.jsonl").read_bytes()
    assert len(records) == 30
    assert records[0]["state"]["numServers"] == 6


def test_training_data_from_test_seeds_is_refused() -> None:
    with pytest.raises(MecgymError) as caught:
        make_dataset("sft", count=5, first_seed=2_000_000, show_progress=False)
    assert caught.value.code == "invalidSeed"


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """Play a small suite."""
    return evaluate("paper-table-2", ["local", "oracle"], episodes=2, show_progress=False)


def test_suites_are_those_of_the_command(result: dict[str, Any], tmp_path: Path) -> None:
    options = ["--policies", "local,oracle", "--episodes", "2", "--workers", "1", "--out", str(tmp_path)]
    command("run", "paper-table-2", *options)
    files = [file for file in tmp_path.iterdir() if file.suffix == ".json"]
    written = json.loads(files[0].read_text(encoding="utf-8"))
    assert written == result


def test_external_policies_are_measured_like_the_others() -> None:
    """What the cheapest action of every state costs is what the oracle's figures say, whoever played it."""
    seeds = range(1_000_000, 1_000_003)
    played = play_seeds(random_policy(3), seeds, "paper-v1")
    assert [len(actions) for actions in played.actions] == played.num_decisions.tolist()
    native = evaluate("paper-table-2", ["oracle"], settings=["episodic"], first_seed=seeds[0], episodes=3)
    oracle = native["settings"][0]["policies"][0]
    result = evaluate(
        "paper-table-2",
        ["oracle"],
        episodes=3,
        first_seed=seeds[0],
        external={"chance": {"episodic": played.actions}, "again": {"episodic": oracle["actions"]}},
        parameters={"chance": {"seed": 3}},
        show_progress=False,
    )
    (setting,) = result["settings"]
    same, chance, again = setting["policies"]
    assert chance["policy"] == {"name": "chance", "kind": "external", "parameters": {"seed": 3}}
    assert again["policy"] == {"name": "again", "kind": "external"}
    assert {**again, "policy": None} == {**same, "policy": None} == {**oracle, "policy": None}
    assert chance["metrics"]["averageLatencySlots"]["value"] == pytest.approx(played.mean_cost_slots, rel=1e-12)
    assert chance["actions"] == played.actions
    assert verify(result, show_progress=False)["problems"] == []
    chance["actions"][0][0] = (chance["actions"][0][0] + 1) % 7
    assert verify(result, show_progress=False)["problems"] != []


def test_failed_answers_are_counted_and_verified() -> None:
    """Server 40 is named at every third step: the costliest action is executed, and the result says so."""

    class Stubborn:
        def reset(self, num_envs: int) -> None:
            self.steps, self.num_envs = 0, num_envs

        def __call__(self, observations: Any, masks: Any) -> Any:
            self.steps += 1
            return [40 if self.steps % 3 == 0 else 1] * self.num_envs

    played = play_seeds(Stubborn(), range(1_000_000, 1_000_002), "paper-v1")
    assert len(played.failures) == sum(count // 3 for count in played.num_decisions.tolist())
    failures = [dict(one) for one in played.failures]
    failures[1] = {**failures[1], "failure": "empty"}
    keywords: dict[str, Any] = {
        "external": {"mine": {"episodic": played.actions}},
        "episodes": 2,
        "first_seed": 1_000_000,
        "show_progress": False,
    }
    result = evaluate(
        "paper-table-2", ["local"], failures={"mine": {"episodic": failures}}, in_words=["mine"], **keywords
    )
    mine = result["settings"][0]["policies"][1]
    total = int(played.num_decisions.sum())
    assert mine["policy"]["answers"] == "words"
    assert mine["metrics"]["parseFailurePercent"]["value"] == pytest.approx(100 / total)
    assert mine["metrics"]["invalidActionPercent"]["value"] == pytest.approx(100 * (len(failures) - 1) / total)
    assert len(mine["failures"]) == len(failures)
    assert verify(result, show_progress=False)["problems"] == []
    for wrong in ({"unit": 2, "decision": 0, "failure": "empty"}, {"unit": 0, "decision": 0, "failure": "rude"}):
        with pytest.raises(MecgymError) as caught:
            evaluate("paper-table-2", ["local"], failures={"mine": {"episodic": [wrong]}}, **keywords)
        assert caught.value.path == "failures/mine/episodic/0"


def test_settings_are_told_apart_by_their_ids() -> None:
    """One state and one episode for each seed, named in another order than the suite's."""
    records = make_dataset("grpo", split="validation", count=4, show_progress=False)
    first = records[0]["episodeSeed"]
    cheapest = [[record["cheapestAction"]] for record in records]
    played = play_seeds(random_policy(), range(first, first + 4), "paper-v1")
    result = evaluate(
        "paper-table-2",
        ["local"],
        episodes=4,
        first_seed=first,
        external={"mine": {"episodic": played.actions, "static": cheapest}},
        show_progress=False,
    )
    assert [setting["id"] for setting in result["settings"]] == ["static", "episodic"]
    static, episodic = (setting["policies"][1] for setting in result["settings"])
    assert static["metrics"]["performanceRatioPercent"]["value"] == 100
    costs = [record["costSlots"][action] for record, (action,) in zip(records, cheapest, strict=True)]
    assert static["metrics"]["averageLatencySlots"]["value"] == pytest.approx(sum(costs) / 4, rel=1e-12)
    assert episodic["actions"] == played.actions
    assert verify(result, show_progress=False)["problems"] == []


@pytest.mark.parametrize(
    ("external", "code", "path"),
    [
        ({"mine": {"static": [[1]]}}, "invalidBody", "logLengths"),
        ({"mine": {"static": [[1], [1, 2]]}}, "invalidRecord", "mine/static/1"),
        ({"mine": {"static": [[1], [99]]}}, "invalidRecord", "mine/static/1/0"),
        ({"mine": {"static": [[1], [-1]]}}, "invalidRecord", "mine/static/1/0"),
        ({"mine": {"episodic": [[1], [1]]}}, "invalidRecord", "mine/episodic/0"),
        ({"oracle": {"static": [[1], [1]]}}, "invalidOption", "/external/0/name"),
        ({"mine": {"static": [[1], [1]]}, "other": {}}, "invalidRecord", "other"),
        ({"mine": {"static": [["x"], [1]]}}, "invalidRecord", "external"),
        ({"mine": {"nowhere": [[1], [1]]}}, "invalidOption", "settings"),
    ],
)
def test_what_cannot_have_happened_is_refused(external: Any, code: str, path: str) -> None:
    with pytest.raises(MecgymError) as caught:
        evaluate("paper-table-2", ["local"], external=external, episodes=2, show_progress=False)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_results_are_verified(result: dict[str, Any]) -> None:
    outcome = verify(result, show_progress=False)
    assert outcome["problems"] == []
    assert outcome["checked"]


@pytest.mark.parametrize(
    ("suite", "policies", "code"),
    [("no-such-suite", ["oracle"], "unknownSuite"), ("paper-table-2", ["no-such-policy"], "unknownPolicy")],
)
def test_what_is_unknown_is_refused(suite: str, policies: list[str], code: str) -> None:
    with pytest.raises(MecgymError) as caught:
        evaluate(suite, policies, episodes=2, show_progress=False)
    assert caught.value.code == code


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(MecgymError):
        verify({"suite": "paper-table-2"}, show_progress=False)


def test_a_server_that_dies_each_time_ends_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def die(*_arguments: Any) -> bytes:
        attempts.append(1)
        os.kill(shared_server().pid, signal.SIGKILL)
        raise SessionLost("serverEnded", "it died")

    monkeypatch.setattr("mecgym.remote.queries.jobs._run_once", die)
    with pytest.raises(SessionLost):
        make_dataset("grpo", count=2, show_progress=False)
    assert len(attempts) == 5


def test_a_server_that_dies_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = make_dataset("grpo", count=20, show_progress=False)
    fetch = jobs._fetch

    def kill_first(*arguments: Any) -> bytes:
        monkeypatch.setattr("mecgym.remote.queries.jobs._fetch", fetch)
        os.kill(shared_server().pid, signal.SIGKILL)
        return fetch(*arguments)

    monkeypatch.setattr("mecgym.remote.queries.jobs._fetch", kill_first)
    assert make_dataset("grpo", count=20, show_progress=False) == expected


def test_a_bar_shows_on_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset("test", count=3)
    assert capsys.readouterr().out == ""
