"""Times what a Python user can step, on command: ``run_python.py --what make-vec --lanes 1024``.

It sets itself up, and then serves lines as described in `driving.py`. A step is one decision of one environment; a step
that only resets an environment does not count. All play actions that are fixed in advance.

``make-vec``: `mecgym`'s native vector environment with its defaults, ``views``: the same without copies; ``lanes``:
`mecgym.Lanes` with a request of every group in flight; ``numpy``: `numpy_env.py`; ``sync``, ``async``: Gymnasium's
vector environments over `python_env.py`; ``envpool``: EnvPool's CartPole-v1; ``dqn``: Stable-Baselines3's DQN,
whose answers give the seconds spent in the environment as ``environmentSeconds``.
"""

from __future__ import annotations

import argparse
import platform
import signal
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from driving import Play, serve

SCRIPT = 16
"""Number of actions in the script, which repeats."""
WARM_UP_SECONDS = 3.0
SPREAD_STEPS, SPREAD_PARTS = 360, 36
"""About the steps of an episode, in which some lanes after others start over, so that they end at different times."""


def script_of(num_lanes: int, num_actions: int) -> list[np.ndarray]:
    """Return the actions of the script, each [lanes]."""
    lane = np.arange(num_lanes)
    return [np.ascontiguousarray((i * 5 + lane * 3) % num_actions, dtype=np.int32) for i in range(SCRIPT)]


def vector_play(envs: Any, num_lanes: int, num_actions: int = 7) -> Play:
    """Step a vector environment with next-step autoreset."""
    script = script_of(num_lanes, num_actions)
    at = num_resetting = 0

    def play(count: int) -> dict[str, Any]:
        nonlocal at, num_resetting
        steps = 0
        while steps < count:
            _, _, terminations, truncations, _ = envs.step(script[at % SCRIPT])
            at += 1
            steps += num_lanes - num_resetting
            num_resetting = int(np.count_nonzero(terminations | truncations))
        return {"steps": steps}

    return play


def make_vec_play(options: argparse.Namespace) -> Play:
    """Step `mecgym`'s native vector environment, with lanes spread over their episodes."""
    import gymnasium

    import mecgym

    envs = gymnasium.make_vec(
        mecgym.ENV_ID,
        num_envs=options.lanes,
        history=options.history,
        copy=options.what != "views",
        seed=0,
    )
    envs.reset()
    play = vector_play(envs, options.lanes)
    parts = min(SPREAD_PARTS, options.lanes)
    part = np.arange(options.lanes) % parts
    for k in range(parts):
        envs.reset(options={"reset_mask": part == k})
        play(SPREAD_STEPS // parts * options.lanes)
    return play


def lanes_play(options: argparse.Namespace) -> Play:
    """Step groups of lanes, each with one request in flight."""
    import run_bridge

    play = run_bridge.lanes_play(options)
    return lambda count: {"steps": play(count)[0]}


def numpy_play(options: argparse.Namespace) -> Play:
    """Step the vectorised NumPy version."""
    from numpy_env import NumpyEnv, Parameters

    env = NumpyEnv(options.lanes, Parameters())
    env.end_slot = env.rng.integers(1, env.parameters.episode_slots + 1, options.lanes)
    script = script_of(options.lanes, 7)
    at = 0

    def play(count: int) -> dict[str, Any]:
        nonlocal at
        rounds = -(-count // options.lanes)
        for _ in range(rounds):
            env.step(script[at % SCRIPT])
            at += 1
        return {"steps": rounds * options.lanes}

    return play


def gymnasium_play(options: argparse.Namespace) -> Play:
    """Step Gymnasium's vector environments over the plain Python version."""
    from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
    from python_env import PythonEnv

    kind = SyncVectorEnv if options.what == "sync" else AsyncVectorEnv
    envs = kind([PythonEnv for _ in range(options.lanes)])
    envs.reset(seed=0)
    return vector_play(envs, options.lanes)


def envpool_play(options: argparse.Namespace) -> Play:
    """Step EnvPool's CartPole."""
    import envpool

    envs = envpool.make_gymnasium("CartPole-v1", num_envs=options.lanes, seed=0)
    envs.reset()
    return vector_play(envs, options.lanes, 2)


def dqn_play(options: argparse.Namespace) -> Play:
    """Train DQN: one update for four decisions, and the other settings that Stable-Baselines3 has by default."""
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.vec_env import VecEnvWrapper, VecMonitor, VecNormalize

    from mecgym.sb3 import OffloadingVecEnv

    class Timed(VecEnvWrapper):
        seconds = 0.0

        def reset(self) -> Any:
            start = time.perf_counter()
            observations = self.venv.reset()
            self.seconds += time.perf_counter() - start
            return observations

        def step_async(self, actions: Any) -> None:
            start = time.perf_counter()
            self.venv.step_async(actions)
            self.seconds += time.perf_counter() - start

        def step_wait(self) -> Any:
            start = time.perf_counter()
            step = self.venv.step_wait()
            self.seconds += time.perf_counter() - start
            return step

    torch.set_num_threads(1)  # the network is small
    timed = Timed(OffloadingVecEnv(options.lanes, seed=0))
    env = VecNormalize(VecMonitor(timed), norm_reward=False, clip_obs=5.0)
    frequency = {"train_freq": max(1, 4 // options.lanes), "gradient_steps": max(1, options.lanes // 4)}
    settings: dict[str, Any] = {"buffer_size": 50_000, "learning_starts": 100, **frequency}
    model = DQN("MlpPolicy", env, seed=0, **settings)

    def play(count: int) -> dict[str, Any]:
        before = timed.seconds
        first = model.num_timesteps
        model.learn(count, reset_num_timesteps=False)
        return {"steps": model.num_timesteps - first, "environmentSeconds": timed.seconds - before}

    return play


PLAYS = {
    "make-vec": make_vec_play,
    "views": make_vec_play,
    "lanes": lanes_play,
    "numpy": numpy_play,
    "sync": gymnasium_play,
    "async": gymnasium_play,
    "envpool": envpool_play,
    "dqn": dqn_play,
}
LIBRARIES = {"envpool": ["envpool"], "dqn": ["stable_baselines3", "torch"]}


def main() -> None:
    """Read the options, then serve the lines of the standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=sorted(PLAYS), default="make-vec")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--warm-up-seconds", type=float, default=WARM_UP_SECONDS, help="play before anything is timed")
    options = parser.parse_args()
    if options.lanes < 1:
        parser.error("--lanes must be at least 1")
    # a normal exit of Python, which also ends the servers and environments in other processes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    play = PLAYS[options.what](options)
    until = time.perf_counter() + options.warm_up_seconds
    while time.perf_counter() < until:
        play(options.lanes)
    libraries = ["numpy", "gymnasium", *LIBRARIES.get(options.what, [])]
    serve("run_python.py", play, {"python": platform.python_version(), **{name: version(name) for name in libraries}})


if __name__ == "__main__":
    main()
