"""A hand-written reward function with regular expressions, dicts and loops. The figures are those of the package.

It reads the last "Server k" or "local" of a completion and looks ahead as in eq. 22-26. Its future sizes come from
`random`: the work is the same as in the package, but the futures are not.
"""

from __future__ import annotations

import random
import re
from typing import Any

DECISION = re.compile(r"server\s*(\d+)|\b(local)\b", re.IGNORECASE)
NUM_SAMPLES = 3
WEIGHT = 0.3


def read_action(completion: str) -> int | None:
    """Return the last decision in a text; None if there is none."""
    found = None
    for match in DECISION.finditer(completion):
        found = 0 if match.group(2) else int(match.group(1))
    return found


def latency(
    state: dict[str, Any], size: float, action: int, work: list[float], tasks: list[int], local: float
) -> float:
    """Return the latency C of an action, slots (eq. 3, 7, 8)."""
    density, slot = state["densityGcyclesPerMbit"], state["slotSeconds"]
    if action == 0:
        return (local * density / state["localCpuGHz"] + size * density / state["localCpuGHz"]) / slot
    e = action - 1
    share = density * (tasks[e] + 1) / state["cpuGHz"][e]
    return (size / state["rateMbps"][e] + work[e] * share + size * share) / slot


def cost(state: dict[str, Any], slots: float) -> float:
    """Return the cost J, slots (eq. 11)."""
    return slots + state["penaltySlots"] if slots > state["deadlineSlots"] else slots


def reward(state: dict[str, Any], action: int, sizes: list[float]) -> float:
    """Return the look-ahead reward of an action (eq. 22-26)."""
    density, slot = state["densityGcyclesPerMbit"], state["slotSeconds"]
    now = cost(
        state,
        latency(
            state, state["sizeMbit"], action, state["workloadMbit"], state["activeTasks"], state["localBacklogMbit"]
        ),
    )
    work = [
        max(0.0, left - cpu * slot / (density * (count + 1)))
        for left, cpu, count in zip(state["workloadMbit"], state["cpuGHz"], state["activeTasks"], strict=True)
    ]
    tasks = list(state["activeTasks"])
    local = max(0.0, state["localBacklogMbit"] - state["localCpuGHz"] * slot / density)
    if action == 0:
        local += state["sizeMbit"]
    else:
        work[action - 1] += state["sizeMbit"]
        tasks[action - 1] += 1
    total = 0.0
    for size in sizes:
        total += min(
            cost(state, latency(state, size, other, work, tasks, local)) for other in range(state["numServers"] + 1)
        )
    return -(now + WEIGHT * total / len(sizes))


def score(states: list[dict[str, Any]], completions: list[str], state_of: list[int]) -> list[float]:
    """Return the reward of every completion; an unreadable or unknown action is charged as the costliest one."""
    rewards = []
    for completion, index in zip(completions, state_of, strict=True):
        record = states[index]
        state = record["state"]
        draw = random.Random(f"{record['episodeSeed']}/{state['decisionIndex']}")  # noqa: S311
        sizes = [state["sizeMbit"] * draw.uniform(0.5, 1.5) for _ in range(NUM_SAMPLES)]
        action = read_action(completion)
        if action is None or action > state["numServers"]:
            queues = (state["workloadMbit"], state["activeTasks"], state["localBacklogMbit"])
            action = max(range(state["numServers"] + 1), key=lambda a: latency(state, state["sizeMbit"], a, *queues))
        rewards.append(reward(state, action, sizes))
    return rewards
