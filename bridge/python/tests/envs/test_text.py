"""The environment in words: the prompts and the parser are the simulator's, and paid for are the same costs."""

from __future__ import annotations

import copy
import subprocess
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from mecgym import MecgymError, OffloadingEnv, OffloadingTextEnv
from mecgym.remote.transport.command import find_command

SMALL = {"numServers": 3, "episodeSlots": 6}


@pytest.fixture
def pair() -> Iterator[tuple[OffloadingTextEnv, OffloadingEnv]]:
    """Make an environment in words and one in numbers, on the same episode."""
    text, plain = OffloadingTextEnv(SMALL), OffloadingEnv(SMALL)
    for env in (text, plain):
        env.reset(seed=3)
    yield text, plain
    text.close()
    plain.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"scenario": "paper-3-to-11-servers-v1", "template": "en-compact-v1", "perturbation": "shuffled"},
        {"scenario": "release-3-servers-v1", "template": "zh-release-v1"},
    ],
)
def test_gymnasium_finds_nothing_to_warn_of(arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("mecgym:mecgym/OffloadingText-v0", **arguments)
        check_env(env.unwrapped)
        env.close()


@pytest.mark.parametrize(
    "words", [{}, {"template": "en-compact-v1", "perturbation": "noisy"}, {"perturbation": "units"}], ids=str
)
def test_a_prompt_is_what_the_command_prints(words: dict[str, Any]) -> None:
    env = OffloadingTextEnv("paper-v1", **words)
    prompt, _info = env.reset(seed=7)
    for _ in range(12):
        prompt = env.step(int(env.look_ahead().cost_slots.argmin()))[0]
    env.close()
    options = [f"--{name}={value}" for name, value in words.items()]
    command = [*find_command(), "prompt", "paper-v1", "--seed", "7", "--decision", "12", *options]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=25).stdout.decode("utf-8")
    assert printed == prompt + "\n"


def test_answers_in_words_cost_what_their_actions_cost(pair: tuple[OffloadingTextEnv, OffloadingEnv]) -> None:
    text, plain = pair
    answers = ["Server 2", "Local", "I would say: server 3.", "**Server 1**", '{"decision": "Server 2"}']
    for answer, action in zip(answers, [2, 0, 3, 1, 2], strict=True):
        prompt, reward, _terminated, _truncated, info = text.step(answer)
        expected = plain.step(action)
        assert "Server 3" in prompt
        assert (reward, info["executed_action"], info["parsed_action"]) == (expected[1], action, action)
        assert info["parse_failure"] == "none"
        assert info["slot"] == expected[4]["slot"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("", "empty"),
        ("I cannot decide.", "noDecision"),
        ("Server 1 or Server 2", "ambiguous"),
        ("<think>Server 1", "unfinishedReasoning"),
    ],
)
def test_what_cannot_be_read_is_the_costliest_action(
    pair: tuple[OffloadingTextEnv, OffloadingEnv], answer: str, failure: str
) -> None:
    text, plain = pair
    costs = plain.look_ahead().cost_slots
    _prompt, reward, _terminated, _truncated, info = text.step(answer)
    assert (info["parse_failure"], info["parsed_action"], info["invalid_action"]) == (failure, None, True)
    assert (info["executed_action"], -reward) == (int(costs.argmax()), costs.max())


def test_a_server_that_does_not_exist_is_read_and_invalid(pair: tuple[OffloadingTextEnv, OffloadingEnv]) -> None:
    info = pair[0].step("Server 12")[4]
    assert (info["parse_failure"], info["parsed_action"], info["invalid_action"]) == ("none", 12, True)


def test_integers_are_actions_as_ever(pair: tuple[OffloadingTextEnv, OffloadingEnv]) -> None:
    text, plain = pair
    info = text.step(np.int64(2))[4]
    assert info.keys() == plain.step(2)[4].keys()
    with pytest.raises(MecgymError, match="invalidAction"):
        text.step(1.5)  # type: ignore[arg-type]


def test_words_can_be_chosen() -> None:
    chinese = OffloadingTextEnv("release-3-servers-v1", template="zh-release-v1")
    reasoning = OffloadingTextEnv(SMALL, instruction="reasoning")
    try:
        assert "边缘服务器" in chinese.reset(seed=1)[0]
        assert chinese.step("卸载到边缘服务器3")[4]["executed_action"] == 3
        prompt, _info = reasoning.reset(seed=1)
        assert prompt != OffloadingTextEnv(SMALL).reset(seed=1)[0]
        assert reasoning.system_message
    finally:
        chinese.close()
        reasoning.close()
    bad: list[dict[str, Any]] = [{"template": "en-v9"}, {"perturbation": "loud"}, {"instruction": "none"}]
    for arguments in bad:
        with pytest.raises(MecgymError) as caught:
            OffloadingTextEnv(SMALL, **arguments)
        assert next(iter(arguments)) in str(caught.value.path)


def test_episodes_end_and_begin(pair: tuple[OffloadingTextEnv, OffloadingEnv]) -> None:
    text, _plain = pair
    with pytest.raises(MecgymError, match="needsReset"):
        OffloadingTextEnv(SMALL).step("Local")
    truncated = False
    while not truncated:
        prompt, _reward, _terminated, truncated, info = text.step("Local")
        assert text.observation_space.contains(prompt)
    assert info["episode_stats"]["num_decisions"] == info["decision_index"]
    with pytest.raises(MecgymError, match="needsReset"):
        text.step("Local")
    assert text.reset(seed=3)[0] == OffloadingTextEnv(SMALL).reset(seed=3)[0]


def test_a_copy_goes_its_own_way(pair: tuple[OffloadingTextEnv, OffloadingEnv]) -> None:
    text, plain = pair
    other = copy.deepcopy(text)
    assert other.step("Server 1")[1] == plain.step(1)[1]
    assert text.step("Server 1")[0] == other.restore(text.snapshot())[0]
    other.close()


def test_gymnasiums_workers_have_whole_prompts() -> None:
    options: dict[str, Any] = {"num_envs": 2, "scenario": SMALL, "vectorization_mode": "async"}
    with pytest.raises(ValueError, match="shared_memory"):
        gymnasium.make_vec("mecgym/OffloadingText-v0", **options)
    envs = gymnasium.make_vec("mecgym/OffloadingText-v0", **options, vector_kwargs={"shared_memory": False})
    single = OffloadingTextEnv(SMALL)
    try:
        prompts, _infos = envs.reset(seed=3)
        assert prompts == (single.reset(seed=3)[0], single.reset(seed=4)[0])
    finally:
        envs.close()
        single.close()
