"""The golden aggregates, which the TypeScript tests read, are what rliable computes."""

import json
from pathlib import Path

import numpy as np
import pytest
from rliable import metrics

GOLDEN = Path(__file__).parents[2] / "golden" / "aggregates.json"
CASES = json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_aggregates(case):
    """The estimators agree to 1e-12."""
    # rliable has a row for each run and a column for each task
    x, y = np.array(case["x"]).T, np.array(case["y"]).T
    assert metrics.aggregate_iqm(x) == pytest.approx(case["interquartileMeanOfX"], abs=1e-12)
    assert metrics.probability_of_improvement(x, y) == pytest.approx(case["probabilityThatXBeatsY"], abs=1e-12)
    profile = [np.mean(x > threshold) for threshold in case["thresholds"]]
    assert profile == pytest.approx(case["profileOfX"], abs=1e-12)
