"""Ctrl-C at any instant: one KeyboardInterrupt, a clean exit, and a session that the next reset can use."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from helpers import play, process_is_alive, session_of, wait_until
from mecgym import LocalServer, MecgymError, OffloadingEnv

SMALL = {"numServers": 3, "episodeSlots": 6}

PLAYING = """
import os
import numpy as np
from mecgym import Lanes, OffloadingEnv
from mecgym.remote.transport.server import shared_server
print("imported", flush=True)
env = OffloadingEnv({"numServers": 3, "episodeSlots": 6}, backend="server")
print(shared_server().pid, flush=True)
lanes = Lanes(64, groups=2, backend="server")
for group in range(2):
    lanes.send_reset(3, group=group)
while True:
    env.reset()
    for i in range(5):
        if env.step(i % 4)[3]:
            break
        env.look_ahead()
        for group in range(2):
            lanes.receive(group)
            lanes.send_step(np.full(32, i), group)
"""


@pytest.mark.parametrize("is_up", [False, True], ids=["while a server starts", "while it plays"])
def test_an_interrupt_ends_a_script_at_once(is_up: bool) -> None:
    command = [sys.executable, "-c", PLAYING]
    for instant in (0.0, 0.03, 0.2, 0.7):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"imported\n"
            pid = int(process.stdout.readline()) if is_up else None
            time.sleep(instant)
            process.send_signal(signal.SIGINT)
            _output, log = process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT), log.decode()
        assert (log.count(b"Traceback"), log.count(b"KeyboardInterrupt")) == (1, 1), log.decode()
        assert pid is None or wait_until(lambda pid=pid: not process_is_alive(pid))  # type: ignore[misc]


class InterruptedSocket:
    """A socket on which Ctrl-C comes with a given message part: before it is sent, or after."""

    def __init__(self, socket: Any, part: int, *, is_after: bool) -> None:
        self._socket = socket
        self._parts_left = part
        self._is_after = is_after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, *arguments: Any) -> None:
        self._parts_left -= 1
        if self._parts_left == 0 and not self._is_after:
            raise KeyboardInterrupt
        self._socket.send(*arguments)
        if self._parts_left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("part", [1, 2])
def test_an_interrupt_between_the_parts_of_a_message_damages_no_other(
    part: int, is_after: bool, own_server: LocalServer
) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=20)
    expected = play(env, [3])
    env.reset(seed=1)
    connection: Any = session_of(env)._link.connection
    socket = connection._socket
    connection._socket = InterruptedSocket(socket, part, is_after=is_after)
    with pytest.raises(KeyboardInterrupt):
        env.step(1)
    connection._socket = socket
    with pytest.raises(MecgymError, match="reset first"):
        env.step(1)
    assert play(env, [3]) == expected
    env.close()
