"""The learned price in NumPy: the decisions on file, which TypeScript takes too, and their prices to the last bit."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mecgym

ROOT = Path(__file__).resolve().parents[4]
GOLDEN: list[dict[str, Any]] = json.loads((ROOT / "test" / "golden" / "learned-price.json").read_text(encoding="utf-8"))
WEIGHTS = ROOT / "benchmarks" / "policies" / "learned-price.json"


@pytest.fixture(scope="module")
def policy() -> Iterator[ModuleType]:
    folder = str(ROOT / "benchmarks" / "training")
    sys.path.insert(0, folder)
    yield importlib.import_module("price_policy")
    sys.path.remove(folder)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["scenario"])
def test_decisions_and_prices(policy: ModuleType, golden: dict[str, Any]) -> None:
    options: dict[str, Any] = {"facts": True, "autoreset": "disabled", "seed": 0, "backend": "engine"}
    with mecgym.Lanes(1, golden["scenario"], **options) as lanes:
        learned = policy.LearnedPrice(WEIGHTS, lanes.scenarios[0]["scenario"])
        actions: list[int] = []
        batch, has_ended = lanes.reset(seed=[golden["seed"]]), False
        while not has_ended:
            prices = learned.prices(batch.arrays["observation"], lanes.max_servers)
            if len(actions) < len(golden["prices"]):
                expected = [np.inf if price is None else price for price in golden["prices"][len(actions)]]
                assert prices[0, : len(expected)].tolist() == expected
                assert np.isinf(prices[0, len(expected) :]).all()
            actions.append(int(prices[0].argmin()))
            batch = lanes.step(actions[-1:])
            has_ended = bool(batch.arrays["flags"][0] & 1)
    assert " ".join(map(str, actions)) == golden["actions"]


def test_logarithm_has_the_bits_of_typescript(policy: ModuleType) -> None:
    """Within an ulp of the exact value, and exact where the golden values of fdlibm are."""
    values = np.concatenate([np.linspace(1, 3, 4001), np.geomspace(1, 1e12, 4001), [1 + 2**-52, 1 + 2**-21]])
    found, nearest = policy.exact_log(values), np.log(values)
    assert (np.abs(found - nearest) <= np.spacing(nearest)).all()
    assert policy.exact_log(np.array([1.0]))[0] == 0.0


def test_the_end_of_the_episode_and_absent_servers(policy: ModuleType) -> None:
    ramp = policy.end_ramp()
    assert (ramp[0], ramp[policy.END_SLOTS]) == (1.0, 0.0)
    assert ramp[4] == pytest.approx(np.exp(-1))
    assert (np.diff(ramp) < 0).all()


def test_a_network_of_zeros_is_adaptive(policy: ModuleType, tmp_path: Path) -> None:
    """Without the learned part, the prices are J + the price of `adaptive`: those of the server's own policy."""
    kept = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    zeros = {name: np.zeros(shape) for name, shape in policy.SHAPES.items()}
    policy.write_weights(tmp_path / "zeros.json", zeros, np.array(kept["adaptive"]), {})
    seeds = [1_000_000, 1_000_001]
    result = mecgym.evaluate("foresight", ["adaptive"], settings=["load-18-users"], episodes=2, first_seed=seeds[0])
    with mecgym.Lanes(1, "load-18-users-v1", seed=0, backend="engine") as lanes:
        scenario = lanes.scenarios[0]["scenario"]
    played = mecgym.play_seeds(
        policy.LearnedPrice(tmp_path / "zeros.json", scenario), seeds, "load-18-users-v1", facts=True
    )
    assert played.actions == result["settings"][0]["policies"][0]["actions"]
