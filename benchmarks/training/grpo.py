"""Group-relative policy optimization on look-ahead rewards: ``grpo.py --model results/sft/model --out results/grpo``.

TRL's GRPOTrainer draws a group of answers to each prompt of ``mecgym dataset grpo``; `LacsReward` asks the server about
all answers of a batch in one request. A model that does not know the form of an answer learns nothing from rewards:
without ``--model``, a small one is made and first trained on some of the oracle's answers (``--warm-up``). Compare it
with the control that the paper lacks: further supervised training on the same states for the same time (`sft.py`).
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
from transformers import AutoTokenizer
from trl import GRPOTrainer, SFTConfig, SFTTrainer

import mecgym.trl
from mecgym.trl import LacsReward, paper_config


def warmed_up(options: argparse.Namespace) -> str:
    """Make a small model that knows the form of answers, but not yet which ones are good."""
    folder = options.out / "made"
    data = mecgym.trl.make_dataset("sft", scenario=SCENARIO, count=2_000, template=options.template, form=options.form)
    model = make_model(data, folder, options.seed)
    args = SFTConfig(
        learning_rate=3e-3,
        per_device_train_batch_size=32,
        **{**common_arguments(options), "max_steps": options.warm_up, "save_strategy": "no"},
    )
    trainer = SFTTrainer(model=str(model), args=args, train_dataset=data)
    trainer.train()
    trainer.save_model(str(folder))
    return str(folder)


def main() -> None:
    """Train, then answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000, help="prompts, as many as in the paper")
    parser.add_argument("--steps", type=int, default=60, help="steps of the optimizer")
    parser.add_argument("--group", type=int, default=8, help="answers to a prompt (the paper's G)")
    parser.add_argument("--prompts", type=int, default=16, help="prompts of a step")
    parser.add_argument(
        "--learning-rate", type=float, default=3e-4, help="3e-4 suits the small model, 5e-6 is the paper's"
    )
    parser.add_argument("--beta", type=float, default=0.005, help="weight of the distance to the model at the start")
    parser.add_argument("--warm-up", type=int, default=150, help="steps of supervised training of a model made here")
    parser.add_argument("--look-ahead-weight", type=float, help="weight of the future in the reward; the scenario's")
    add_model_options(parser)
    add_common_options(parser, "results/grpo")
    options = parser.parse_args()
    check_model_options(options)
    checkpoint = resume_from(options)

    made = options.out / "made"
    model = options.model or (str(made) if checkpoint is not None else warmed_up(options))
    data = mecgym.trl.make_dataset(
        "grpo", scenario=SCENARIO, count=options.count, template=options.template, form=options.form
    )
    args = paper_config(
        num_generations=options.group,
        per_device_train_batch_size=options.group * options.prompts,
        learning_rate=options.learning_rate,
        beta=options.beta,
        max_completion_length=options.max_answer_tokens,
        **common_arguments(options),
    )
    trainer = GRPOTrainer(
        model=model,
        processing_class=AutoTokenizer.from_pretrained(model, padding_side="left"),
        args=args,
        train_dataset=data,
        reward_funcs=LacsReward(weight=options.look_ahead_weight),
    )
    run(trainer, options, checkpoint)
    answer_and_report(trainer.model, trainer.processing_class, options, "grpo")


if __name__ == "__main__":
    main()
