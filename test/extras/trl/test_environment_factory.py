"""GRPOTrainer plays whole slots of tasks by tool calls: rewards come from the environment, and differ within a group.

A model of two layers is made on the spot. It is trained on conversations with random decisions until it writes tool
calls itself. It has learnt the form of a call and when to stop; its decisions are random, so their rewards differ.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from conftest import ON_CPU, small_llama
from mecgym import OffloadingEnv
from mecgym.integrations.turns import SLOT_IS_OVER
from mecgym.trl import OffloadingTurns, environment_factory

# these libraries call deprecated functions of each other, and the interface is new
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{name}") for name in ("DeprecationWarning", "FutureWarning", "UserWarning")
]

SCENARIO = {"numServers": 2, "users": {"count": 6}}
SLOT = 3
MOST_TOKENS = 800  # of a conversation
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}"
    "{% for call in message.tool_calls or [] %}<call>"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "</call>{% endfor %}<end>{% endgeneration %}{% else %}{{ message.content }}<end>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
#: How an answer is taken apart into text and tool calls (Transformers from 5.13 on).
RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<assistant>",
    "fields": {
        "tool_calls": {
            "open": "<call>",
            "close_pattern": "</call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": "<end>", "content": "text"},
    },
}
MARKS = ["<end>", "<pad>", "<user>", "<assistant>", "<tool>", "<call>", "</call>"]


def call_of(action: int) -> dict[str, Any]:
    name, arguments = ("run_local", {}) if action == 0 else ("offload", {"server": action})
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def actions_of(messages: list[dict[str, Any]]) -> list[int]:
    """Return the decisions of a conversation, without the calls that TRL could not carry out."""
    calls = [call["function"] for message in messages for call in message.get("tool_calls") or []]
    said = [message["content"] for message in messages if message["role"] == "tool"]
    carried_out = [call for call, words in zip(calls, said, strict=False) if not words.startswith("{'error'")]
    return [0 if call["name"] == "run_local" else call["arguments"]["server"] for call in carried_out]


def conversations(count: int) -> list[list[dict[str, Any]]]:
    """Play slots of training episodes with random decisions, in the words of the environment."""
    turns, draws = OffloadingTurns(scenario=SCENARIO, template="en-compact-v1"), random.Random(1)  # noqa: S311
    played = []
    for seed in range(count):
        messages = [{"role": "user", "content": turns.reset(episodeSeed=seed, slot=SLOT)}]
        while messages[-1]["content"] != SLOT_IS_OVER:
            action = draws.randrange(3)
            said = turns.run_local() if action == 0 else turns.offload(action)
            call = {"role": "assistant", "content": "", "tool_calls": [call_of(action)]}
            messages += [call, {"role": "tool", "name": call_of(action)["function"]["name"], "content": said}]
        played.append([*messages, {"role": "assistant", "content": "Done"}])
    return played


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PreTrainedTokenizerFast]:
    """Save a model that has learnt to call the tools, and stops when all is decided; return its tokenizer, too."""
    shown = conversations(120)
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner = trainers.BpeTrainer(vocab_size=600, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    # the form of a call is few tokens, each server one
    calls = [json.dumps(call_of(action)["function"]) for action in range(3)] * len(shown)
    pieces.train_from_iterator([*calls, *(message["content"] for messages in shown for message in messages)], learner)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<end>", pad_token="<pad>")  # noqa: S106
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.response_template = RESPONSE_TEMPLATE
    model = small_llama(tokenizer, 0)
    rows = [
        tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
        for messages in shown
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(160):
        batch = rows[4 * step % len(rows) :][:4]
        longest = max(len(row["input_ids"]) for row in batch)
        ids = torch.full((len(batch), longest), tokenizer.pad_token_id)
        labels = torch.full_like(ids, -100)
        for i, row in enumerate(batch):
            tokens = torch.tensor(row["input_ids"])
            ids[i, : len(tokens)] = tokens
            is_said = torch.tensor(row["assistant_masks"]) > 0
            labels[i, : len(tokens)][is_said] = tokens[is_said]
        loss = model(input_ids=ids, attention_mask=ids != tokenizer.pad_token_id, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("speaker")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, tokenizer


def config(folder: Path, **settings: Any) -> GRPOConfig:
    room = {"max_completion_length": MOST_TOKENS, "max_tool_calling_iterations": 12}
    return GRPOConfig(output_dir=str(folder), seed=0, **room, **settings, **ON_CPU)


def slot_by_hand(seed: int, actions: list[int]) -> tuple[float, int]:
    """Take these actions in the slot; return minus the mean cost of its tasks, slots, and how many there are.

    Tasks that are left undecided cost as much as the costliest action.
    """
    env = OffloadingEnv(SCENARIO)
    _observation, info = env.reset(seed=seed)
    while info["slot"] < SLOT:
        info = env.step(int(env.look_ahead().cost_slots.argmin()))[4]
    slot, rewards = info["slot"], []
    while info["slot"] == slot:
        decision = len(rewards)
        action = actions[decision] if decision < len(actions) else env.look_ahead().cost_slots.argmax()
        _observation, reward, _terminated, truncated, info = env.step(int(action))
        rewards.append(reward)
        if truncated:
            break
    env.close()
    return sum(rewards) / len(rewards), len(rewards)


def test_slots_are_decided_by_tool_calls_and_rewarded_by_the_environment(
    speaker: tuple[Path, PreTrainedTokenizerFast], tmp_path: Path
) -> None:
    folder, tokenizer = speaker
    seeds = [500_000 + i for i in range(4)]
    seen: list[tuple[int, list[dict[str, Any]]]] = []
    paid: list[float] = []

    class Watched(OffloadingTurns):
        """Notes what TRL is told."""

        def get_reward(self) -> float:
            paid.append(super().get_reward())
            return paid[-1]

    def watch(completions: list[Any], episodeSeed: list[int], **_columns: Any) -> list[float]:  # noqa: N803
        seen.extend(zip(episodeSeed, completions, strict=True))
        return [0.0] * len(completions)

    args = config(tmp_path, max_steps=2, num_generations=4, per_device_train_batch_size=8, learning_rate=1e-3)
    prompts = [[{"role": "user", "content": ""}]] * len(seeds)
    model = LlamaForCausalLM.from_pretrained(folder)
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        args=args,
        train_dataset=Dataset.from_dict({"prompt": prompts, "episodeSeed": seeds, "slot": [SLOT] * len(seeds)}),
        reward_funcs=watch,
        environment_factory=lambda: Watched(scenario=SCENARIO, template="en-compact-v1"),
    )
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    trainer.train()

    assert trainer.state.global_step == 2
    assert len(seen) == len(paid) == 16
    num_whole = num_turns = 0
    for (seed, messages), reward in zip(seen, paid, strict=True):
        actions = actions_of(messages)
        by_hand, num_tasks = slot_by_hand(seed, actions)
        assert reward == pytest.approx(by_hand, rel=1e-9)
        num_turns += len(actions)
        if len(messages) > 1 and messages[-2]["content"] == SLOT_IS_OVER:
            # the tasks of the slot are decided, one call each, and the model says a last word
            assert len(actions) >= num_tasks
            num_whole += 1
    assert num_whole >= 4
    assert num_turns >= num_whole
    groups = {seed: {reward for (s, _), reward in zip(seen, paid, strict=True) if s == seed} for seed, _ in seen}
    assert any(len(rewards) > 1 for rewards in groups.values())

    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logs) == 2
    for entry in logs:
        assert math.isfinite(entry["loss"])
        assert entry["rewards/Watched/mean"] == pytest.approx(entry["reward"])
    assert any(entry["reward_std"] > 0 for entry in logs)
    assert any(not torch.equal(value, before[name]) for name, value in model.named_parameters())


def test_the_factory_is_taken_as_it_is(speaker: tuple[Path, PreTrainedTokenizerFast], tmp_path: Path) -> None:
    """`environment_factory` makes what TRL asks for; no reward function of one's own is needed."""
    folder, tokenizer = speaker
    args = config(tmp_path, max_steps=1, num_generations=2, per_device_train_batch_size=2)
    trainer = GRPOTrainer(
        model=LlamaForCausalLM.from_pretrained(folder),
        processing_class=tokenizer,
        args=args,
        train_dataset=Dataset.from_dict({"prompt": [[{"role": "user", "content": ""}]], "episodeSeed": [600_000]}),
        environment_factory=environment_factory(scenario=SCENARIO, template="en-compact-v1"),
    )
    assert [tool.__name__ for tool in trainer.tools] == ["offload", "run_local"]
    trainer.train()
    (log,) = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert log["reward"] < 0
    assert log["tools/call_frequency"] > 0
