"""Data sets as the command writes them, and a model small enough to train here."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before the libraries are imported: nothing here is to be downloaded

import pytest
import torch
from datasets import Dataset, load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks" / "training"))  # its files are programs, not a package

from language import small_llama  # noqa: E402

torch.set_num_threads(1)  # as fast as two at this size, and leaves one to others

CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ROLES = ["<system>", "<user>", "<assistant>"]

ON_CPU = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "logging_steps": 1,
    "save_strategy": "no",
    "disable_tqdm": True,
}

Write = Callable[..., Path]


def records_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Return a function that writes a file of data with ``mecgym dataset KIND OPTION…``."""

    def write_file(kind: str, *options: str) -> Path:
        folder = tmp_path_factory.mktemp("data")
        command = ["node", "scripts/mecgym.mjs", "dataset", kind, *options, "--workers", "1", "--out", str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        return folder / f"{kind}.jsonl"

    return write_file


@pytest.fixture(scope="session")
def sft_file(write: Write) -> Path:
    return write("sft", "--count", "200")


@pytest.fixture(scope="session")
def base_model(sft_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save an untrained Llama of two layers and a byte-level tokenizer of 1,000 tokens, learnt from the data."""
    folder = tmp_path_factory.mktemp("model")
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=["<end>", "<pad>", *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator((r["prompt"] + r["completion"] for r in records_of(sft_file)), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<end>", pad_token="<pad>")  # noqa: S106
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    small_llama(tokenizer, 0).save_pretrained(folder)
    return folder


def load(file: Path, cache: Path) -> Dataset:
    return load_dataset("json", data_files=str(file), split="train", cache_dir=str(cache))


def sft(model: Path, data: Dataset, out: Path, max_steps: int) -> tuple[SFTTrainer, list[float]]:
    """Train on all columns; return the trainer and the loss of every step."""
    args = SFTConfig(
        output_dir=str(out), max_steps=max_steps, per_device_train_batch_size=4, learning_rate=1e-2, **ON_CPU
    )
    trainer = SFTTrainer(model=str(model), args=args, train_dataset=data)
    trainer.train()
    assert trainer.state.global_step == max_steps
    return trainer, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="session")
def trained_model(base_model: Path, sft_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model that has learnt the form of an answer, so that rewards of a group differ."""
    out = tmp_path_factory.mktemp("trained")
    trainer, losses = sft(base_model, load(sft_file, out / "cache"), out, max_steps=60)
    assert sum(losses[-5:]) < sum(losses[:5]) / 3
    trainer.save_model()
    return out
