"""GRPOTrainer with the rewards of `mecgym.trl`: it learns, on common futures, and through the loss of its server."""

# ruff: noqa: D102, D103

from __future__ import annotations

import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback
from trl import GRPOTrainer

import mecgym.integrations.trl
from conftest import ON_CPU, load, sft
from mecgym.remote.transport.server import shared_server
from mecgym.trl import FormatReward, LacsReward, LatencyReward, make_dataset, paper_config

# these libraries call deprecated functions of each other
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}") for name in ("DeprecationWarning", "FutureWarning")]


STEPS = 30


@pytest.fixture(scope="module")
def beginner(base_model: Path, sft_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model that has seen few answers, and writes most of them in a wrong form."""
    out = tmp_path_factory.mktemp("beginner")
    trainer, _losses = sft(base_model, load(sft_file, out / "cache"), out, max_steps=15)
    trainer.save_model()
    return out


def actions_of(num_actions: int) -> dict[str, int]:
    return {"Local": 0} | {f"Server {e}": e for e in range(1, num_actions)}


class KillServer(TrainerCallback):
    """Kills this process's own server after a step."""

    def __init__(self, at_step: int) -> None:
        self.at_step = at_step
        self.killed: list[int] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
        if state.global_step == self.at_step:
            pid = shared_server().pid
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)


def test_training_goes_on_when_its_server_is_killed(
    trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six steps of two prompts and four answers each, three rewards; the records say what each reward must be."""
    data = make_dataset("grpo", count=12)
    batches: list[tuple[list[Any], list[Any], list[str], list[float | None]]] = []
    sizes: list[int] = []
    score = mecgym.integrations.trl.score

    def counting(states: Any, answers: Any, **options: Any) -> Any:
        sizes.append(len(answers))
        return score(states, answers, **options)

    class Watched(LacsReward):
        def __call__(self, prompts: Any, completions: Any, **columns: Any) -> list[float | None]:
            rewards = super().__call__(prompts, completions, **columns)
            batches.append((columns["costSlots"], columns["lookAheadReward"], completions, rewards))
            return rewards

    monkeypatch.setattr(mecgym.integrations.trl, "score", counting)
    kill = KillServer(at_step=3)
    config = paper_config(
        output_dir=str(tmp_path),
        max_steps=6,
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=6,
        learning_rate=1e-4,
        **ON_CPU,
    )
    trainer = GRPOTrainer(
        model=str(trained_model),
        args=config,
        train_dataset=data,
        reward_funcs=[Watched(), LatencyReward(), FormatReward()],
        callbacks=[kill],
    )
    trainer.train()
    assert trainer.state.global_step == 6
    assert len(kill.killed) == 1
    assert shared_server().pid != kill.killed[0]
    assert len(sizes) == 6  # one request a batch, for three rewards
    assert len(batches) == 6
    num_read = 0
    for costs, tables, completions, rewards in batches:
        assert tables[0] == tables[1] == tables[2] == tables[3]  # a group is about one state
        for cost, table, completion, reward in zip(costs, tables, completions, rewards, strict=True):
            # figures of the record's own futures, whichever member of the group asks
            action = actions_of(len(cost)).get(completion.strip())
            num_read += action is not None
            assert reward in ([table[cost.index(max(cost))], *table] if action is None else [table[action]])
    assert num_read > 0
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert all(math.isfinite(entry["loss"]) for entry in logs)
    for entry in logs:
        assert entry["mecgym/cost_slots"] >= entry["mecgym/regret_slots"] >= 0
        assert {"rewards/Watched/mean", "rewards/LatencyReward/mean", "rewards/FormatReward/mean"} <= set(entry)


def test_grpo_learns_from_rewards(beginner: Path, tmp_path: Path) -> None:
    """A model that writes most answers in an unreadable form is penalised for it, and writes fewer of them."""
    config = paper_config(
        output_dir=str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=32,
        max_completion_length=6,
        learning_rate=1e-3,
        seed=0,
        **ON_CPU,
    )
    data = make_dataset("grpo", count=64)
    trainer = GRPOTrainer(model=str(beginner), args=config, train_dataset=data, reward_funcs=LacsReward())
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]

    def mean(name: str, part: list[dict[str, float]]) -> float:
        return sum(entry[name] for entry in part) / len(part)

    first, last = logs[: STEPS // 3], logs[-STEPS // 3 :]
    assert mean("reward", last) > mean("reward", first)
    assert mean("mecgym/parse_failures", last) < mean("mecgym/parse_failures", first)
