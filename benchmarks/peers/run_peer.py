"""Plays a peer on one core, on command: ``run_peer.py --peer numpy --lanes 1024 --policy greedy``.

It sets up lanes of `paper-v1` with ``--servers`` servers and twice as many users, and plays until the lanes are spread
over their episodes and their queues have their full length. It prints ``{"ready": true, "versions": …}``. Then, for
each line ``run STEPS`` on its standard input, it plays at least that many decisions and prints one line of JSON:
``steps``, their ``seconds`` and ``cpuSeconds``, and ``meanCostSlots``. It ends when its input ends. So the measuring
program can alternate it with other contenders, and a busy machine slows all of them equally.

The measurement includes everything a step needs: random draws, logarithms, service, observations, new episodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable

# before NumPy and JAX are imported, because the libraries read these while they load
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np  # noqa: E402
from numpy_env import NumpyEnv, Parameters  # noqa: E402

Play = Callable[[int], tuple[int, float]]
"""Plays at least the given number of decisions; returns their number, and the sum of their costs."""
SCAN_LANE_STEPS = 65_536
"""Lane-steps of one scan."""


def numpy_peer(options: argparse.Namespace, parameters: Parameters) -> tuple[Play, dict[str, str]]:
    """Return a function that plays the NumPy version, and the versions of its libraries."""
    env = NumpyEnv(options.lanes, parameters, options.seed)
    # first episodes of every length, so that lanes do not all start over at the same time
    env.end_slot = env.rng.integers(1, parameters.episode_slots + 1, options.lanes)
    act = env.greedy_actions if options.policy == "greedy" else env.random_actions

    def play(steps: int) -> tuple[int, float]:
        rounds = -(-steps // options.lanes)
        cost = 0.0
        for _ in range(rounds):
            env.step(act())
            cost += float(env.cost_slots.sum())
        return rounds * options.lanes, cost

    return play, {"numpy": np.__version__}


def jax_peer(options: argparse.Namespace, parameters: Parameters) -> tuple[Play, dict[str, str]]:
    """Return a function that plays the JAX version, and the versions of its libraries."""
    import jax
    import jax.numpy as jnp
    import jax_env

    lanes = options.lanes
    room = options.room or (8 if options.policy == "greedy" else 128)
    draw = jax_env.drawn_world(lanes, parameters)
    act = jax_env.greedy if options.policy == "greedy" else jax_env.uniform

    def body(state: jax_env.State, _: None) -> tuple[jax_env.State, tuple[jax.Array, jax.Array]]:
        state, step = jax_env.step(state, parameters, draw, act)
        return state, (step.is_decision.sum(), jnp.where(step.is_decision, step.cost_slots, 0).sum())

    def scan(state: jax_env.State, length: int) -> tuple[jax_env.State, jax.Array, jax.Array]:
        state, (count, cost) = jax.lax.scan(body, state, None, length=length)
        return state, count.sum(), cost.sum()

    compiled = jax.jit(scan, static_argnums=1, donate_argnums=0)
    key = jax.random.key(options.seed, impl="unsafe_rbg")
    state, _, _ = compiled(jax_env.start(lanes, room, parameters, key), 1)
    # as in numpy_peer
    lengths = np.random.default_rng(options.seed).integers(1, parameters.episode_slots + 1, lanes)
    state = state._replace(end_slot=jnp.asarray(lengths, jnp.int32))
    length = max(1, SCAN_LANE_STEPS // lanes)

    def play(steps: int) -> tuple[int, float]:
        nonlocal state
        played, cost = 0, 0.0
        while played < steps:
            state, scan_count, scan_cost = compiled(state, length)
            played += int(scan_count)
            cost += float(scan_cost)
        if int(state.most_tasks) > room:
            sys.exit(f"run_peer.py: a queue of {int(state.most_tasks)} tasks, but there is room for only {room}")
        return played, cost

    return play, {"jax": jax.__version__, "numpy": np.__version__}


PEERS = {"numpy": numpy_peer, "jax": jax_peer}


def main() -> None:
    """Read the options, then serve the lines of the standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=sorted(PEERS), default="numpy")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("--policy", choices=["greedy", "random"], default="greedy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--room", type=int, default=0, help="tasks a queue has room for (jax; default: 8, or 128)")
    options = parser.parse_args()
    for name in ("lanes", "servers"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")

    parameters = Parameters(num_servers=options.servers, num_users=2 * options.servers)
    play, versions = PEERS[options.peer](options, parameters)
    # greedy queues have their full length after some slots, queues of random play at the end of an episode
    slots = 20 if options.policy == "greedy" else 1.1 * parameters.episode_slots
    play(int(slots * parameters.num_users * parameters.arrival_probability * options.lanes))
    print(json.dumps({"ready": True, "versions": {"python": platform.python_version(), **versions}}), flush=True)
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command != "run" or not count.isdigit() or int(count) < 1:
            sys.exit(f"run_peer.py: a line must be 'run STEPS', got {line.strip()!r}")
        start, cpu_start = time.perf_counter(), time.process_time()
        steps, cost = play(int(count))
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        reply = {"steps": steps, "seconds": seconds, "cpuSeconds": cpu_seconds, "meanCostSlots": cost / steps}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
