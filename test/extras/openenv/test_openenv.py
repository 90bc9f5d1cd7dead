"""OpenEnv's clients play the episodes of `OffloadingEnv` on a real server, bit for bit."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openenv.core import GenericEnvClient

from mecgym import OffloadingEnv, play_seeds, random_policy, scenario_hash
from mecgym.openenv import OffloadingAction, OffloadingClient

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "openenv_agent.py"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start ``python -m mecgym.openenv`` for two clients; yield its address, and end it as Ctrl-C does."""
    options = ["--scenario", "churn-v1", "--max-sessions", "2", "--port", "0"]
    command = [sys.executable, "-m", "mecgym.openenv", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    yield re.search(r"http://\S+", process.stdout.readline())[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()


def named(env: OffloadingEnv, values: Any, info: dict[str, Any]) -> dict[str, Any]:
    numbers = values.tolist()
    task = dict(zip(env.observation_header, numbers, strict=False))
    assert len(task) == 6
    servers = [dict(zip(env.observation_server_fields, numbers[6 + 4 * e :], strict=False)) for e in range(6)]
    actions = [action for action, exists in enumerate(info["action_mask"]) if exists]
    decision = {name: info[name] for name in ("episode_seed", "decision_index", "slot")}
    return {"task": task, "servers": servers, "actions": actions, **decision}


def test_plays_the_same_bits(address: str) -> None:
    """An episode with servers that leave, cycling through the available actions; every field of every message."""
    env = OffloadingEnv("churn-v1")
    values, info = env.reset(seed=12)
    with OffloadingClient(base_url=address).sync() as client:
        result = client.reset(seed=12)
        assert result.reward is None
        assert result.observation.outcome is None
        counts = set()
        while not result.done:
            found = result.observation.model_dump()
            expected = named(env, values, info)
            assert {name: found[name] for name in expected} == expected
            counts.add(len(expected["actions"]))
            action = expected["actions"][info["decision_index"] * 5 % len(expected["actions"])]
            values, reward, _terminated, truncated, info = env.step(action)
            result = client.step(OffloadingAction(server=action))
            assert result.reward == result.observation.reward == reward
            assert result.done is truncated
            assert result.observation.outcome == {name: info[name] for name in result.observation.outcome}
            assert result.observation.outcome["executed_action"] == action
        assert len(counts) > 1
        assert result.observation.episode_stats == info["episode_stats"]
        state = client.state()
    env.close()
    assert (state.scenario, state.scenario_hash) == ("churn-v1", scenario_hash("churn-v1"))
    assert (state.episode_seed, state.episode_id, state.step_count) == (12, "12", info["decision_index"])


def test_a_client_without_this_package_reads_only_json(address: str) -> None:
    with GenericEnvClient(base_url=address).sync() as client:
        first = client.reset(seed=3, episode_id="mine").observation
        result = client.step({"server": 2})
        assert first["decision_index"] == 0
        assert result.observation["decision_index"] == 1
        assert result.reward == -result.observation["outcome"]["cost_slots"]
        assert client.state()["episode_id"] == "mine"


def test_what_is_refused_says_why_and_the_episode_goes_on(address: str) -> None:
    with GenericEnvClient(base_url=address).sync() as client:
        with pytest.raises(RuntimeError, match="needsReset"):
            client.step({"server": 1})
        before = client.reset(seed=3).observation
        for wrong in ({"server": -1}, {"server": 1.5}, {"server": 2**31}, {}, {"server": 1, "more": 2}):
            with pytest.raises(RuntimeError, match="Invalid message"):
                client.step(wrong)
        with pytest.raises(RuntimeError, match="invalidSeed"):
            client.reset(seed=2**53)
        result = client.step({"server": 99})
        assert result.observation["outcome"]["invalid_action"] is True
        assert result.observation["decision_index"] == before["decision_index"] + 1


def test_clients_do_not_disturb_each_other_and_one_too_many_gets_an_error(address: str) -> None:
    with OffloadingClient(base_url=address).sync() as one, OffloadingClient(base_url=address).sync() as other:
        one.reset(seed=1)
        other.reset(seed=2)
        for _ in range(3):
            assert one.step(OffloadingAction(server=1)).observation.episode_seed == 1
            assert other.step(OffloadingAction(server=2)).observation.episode_seed == 2
        late = OffloadingClient(base_url=address).sync()
        with pytest.raises(Exception, match=r"(?i)capacity|sessions"), late:
            late.reset(seed=3)
        assert one.step(OffloadingAction(server=1)).observation.decision_index == 4


def test_describes_itself(address: str) -> None:
    def get(path: str) -> Any:
        with urllib.request.urlopen(address + path, timeout=20) as reply:  # noqa: S310
            return json.load(reply)

    assert get("/metadata")["name"] == "mecgym"
    schema = get("/schema")
    assert schema["action"]["properties"]["server"]["minimum"] == 0
    assert {"task", "servers", "actions"} <= set(schema["observation"]["properties"])
    assert "scenario_hash" in schema["state"]["properties"]


def test_a_scenario_that_does_not_exist_is_reported_before_anything_is_served() -> None:
    command = [sys.executable, "-m", "mecgym.openenv", "--scenario", "no-such-v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "unknownScenario" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_plays_an_episode(address: str) -> None:
    command = [sys.executable, str(EXAMPLE), address, "7"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    decisions, cost = re.fullmatch(r"(\d+) decisions, mean cost ([\d.]+) slots\n", done.stdout).groups()
    chance = play_seeds(random_policy(), [7], "churn-v1")
    assert int(decisions) == chance.num_decisions[0]  # tasks do not depend on decisions
    assert float(cost) < chance.mean_cost_slots / 3
