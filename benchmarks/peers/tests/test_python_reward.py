"""The hand-written reward function agrees with the package if both have the same futures."""

from __future__ import annotations

import numpy as np
import pytest
import python_reward

import mecgym

STATE = {
    "slot": 3,
    "decisionIndex": 4,
    "sizeMbit": 3.0,
    "densityGcyclesPerMbit": 0.297,
    "deadlineSlots": 10.0,
    "penaltySlots": 10.0,
    "slotSeconds": 0.1,
    "userIndex": 1,
    "localCpuGHz": 2.0,
    "localBacklogMbit": 1.5,
    "localWaitSlots": 1.5 * 0.297 / 2.0 / 0.1,
    "numServers": 2,
    "rateMbps": [14.0, 3.0],
    "cpuGHz": [25.0, 44.0],
    "activeTasks": [2, 0],
    "workloadMbit": [5.0, 0.0],
    "workloadHistoryMbit": [[0.0] * 10, [0.0] * 10],
}


@pytest.mark.parametrize(("text", "action"), [("Server 2", 2), ("I run it locally: local.", 0), ("no idea", None)])
def test_it_reads_the_last_decision(text: str, action: int | None) -> None:
    """The last one counts."""
    assert python_reward.read_action(text) == action


def test_costs_and_rewards_are_those_of_the_package() -> None:
    """Except for the last digits, because Python adds in another order."""
    # with a factor of 1 the sizes are the same in both, whatever is drawn
    records = [{"episodeSeed": 1, "state": STATE}] * 3
    scores = mecgym.score(records, np.arange(3), num_samples=1, size_factor=(1.0, 1.0))
    for action in range(3):
        assert python_reward.reward(STATE, action, [STATE["sizeMbit"]]) == pytest.approx(
            scores.reward[action], rel=1e-12
        )
