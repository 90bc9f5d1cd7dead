"""`python -m mecgym.demo`: plays the closed-loop oracle through Gymnasium and prints the result."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

import gymnasium
import numpy as np

from ..bench.digest import TrajectoryDigest
from ..checks import MAX_SEED
from ..envs.numeric import OffloadingEnv
from ..errors import MecgymError

__all__ = ["main", "play"]

SCENARIO = "paper-v1"


def play(num_episodes: int, first_seed: int, *, show_progress: bool = False) -> dict[str, object]:
    """Play episodes with the cheapest action of every decision.

    Parameters
    ----------
    num_episodes : int
        How many episodes.
    first_seed : int
        Seed of the first one; each further one has the next seed.
    show_progress : bool
        Whether to count the episodes on standard error.

    Returns
    -------
    dict
        ``scenario``, ``episodes``, ``seed``, ``decisions``, ``averageLatencySlots`` (slots), ``digest`` and
        ``stepsPerSecond`` (decisions).
    """
    env = gymnasium.make("mecgym/Offloading-v0", scenario=SCENARIO)
    try:
        oracle = env.unwrapped
        assert isinstance(oracle, OffloadingEnv)
        digest = TrajectoryDigest()
        num_decisions = 0
        latency_slots = 0.0
        start = time.perf_counter()
        for episode in range(num_episodes):
            observation, info = env.reset(seed=first_seed + episode)
            truncated = False
            while not truncated:
                action = int(np.argmin(oracle.look_ahead().cost_slots))
                taken_on = observation
                observation, _reward, _terminated, truncated, info = env.step(np.int64(action))
                digest.add_step(taken_on, info["executed_action"], info["latency_slots"], info["cost_slots"])
                num_decisions += 1
                latency_slots += info["latency_slots"]
            digest.end_episode(info["episode_seed"])
            if show_progress:
                print(f"\repisode {episode + 1} of {num_episodes}", end="", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - start
        if show_progress:
            print(file=sys.stderr)
    finally:
        env.close()
    return {
        "scenario": SCENARIO,
        "episodes": num_episodes,
        "seed": first_seed,
        "decisions": num_decisions,
        "averageLatencySlots": latency_slots / max(num_decisions, 1),
        "digest": digest.hexdigest(),
        "stepsPerSecond": round(num_decisions / seconds, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mecgym.demo", description=__doc__)
    parser.add_argument("--episodes", type=_count, default=20, help="how many episodes (default: 20)")
    parser.add_argument("--seed", type=_seed, default=2_000_000, help="seed of the first (default: 2000000)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of text")
    options = parser.parse_args(arguments)
    try:
        outcome = play(options.episodes, options.seed, show_progress=sys.stderr.isatty())
    except MecgymError as error:
        print(f"mecgym: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(outcome))
    else:
        for name, value in outcome.items():
            print(f"{name:<20} {value}")
    return 0


def _count(text: str) -> int:
    return _integer(text, 1, 1_000_000)


def _seed(text: str) -> int:
    return _integer(text, 0, MAX_SEED - 1_000_000)


def _integer(text: str, smallest: int, largest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = smallest - 1
    if not smallest <= value <= largest:
        raise argparse.ArgumentTypeError(f"expected an integer from {smallest} to {largest}, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
