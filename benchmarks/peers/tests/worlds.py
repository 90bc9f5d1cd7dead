"""The kernel's worlds for the tests of the peers: tasks, capacities, and the kernel's results."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from numpy_env import Parameters

ROOT = Path(__file__).parents[3]

SMALL = {
    "numServers": 2,
    "users": {"count": 2},
    "arrivals": {"process": "bernoulli", "probability": 0.02},
    "episodeSlots": 10,
}
"""Slots without a task, and even whole episodes without one."""
BUSY = {
    "numServers": 3,
    "users": {"count": 30},
    "arrivals": {"process": "bernoulli", "probability": 0.6},
    "episodeSlots": 20,
}
"""Long queues."""


def export(scenario: object, policy: str, num_lanes: int, num_episodes: int) -> dict:
    """Play the kernel and return its world."""
    spec = {"scenario": scenario, "numLanes": num_lanes, "numEpisodes": num_episodes, "policy": policy}
    command = ["node", "node_modules/tsx/dist/cli.mjs", "benchmarks/peers/export-world.ts", json.dumps(spec)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)  # noqa: S603
    return json.loads(done.stdout)


def gaps_of(episode: dict) -> list[int]:
    """Return the number of users asked for each task of an episode; the first task counts from the first user."""
    places = [slot * episode["numUsers"] + user for slot, user in zip(episode["slot"], episode["user"], strict=True)]
    return [place - before for place, before in zip(places, [-1, *places[:-1]], strict=True)]


def parameters_of(exported: dict) -> Parameters:
    """Return the constants of an exported world."""
    p, episode = exported["parameters"], exported["lanes"][0][0]
    return Parameters(
        num_servers=len(episode["cpuGHz"]),
        num_users=episode["numUsers"],
        density_gcycles_per_mbit=p["densityGcyclesPerMbit"],
        slot_seconds=p["slotSeconds"],
        local_cpu_ghz=p["localCpuGHz"],
        deadline_slots=p["deadlineSlots"],
        penalty_slots=p["penaltySlots"],
        episode_slots=p["episodeSlots"],
        arrival_probability=p["arrivalThreshold"],
        min_size_mbit=p["minSizeMbit"],
        size_span_mbit=p["sizeSpanMbit"],
        snr_ratio=p["snrRatio"],
        rate_scale_mbps=p["rateScaleMbps"],
        min_rate_mbps=p["minRateMbps"],
    )
