"""Trains a language model on decisions, then on rewards: ``train_trl.py MODEL DATA OUT STEPS``."""

import sys

import torch
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

model, data, out, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
has_gpu = torch.cuda.is_available()
common = {"max_steps": steps, "logging_steps": 1, "report_to": "none", "use_cpu": not has_gpu, "bf16": has_gpu}


def look_ahead_reward(completions, lookAheadReward, **columns):  # noqa: N803 - the name of a column
    """Return the figure of each answer in its record, and -30 for what is no answer."""
    rewards = []
    for answer, reward in zip(completions, lookAheadReward, strict=True):
        actions = {"Local": 0} | {f"Server {e}": e for e in range(1, len(reward))}
        action = actions.get(answer.strip())
        # an action of an absent server has no figure either
        rewards.append(-30.0 if action is None or reward[action] is None else reward[action])
    return rewards


# what to decide: columns prompt and completion
sft = SFTTrainer(
    model=model,
    args=SFTConfig(output_dir=f"{out}/sft", learning_rate=1e-3, **common),
    train_dataset=load_dataset("json", data_files=f"{data}/sft.jsonl", split="train"),
)
sft.train()
sft.save_model()

# how good decisions are: column prompt; every other column reaches the reward function
grpo = GRPOTrainer(
    model=f"{out}/sft",
    args=GRPOConfig(output_dir=f"{out}/grpo", max_completion_length=8, **common),
    train_dataset=load_dataset("json", data_files=f"{data}/grpo.jsonl", split="train"),
    reward_funcs=look_ahead_reward,
)
grpo.train()
grpo.save_model()
