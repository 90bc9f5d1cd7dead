"""`benchmarks/training/price.py`: it learns, resumes to the same weights, and never meets a seed that it may not."""

# ruff: noqa: D103

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import mecgym

FOLDER = Path(__file__).parents[3] / "benchmarks" / "training"
PROGRAM = FOLDER / "price.py"
SMALL = ["--steps", "300", "--groups", "12", "--warm-up", "40", "--batch", "64", "--episodes", "2"]
#: Under this load the oracle's greed is expensive, so there is much to learn at once.
LOADED: dict[str, Any] = {"users": {"count": 24}, "episodeSlots": 60}


@pytest.fixture(scope="module")
def price() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("price")
    sys.path.remove(str(FOLDER))


def make_learner(price: ModuleType, scenario: dict[str, Any], **changes: Any) -> Any:
    options = {"seed": 1, "groups": 40, "learning_rate": 4e-3, "memory": 20_000, "steps": 500, "warm_up": 100}
    options |= {"batch": 192, "averaging": 0.02, **changes}
    # without the price of `adaptive`: it starts as the one-step oracle
    return price.Learner(argparse.Namespace(**options), [scenario], np.zeros(23))


def mean_cost(price: ModuleType, learner: Any, file: Path) -> float:
    price.write_weights(file, learner.weights(), learner.adaptive, {})
    complete = learner.forks.lanes.scenarios[0]["scenario"]
    policy = price.LearnedPrice(file, complete)
    return mecgym.play_seeds(policy, range(1_000_000, 1_000_020), LOADED, facts=True).mean_cost_slots


def test_learns_from_forks(price: ModuleType, tmp_path: Path) -> None:
    """Its start costs as much as the oracle; a minute later it costs far less."""
    torch.set_num_threads(1)
    learner = make_learner(price, LOADED)
    learner.forks.start()
    before = mean_cost(price, learner, tmp_path / "before.json")
    for _ in range(learner.options.steps):
        learner.step()
    after = mean_cost(price, learner, tmp_path / "after.json")
    assert after < before - 0.2


def test_lanes_of_a_group_meet_the_same_future(price: ModuleType) -> None:
    learner = make_learner(price, LOADED, groups=6)
    learner.forks.start()
    for _ in range(120):
        learner.step()
        rows = learner.forks.observations.reshape(6, price.LANES, -1)
        # size, user and rates of the servers do not depend on what was decided
        assert (rows[:, :, [0, 3, 6, 10, 14]] == rows[:, :1, [0, 3, 6, 10, 14]]).all()
    assert learner.samples.written > 0
    count = min(learner.samples.written, learner.samples.capacity)
    labels, actions = (learner.samples.rows[name][:count] for name in ("labels", "actions"))
    assert (labels[:, 0] == 0).all()
    # an action that was taken twice has cost the same twice
    assert (labels[actions == actions[:, :1]] == 0).all()
    assert np.abs(labels).max() <= price.LARGEST_LABEL


def test_a_label_is_the_discounted_difference_of_costs(price: ModuleType) -> None:
    """Two servers, no queues: within one slot, a label is the difference of the costs of the decisions so far."""
    learner = make_learner(price, {"users": {"count": 3}, "episodeSlots": 1}, groups=1)
    forks = learner.forks
    forks.start()
    lanes = price.LANES
    summed, actions = np.zeros(lanes), None
    for _ in range(50):
        slots_left = forks.slot[0] < 0
        given = price.inputs(forks.observations, forks.constants, learner.adaptive, forks.lanes.max_servers)
        chosen = forks.choose(given.base, {"base": given.base})
        if slots_left:
            summed, actions = np.zeros(lanes), chosen.copy()
        summed += np.take_along_axis(given.base, chosen[:, None], axis=1)[:, 0]
        found = forks.play(chosen)
        if found is not None:
            assert found["actions"][0].tolist() == actions.tolist()
            np.testing.assert_allclose(found["labels"][0], summed - summed[0], atol=1e-4)


def test_trains_with_training_seeds_only(price: ModuleType) -> None:
    learner = make_learner(price, {**LOADED, "episodeSlots": 5}, groups=10, steps=100)
    session, met = learner.forks.lanes.session, []
    reset = session.reset

    def noting(seeds: Any, mask: Any = None) -> Any:
        met.extend(seeds[mask > 0].tolist() if mask is not None else seeds.tolist())
        batch = reset(seeds, mask)
        met.extend(batch.arrays["episodeSeed"].tolist())
        return batch

    session.reset = noting
    learner.forks.start()
    for _ in range(100):
        learner.step()
    assert len(set(met)) > 20
    assert max(met) < 1_000_000


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(PROGRAM), *SMALL, "--out", str(out), *options]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603


def test_resumes_to_the_same_weights_and_writes_a_result_that_is_verified(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    said, complaints = whole.communicate(timeout=400)
    assert whole.returncode == 0, complaints
    assert "minutes on one core" in said

    broken = start(tmp_path / "broken", "--checkpoint-seconds", "0.2")
    checkpoint = tmp_path / "broken" / "checkpoint.pt"
    while not checkpoint.exists() and broken.poll() is None:
        time.sleep(0.01)
    broken.send_signal(signal.SIGINT)
    _said, complaints = broken.communicate(timeout=400)
    if broken.returncode != 0:  # a fast machine may finish before it is told to stop
        assert broken.returncode == 130, complaints
        again = start(tmp_path / "broken", "--resume")
        _said, complaints = again.communicate(timeout=400)
        assert again.returncode == 0, complaints
    weights = [(tmp_path / name / "weights.json").read_bytes() for name in ("whole", "broken")]
    assert weights[0] == weights[1]

    text = (tmp_path / "whole" / "result.json").read_bytes()
    assert text == (tmp_path / "broken" / "result.json").read_bytes()
    assert mecgym.verify(text, show_progress=False)["problems"] == []
    assert [entry["policy"]["name"] for entry in json.loads(text)["settings"][0]["policies"]][-1] == "price"
    assert "bursty-v1 | " in said
