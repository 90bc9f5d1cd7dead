"""Data sets as the command writes them, and a model small enough to train here."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before the libraries are imported: nothing here is to be downloaded

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = Path(__file__).parents[3]
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ROLES = ["<system>", "<user>", "<assistant>"]

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
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
