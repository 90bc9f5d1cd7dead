"""Trains a language model on decisions, then on rewards: ``train_trl.py MODEL DATA OUT STEPS``."""

import sys

import torch
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from mecgym.trl import LacsReward

model, data, out, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
has_gpu = torch.cuda.is_available()
common = {"max_steps": steps, "logging_steps": 1, "report_to": "none", "use_cpu": not has_gpu, "bf16": has_gpu}

# what to decide: columns prompt and completion
sft = SFTTrainer(
    model=model,
    args=SFTConfig(output_dir=f"{out}/sft", learning_rate=1e-3, **common),
    train_dataset=load_dataset("json", data_files=f"{data}/sft.jsonl", split="train"),
)
sft.train()
sft.save_model()

# how good decisions are: column prompt; the reward asks the server about the states in the other columns
grpo = GRPOTrainer(
    model=f"{out}/sft",
    args=GRPOConfig(output_dir=f"{out}/grpo", max_completion_length=8, **common),
    train_dataset=load_dataset("json", data_files=f"{data}/grpo.jsonl", split="train"),
    reward_funcs=LacsReward(),
)
grpo.train()
grpo.save_model()
