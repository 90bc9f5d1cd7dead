"""Threads: an environment refuses a second one, and environments in several threads play what they play in one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers import assert_equal, play, wait_until
from mecgym import LocalServer, MecgymError, OffloadingEnv, OffloadingTextEnv, OffloadingVectorEnv

SMALL: dict[str, Any] = {"numServers": 3, "episodeSlots": 6}
MIXED = "paper-3-to-11-servers-v1"


def is_in_use(env: Any) -> bool:
    """Whether another thread is in a call of the environment."""
    lock = env._session.in_use
    if not lock.acquire(blocking=False):
        return True
    lock.release()
    return False


def refusals(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """Return the code that each call is refused with."""
    codes = {}
    for name, call in calls.items():
        with pytest.raises(MecgymError) as caught:
            call()
        codes[name] = caught.value.code
    return codes


def calls_of(env: Any, action: Any) -> dict[str, Callable[[], Any]]:
    calls = {
        "step": lambda: env.step(action),
        "reset": lambda: env.reset(seed=4),
        "look_ahead": env.look_ahead,
        "snapshot": env.snapshot,
        "fork": env.fork,
        "render": env.render,
        "close": env.close,
    }
    if isinstance(env, OffloadingVectorEnv):
        calls["fork_lanes"] = lambda: env.fork_lanes([0], [1])
    return calls


@pytest.mark.parametrize("kind", [OffloadingEnv, OffloadingTextEnv, OffloadingVectorEnv])
def test_a_second_thread_is_refused_and_changes_nothing(kind: Any, own_server: LocalServer) -> None:
    """The server is stopped, so the first thread stays in its step while the second one tries."""
    is_vector = kind is OffloadingVectorEnv
    arguments: dict[str, Any] = {"num_envs": 2} if is_vector else {}
    action: Any = [1, 2] if is_vector else 1
    env, alone = (kind(scenario=SMALL, render_mode="ansi", address=own_server.address, **arguments) for _ in range(2))
    for one in (env, alone):
        one.reset(seed=3)
    snapshot = env.snapshot()
    found: list[Any] = []
    first = threading.Thread(target=lambda: found.append(env.step(action)))
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        first.start()
        assert wait_until(lambda: is_in_use(env))
        calls = {**calls_of(env, action), "restore": lambda: env.restore(snapshot)}
        assert refusals(calls) == dict.fromkeys(calls, "inUse")
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
        first.join(20)
    assert_equal(dict(enumerate(found[0])), dict(enumerate(alone.step(action))))
    # once the first thread is done, the second one may
    assert_equal(dict(enumerate(env.step(action))), dict(enumerate(alone.step(action))))
    for one in (env, alone):
        one.close()


def test_with_a_lock_threads_take_turns() -> None:
    env = OffloadingEnv("paper-v1")
    env.reset(seed=3)
    lock = threading.Lock()
    indices: list[int] = []

    def work() -> None:
        for _ in range(20):
            with lock:
                indices.append(env.step(0)[4]["decision_index"])

    run_together([work] * 4)
    env.close()
    assert indices == list(range(1, 81))


def test_threads_play_what_one_thread_plays() -> None:
    def vector(seed: int) -> list[bytes]:
        envs = OffloadingVectorEnv(16, scenario=MIXED)
        rows = [envs.reset(seed=seed)[0].tobytes()]
        for i in range(30):
            observations, rewards, *_others = envs.step(np.full(16, i % 4))
            rows += [observations.tobytes(), rewards.tobytes()]
        envs.close()
        return rows

    def text(seed: int) -> list[Any]:
        env = OffloadingTextEnv("churn-v1")
        prompts: list[Any] = [env.reset(seed=seed)[0]]
        for i in range(30):
            prompts += env.step(f"Server {1 + i % 6}")[:2]
        env.close()
        return prompts

    def single(seed: int) -> tuple[str, int]:
        env = OffloadingEnv({"numServers": 4, "episodeSlots": 20})
        played = play(env, [seed, seed + 1], "cheapest")
        env.close()
        return played

    tasks = [(kind, seed) for seed in (5, 6) for kind in (vector, text, single)]
    alone = [kind(seed) for kind, seed in tasks]
    together: list[Any] = [None] * len(tasks)

    def work(i: int) -> None:
        kind, seed = tasks[i]
        together[i] = kind(seed)

    run_together([lambda i=i: work(i) for i in range(len(tasks))])  # type: ignore[misc]
    assert together == alone


def run_together(works: list[Callable[[], None]]) -> None:
    """Run each in a thread of its own, all of them starting at once."""
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], None]) -> None:
        start.wait(10)
        work()

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)
