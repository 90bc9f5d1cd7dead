"""The tasks of one slot as a conversation: what is said, what is decided, and how it is rewarded."""

from __future__ import annotations

import pickle

import pytest

from mecgym import MecgymError, OffloadingEnv
from mecgym.integrations.turns import SLOT_IS_OVER, OffloadingTurns, environment_factory

SEED = 7


def slot_by_hand(actions: list[int]) -> tuple[int, list[float]]:
    """Play the oracle up to slot 20, then these actions; return the slot and the rewards of its tasks."""
    env = OffloadingEnv("paper-v1")
    _observation, info = env.reset(seed=SEED)
    while info["slot"] < 20:
        info = env.step(int(env.look_ahead().cost_slots.argmin()))[4]
    slot = info["slot"]
    rewards = []
    for action in actions:
        if info["slot"] != slot:
            break
        _observation, reward, _terminated, _truncated, info = env.step(action)
        rewards.append(float(reward))
    env.close()
    return slot, rewards


def test_all_tasks_of_a_slot_are_decided_one_after_another() -> None:
    turns = OffloadingTurns(scenario="paper-v1")
    text = turns.reset(episodeSeed=SEED, slot=20, prompt="a column that is not read")
    assert "Server 6" in text
    assert "offload(server=k)" in text
    said = []
    actions = [0, 1, 2, 3, 4, 5, 6] * 2
    for action in actions:
        said.append(turns.run_local() if action == 0 else turns.offload(action))
        if said[-1] == SLOT_IS_OVER:
            break
    _slot, rewards = slot_by_hand(actions)
    assert len(said) == len(rewards)
    assert turns.get_reward() == pytest.approx(sum(rewards) / len(rewards), rel=1e-12)
    assert turns.offload(1) == SLOT_IS_OVER
    assert turns.get_reward() == pytest.approx(sum(rewards) / len(rewards), rel=1e-12)
    # the next conversation is another slot, and the first can be had again
    assert turns.reset(episodeSeed=SEED + 1, slot=20) != text
    assert turns.reset(episodeSeed=SEED, slot=20) == text


def test_what_is_left_undecided_costs_as_the_costliest_action() -> None:
    turns = OffloadingTurns(scenario="paper-v1")
    turns.reset(episodeSeed=SEED, slot=20)
    silent = turns.get_reward()
    turns.reset(episodeSeed=SEED, slot=20)
    while turns.offload(-3) != SLOT_IS_OVER:
        pass
    assert turns.get_reward() == silent
    turns.reset(episodeSeed=SEED, slot=20)
    while turns.run_local() != SLOT_IS_OVER:
        pass
    assert turns.get_reward() >= silent


def test_a_slot_after_the_end_is_refused() -> None:
    turns = OffloadingTurns(scenario={"numServers": 2, "episodeSlots": 4})
    with pytest.raises(MecgymError) as caught:
        turns.reset(episodeSeed=SEED, slot=50)
    assert caught.value.code == "invalidOption"


def test_the_factory_takes_no_arguments_and_can_be_sent_to_other_processes() -> None:
    factory = pickle.loads(pickle.dumps(environment_factory(scenario="paper-v1", template="en-compact-v1")))  # noqa: S301
    assert factory().reset(episodeSeed=SEED, slot=20) == factory().reset(episodeSeed=SEED, slot=20)
    tools = [name for name in dir(OffloadingTurns) if not name.startswith("_")]
    assert tools == ["get_reward", "offload", "reset", "run_local"]
    assert all(getattr(OffloadingTurns, name).__doc__ for name in tools)
