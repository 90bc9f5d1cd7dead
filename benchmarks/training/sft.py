"""Supervised fine-tuning of a language model on the cheapest decisions: ``sft.py --out results/sft [--model NAME]``.

The records of ``mecgym dataset sft`` go to TRL's SFTTrainer as they are. Without ``--model``, a model of two layers is
made, with a tokenizer trained on the prompts: enough to see the whole process work. In the end the model answers
recorded states of validation episodes, and the server replays its answers and compares them with a random policy and
the oracle.
"""

from __future__ import annotations

import argparse

from common import add_common_options
from language import (
    SCENARIO,
    add_model_options,
    answer_and_report,
    check_model_options,
    common_arguments,
    make_model,
    resume_from,
    run,
)
from trl import SFTConfig, SFTTrainer

import mecgym.trl


def main() -> None:
    """Train, then answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--count", type=int, default=8_000, help="records; the paper has 1,000")
    parser.add_argument("--steps", type=int, default=500, help="steps of the optimizer")
    parser.add_argument("--batch", type=int, default=32, help="records of a step")
    parser.add_argument(
        "--learning-rate", type=float, default=3e-3, help="3e-3 suits the small model, 1e-5 a large one"
    )
    add_model_options(parser)
    add_common_options(parser, "results/sft")
    options = parser.parse_args()
    check_model_options(options)
    checkpoint = resume_from(options)

    data = mecgym.trl.make_dataset(
        "sft", scenario=SCENARIO, count=options.count, template=options.template, form=options.form
    )
    model = options.model or make_model(data, options.out / "made", options.seed)
    args = SFTConfig(
        learning_rate=options.learning_rate,
        per_device_train_batch_size=options.batch,
        **common_arguments(options),
    )
    trainer = SFTTrainer(model=str(model), args=args, train_dataset=data)
    run(trainer, options, checkpoint)
    answer_and_report(trainer.model, trainer.processing_class, options, "sft")


if __name__ == "__main__":
    main()
