"""Datasets reads the files of ``mecgym dataset``, and TRL's trainers take their columns as they are."""

# ruff: noqa: D103

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from conftest import ON_CPU, ROOT, Write, load, records_of, sft

# these libraries call deprecated functions of each other
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}") for name in ("DeprecationWarning", "FutureWarning")]

NO_ANSWER = -30.0


def same(found: object, written: object) -> bool:
    """Whether both are the same, types and last bits included."""
    return json.dumps(found, sort_keys=True) == json.dumps(written, sort_keys=True)


def text_of(words: str | list[dict]) -> str:
    return words if isinstance(words, str) else "".join(message["content"] for message in words)


def actions_of(record: dict) -> dict[str, int]:
    """Return the answers that a prompt of template en-v1 asks for, and the actions they stand for."""
    return {"Local": 0} | {f"Server {e}": e for e in range(1, len(record["costSlots"]))}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sft", ["--count", "50"]),
        ("sft", ["--count", "50", "--form", "messages"]),
        ("grpo", ["--count", "50", "--form", "chat", "--system"]),
        ("test", ["--count", "50", "--template", "zh-release-v1", "--scenario", "release-3-servers-v1"]),
        # absent servers are null; long enough to be read in several blocks, which must agree on types
        ("grpo", ["--count", "5000", "--scenario", "paper-3-to-11-servers-v1"]),
        ("test", ["--count", "50", "--scenario", "churn-v1"]),
    ],
)
def test_every_value_is_read_as_it_was_written(kind: str, options: list[str], write: Write, tmp_path: Path) -> None:
    file = write(kind, *options)
    written = records_of(file)
    read = load(file, tmp_path)
    assert len(read) == len(written)
    assert read.column_names == list(written[0])
    for found, record in zip(read, written, strict=True):
        assert same(found, record)


def test_several_kinds_of_files_have_the_same_columns(write: Write, sft_file: Path, tmp_path: Path) -> None:
    files = {"train": str(sft_file), "test": str(write("test", "--count", "20"))}
    read = load_dataset("json", data_files=files, cache_dir=str(tmp_path))
    assert {name: len(part) for name, part in read.items()} == {"train": 200, "test": 20}
    assert read["train"].features == read["test"].features


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_sft_learns_only_completions(form: str, write: Write, base_model: Path, tmp_path: Path) -> None:
    file = write("sft", "--count", "20", "--form", form)
    trainer, losses = sft(base_model, load(file, tmp_path / "cache"), tmp_path, max_steps=3)
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    for prepared, record in zip(trainer.train_dataset, records_of(file), strict=True):
        learnt = [token for token in prepared["labels"] if token != -100]
        assert tokenizer.decode(learnt) == text_of(record["completion"]) + "<end>"
        whole = tokenizer.decode(prepared["input_ids"])
        assert text_of(record["prompt"]) in whole
        assert whole.endswith(text_of(record["completion"]) + "<end>")


def test_sft_takes_conversations(write: Write, base_model: Path, tmp_path: Path) -> None:
    file = write("sft", "--count", "20", "--form", "messages", "--system")
    trainer, losses = sft(base_model, load(file, tmp_path / "cache"), tmp_path, max_steps=3)
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    for prepared, record in zip(trainer.train_dataset, records_of(file), strict=True):
        roles = "".join(f"<{message['role']}>{message['content']}<end>" for message in record["messages"])
        assert tokenizer.decode(prepared["input_ids"]) == roles


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_grpo_hands_every_column_to_the_reward_as_it_is(
    form: str, write: Write, base_model: Path, trained_model: Path, tmp_path: Path
) -> None:
    file = write("grpo", "--count", "16", "--form", form)
    written = {record["episodeSeed"]: record for record in records_of(file)}
    calls: list[dict] = []

    def regret(prompts: list, completions: list, **columns: list) -> list[float]:
        calls.append({"prompt": prompts, **columns})
        rewards = []
        for answer, seed in zip(completions, columns["episodeSeed"], strict=True):
            record = written[seed]
            action = actions_of(record).get(text_of(answer).strip())
            rewards.append(NO_ANSWER if action is None else -record["regretSlots"][action])
        return rewards

    args = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=4,
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=6,
        learning_rate=1e-4,
        **ON_CPU,
    )
    trainer = GRPOTrainer(
        model=str(trained_model if form == "plain" else base_model),
        args=args,
        train_dataset=load(file, tmp_path / "cache"),
        reward_funcs=regret,
    )
    trainer.train()
    assert trainer.state.global_step == 4
    assert sum(len(call["prompt"]) for call in calls) == 4 * 8
    columns = [name for name in next(iter(written.values())) if name != "prompt"]
    for call in calls:
        assert set(columns) | {"prompt"} <= set(call)
        for k, seed in enumerate(call["episodeSeed"]):
            for name in ["prompt", *columns]:
                assert same(call[name][k], written[seed][name]), name
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logs) == 4
    assert all(math.isfinite(entry["loss"]) and math.isfinite(entry["reward"]) for entry in logs)
    if form == "plain":  # this model answers, so answers of a group differ and there is something to learn
        assert max(entry["reward_std"] for entry in logs) > 0
        assert max(entry["grad_norm"] for entry in logs) > 0


def test_the_example_of_the_documentation_trains(
    write: Write, sft_file: Path, trained_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "sft.jsonl").write_bytes(sft_file.read_bytes())
    (tmp_path / "grpo.jsonl").write_bytes(write("grpo", "--count", "16").read_bytes())
    script = ROOT / "docs" / "examples" / "train_trl.py"
    command = [sys.executable, str(script), str(trained_model), str(tmp_path), str(tmp_path / "out"), "2"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(  # noqa: S603
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    for stage in ("sft", "grpo"):
        assert (tmp_path / "out" / stage / "model.safetensors").exists()
    failures = [float(part.split("'")[1]) for part in done.stdout.split("'mecgym/parse_failures': ")[1:]]
    assert len(failures) == 2
    assert min(failures) < 1
