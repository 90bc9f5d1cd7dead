"""Shared by the trainings of language models: a small new model, Ctrl-C, and answers to recorded states."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from common import FIRST_SEED, INTERRUPTED, check_resume, interruptible, kept_options, report
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    TrainerCallback,
)
from transformers.trainer_utils import get_last_checkpoint

import mecgym

SCENARIO = "paper-v1"
OPTIONS_FILE = "options.json"  # of a training, next to its checkpoints
ANSWERS_AT_ONCE = 64


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the model and its prompts."""
    parser.add_argument("--model", help="name or folder of a model; a small one is made if left out")
    parser.add_argument("--template", default="en-compact-v1", help="wording of the prompts")
    parser.add_argument("--form", choices=["plain", "chat"], default="plain", help="texts, or messages for chat models")
    parser.add_argument("--max-answer-tokens", type=int, default=8, help="longest answer")
    parser.add_argument("--states", type=int, default=500, help="validation states that are answered in the end")


def check_model_options(options: argparse.Namespace) -> None:
    """End the program if the model cannot read the form of the prompts."""
    if options.form == "chat" and options.model is None:
        sys.exit("--form chat: expected a --model with a chat template; the one that is made here reads plain texts")


def make_model(data: Dataset, folder: Path, seed: int) -> Path:
    """Save an untrained Llama of two layers, and a byte-pair tokenizer trained on plain prompts and answers."""
    pieces = Tokenizer(models.BPE())
    # digit by digit, as most models read numbers
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    pieces.decoder = decoders.ByteLevel()
    learner = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<end>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator((row["prompt"] + row["completion"] for row in data.select(range(200))), learner)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<end>", pad_token="<pad>")  # noqa: S106
    tokenizer.save_pretrained(folder)
    small_llama(tokenizer, seed).save_pretrained(folder)
    return folder


def small_llama(tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
    """Return an untrained Llama of two layers for the tokens of a tokenizer."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def common_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that all trainers of TRL take."""
    has_gpu = torch.cuda.is_available()
    if not has_gpu:
        torch.set_num_threads(1)  # as fast as two at this size
    return {
        "output_dir": str(options.out),
        "max_steps": options.steps,
        "seed": options.seed,
        "use_cpu": not has_gpu,
        "bf16": has_gpu,
        "gradient_checkpointing": has_gpu,
        "report_to": "none",
        "logging_steps": 10,
        "save_steps": 50,
        "save_total_limit": 2,
    }


def resume_from(options: argparse.Namespace) -> str | None:
    """Return the checkpoint to resume from; None for a new training."""
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / OPTIONS_FILE
    if options.resume:
        found = get_last_checkpoint(str(options.out))
        if found is None or not file.exists():
            sys.exit(f"--resume: there is no checkpoint in {options.out}")
        check_resume(json.loads(file.read_text(encoding="utf-8")), options)
        return str(found)
    file.write_text(json.dumps(kept_options(options)), encoding="utf-8")
    return None


class SaveAndStop(TrainerCallback):
    """Makes the trainer save and stop after the step in which a signal came."""

    def __init__(self) -> None:
        self.is_wanted = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        """Check after every step."""
        if self.is_wanted:
            control.should_save = control.should_training_stop = True


def run(trainer: Any, options: argparse.Namespace, checkpoint: str | None) -> None:
    """Train to the end and save the model; after Ctrl-C, end the program with a checkpoint."""
    stop = SaveAndStop()
    trainer.add_callback(stop)
    with interruptible(lambda: setattr(stop, "is_wanted", True)):
        trainer.train(resume_from_checkpoint=checkpoint)
    if stop.is_wanted and trainer.state.global_step < options.steps:
        print("interrupted; --resume goes on from here", file=sys.stderr)
        sys.exit(INTERRUPTED)
    trainer.save_model(str(options.out / "model"))


def texts_of(tokenizer: PreTrainedTokenizerBase, prompts: list[Any]) -> tuple[list[str], bool]:
    """Return prompts as texts, and whether they hold the special tokens already: a chat template writes them."""
    if all(isinstance(prompt, str) for prompt in prompts):
        return prompts, False
    return [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in prompts], True


def answer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[Any], max_tokens: int
) -> list[str]:
    """Return the most likely answer to each prompt, which is a text or a list of messages."""
    tokenizer.padding_side = "left"
    model.eval()
    texts, has_special_tokens = texts_of(tokenizer, prompts)
    answers: list[str] = []
    for at in tqdm(range(0, len(texts), ANSWERS_AT_ONCE), desc="answers", unit_scale=ANSWERS_AT_ONCE):
        some = texts[at : at + ANSWERS_AT_ONCE]
        batch = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=not has_special_tokens).to(
            model.device
        )
        batch.pop("token_type_ids", None)
        with torch.no_grad():
            tokens = model.generate(**batch, do_sample=False, max_new_tokens=max_tokens)
        answers += tokenizer.batch_decode(tokens[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def answer_and_report(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace, name: str
) -> None:
    """Answer one state of each of the first validation episodes, and write the result.

    These are the states of the suite's static setting. An unreadable answer is logged as the costliest action.
    """
    records = mecgym.make_dataset(
        "sft",
        scenario=SCENARIO,
        split="validation",
        first_seed=FIRST_SEED,
        count=options.states,
        template=options.template,
        form=options.form,
    )
    answers = answer(model, tokenizer, [record["prompt"] for record in records], options.max_answer_tokens)
    scores = mecgym.score(records, answers)
    print(f"answers: {100 * (scores.parse_failure > 0).mean():.1f} % without a decision that can be read, ", end="")
    print(f"{100 * (scores.is_invalid > 0).mean():.1f} % for a server that is not there")
    actions = [[int(action)] for action in scores.charged_action]
    parameters = {"steps": options.steps, "seed": options.seed, "model": options.model or "made on the spot"}
    report(options.out, name, "paper-table-2", {"static": actions}, FIRST_SEED, parameters)
