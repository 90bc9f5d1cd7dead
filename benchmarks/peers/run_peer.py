"""Plays a peer on one core, when told to: ``run_peer.py --peer numpy --lanes 1024 --policy greedy --steps 100000``.

It sets its lanes up, plays a tenth of the steps unmeasured, and prints ``{"ready": true}``. Then, for each line ``run``
on its standard input, it plays at least so many lane-steps of `paper-v1` with ``--servers`` servers and twice as many
users, and prints one line of JSON, ``{"steps": …, "seconds": …}``. It ends with its input. Whoever measures can so
take turns with something else, and a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

# before NumPy is imported: libraries read these as they are loaded
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

from numpy_env import NumpyEnv, Parameters  # noqa: E402


def main() -> None:
    """Read the options, then serve the lines of the standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=["numpy"], default="numpy")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("--policy", choices=["greedy", "random"], default="greedy")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in ("lanes", "servers", "steps"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")

    parameters = Parameters(num_servers=options.servers, num_users=2 * options.servers)
    env = NumpyEnv(options.lanes, parameters, options.seed)
    act = env.greedy_actions if options.policy == "greedy" else env.random_actions

    def play(steps: int) -> int:
        rounds = -(-steps // options.lanes)
        for _ in range(rounds):
            env.step(act())
        return rounds * options.lanes

    play(options.steps // 10)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        if line.strip() != "run":
            sys.exit(f"run_peer.py: a line must be 'run', got {line.strip()!r}")
        start = time.perf_counter()
        steps = play(options.steps)
        print(json.dumps({"steps": steps, "seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
