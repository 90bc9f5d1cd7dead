"""Helpers: trajectories, comparisons, and a proxy that loses, doubles and damages messages."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import zmq

from mecgym import Lanes, OffloadingEnv, TrajectoryDigest
from mecgym.envs.infos import StepInfos
from mecgym.remote.session.session import Session

Frames = list[bytes]
#: Takes the number of a message (from 0) and its parts; returns the messages that replace it.
Fault = Callable[[int, Frames], Sequence[Frames]]


def pass_on(_number: int, frames: Frames) -> Sequence[Frames]:
    return [frames]


class FaultyProxy:
    """A proxy in front of a server, for one client at a time, on real sockets."""

    def __init__(self, server_address: str, *, request: Fault = pass_on, reply: Fault = pass_on) -> None:
        self._faults = (request, reply)
        self.counts = [0, 0]
        self._folder = tempfile.TemporaryDirectory(prefix="mecgym-test-")
        self.address = f"ipc://{os.path.join(self._folder.name, 's')}"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._front = self._context.socket(zmq.ROUTER)
        self._back = self._context.socket(zmq.DEALER)
        for socket in (self._front, self._back):
            socket.setsockopt(zmq.LINGER, 0)
        self._front.bind(self.address)
        self._back.connect(server_address)
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_ended.set()
        self._thread.join(5)
        self._context.destroy(linger=0)
        self._folder.cleanup()

    def _run(self) -> None:
        client = b""
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        poller.register(self._back, zmq.POLLIN)
        while not self._is_ended.is_set():
            events = dict(poller.poll(20))
            if self._front in events:
                client, *frames = self._front.recv_multipart()
                for message in self._apply(0, frames):
                    self._back.send_multipart(message)
            if self._back in events:
                for message in self._apply(1, self._back.recv_multipart()):
                    self._front.send_multipart([client, *message])

    def _apply(self, way: int, frames: Frames) -> Sequence[Frames]:
        number = self.counts[way]
        self.counts[way] += 1
        return self._faults[way](number, frames)


def choose(rule: str, env: OffloadingEnv, info: dict[str, Any]) -> int:
    """Pick an action as the golden trajectories do."""
    if rule == "cheapest":
        return int(np.argmin(env.look_ahead().cost_slots))
    if rule == "out-of-range" and info["decision_index"] % 10 == 0:
        return 99
    stride = 1 if rule == "in-turn" else 7
    return int(info["decision_index"] * stride % (info["num_servers"] + 1))


def play(env: OffloadingEnv, seeds: Sequence[int | None], rule: str = "cycle") -> tuple[str, int]:
    """Play episodes; return the trajectory's digest and the number of decisions."""
    digest = TrajectoryDigest()
    num_steps = 0
    for seed in seeds:
        observation, info = env.reset(seed=seed)
        truncated = False
        while not truncated:
            action = choose(rule, env, info)
            taken_on = observation
            observation, _reward, _terminated, truncated, info = env.step(action)
            digest.add_step(taken_on, info["executed_action"], info["latency_slots"], info["cost_slots"])
            num_steps += 1
        digest.end_episode(info["episode_seed"])
    return digest.hexdigest(), num_steps


def session_of(player: Any) -> Session:
    """Return the session on a server that plays an environment, or lanes."""
    session = player.session if isinstance(player, Lanes) else player._session
    assert isinstance(session, Session)
    return session


def process_is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        pass
    if os.path.isdir("/proc/self"):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait for a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def assert_equal(found: Any, expected: Any, path: str = "") -> None:
    """Assert that two infos are the same, arrays and their dtypes included."""
    if isinstance(found, StepInfos):
        found = dict(found)
    if isinstance(expected, StepInfos):
        expected = dict(expected)
    assert type(found) is type(expected), f"{path}: {type(found)} is not {type(expected)}"
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), f"{path}: {sorted(found.keys() ^ expected.keys())} differ"
        for name, value in expected.items():
            assert_equal(found[name], value, f"{path}/{name}")
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, f"{path}: {found.dtype} is not {expected.dtype}"
        assert found.shape == expected.shape, path
        if expected.dtype == object:
            for i, value in enumerate(expected):
                assert_equal(found[i], value, f"{path}/{i}")
        else:
            np.testing.assert_array_equal(found, expected, err_msg=path)
    else:
        assert found == expected, path
