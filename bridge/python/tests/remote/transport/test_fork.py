"""Forks: a child starts its own server, and does not touch its parent's."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from multiprocessing.connection import Connection as Pipe
from typing import Any

import gymnasium
import numpy as np
import pytest

from helpers import play
from mecgym import OffloadingEnv, SessionLost
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later warn about every fork of a process with threads, and ZeroMQ has threads
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def run_forked(work: Any, *arguments: Any) -> Any:
    """Run a function in a forked child; return what it sends."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *arguments))
    process.start()
    try:
        assert here.poll(20), "the child sent nothing"
        return here.recv()
    finally:
        process.join(10)
        assert process.exitcode == 0
        here.close()
        there.close()


def play_in_child(pipe: Pipe, inherited: OffloadingEnv) -> None:
    try:
        inherited.step(1)
        refusal = "none"
    except SessionLost as error:
        refusal = error.code
    inherited.close()
    env = OffloadingEnv(SMALL)
    pipe.send((refusal, shared_server().pid, play(env, [3])))
    env.close()


def test_a_child_has_its_own_server() -> None:
    env = OffloadingEnv(SMALL)
    expected = play(env, [3])
    env.reset(seed=3)
    before = env.step(1)[0]
    refusal, child_pid, found = run_forked(play_in_child, env)
    assert refusal == "forked"
    assert child_pid != shared_server().pid
    assert found == expected
    # the parent goes on undisturbed
    assert shared_server().is_alive()
    after = env.step(1)
    assert after[4]["decision_index"] == 2
    assert not np.array_equal(before, after[0])
    env.close()


def fork_again(pipe: Pipe) -> None:
    OffloadingEnv(SMALL).close()
    pipe.send(run_forked(lambda inner: inner.send(play(OffloadingEnv(SMALL), [3]))))


def test_a_childs_child_has_its_own_server() -> None:
    assert run_forked(fork_again) == play(OffloadingEnv(SMALL), [3])


def make_small() -> OffloadingEnv:
    return OffloadingEnv(SMALL)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_gymnasiums_worker_processes_play_the_same(context: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        envs = gymnasium.vector.AsyncVectorEnv([make_small] * 2, context=context)
    single = make_small()
    try:
        observations, _infos = envs.reset(seed=3)
        np.testing.assert_array_equal(observations[1], single.reset(seed=4)[0])
        for _ in range(5):
            observations, rewards, *_rest = envs.step(np.asarray([1, 2]))
            expected = single.step(2)
            np.testing.assert_array_equal(observations[1], expected[0])
            assert rewards[1] == expected[1]
    finally:
        envs.close()
        single.close()
