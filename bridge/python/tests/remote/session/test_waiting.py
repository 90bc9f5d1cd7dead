"""Nothing waits that need not, and nothing holds the caller's objects: threads, forks, dead addresses, long bodies."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from helpers import session_of, wait_until
from mecgym import Lanes, LocalServer, MecgymError, OffloadingEnv, ServerError, SessionLost, score
from mecgym.remote.queries.jobs import run_job
from mecgym.remote.transport.command import ADDRESS_VARIABLE, find_server_command
from mecgym.remote.transport.endpoints import connect

SMALL = {"numServers": 3, "episodeSlots": 6}
#: Far less than the timeouts of these tests, and far more than anything takes that does not wait.
SOON_SECONDS = 25.0
TIMEOUT_SECONDS = 60.0


def states(count: int) -> list[dict[str, Any]]:
    """Return records of states that differ in the size of their task."""
    servers = {"rateMbps": [10.0], "cpuGHz": [30.0], "workloadMbit": [0.0], "activeTasks": [0]}
    numbers = {"decisionIndex": 0, "numServers": 1, "localBacklogMbit": 0.0}
    return [{"episodeSeed": 3, "state": {**servers, **numbers, "sizeMbit": 2.0 + i / 64}} for i in range(count)]


def codes_of(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """Return the code that each call is refused with."""
    codes = {}
    for name, call in calls.items():
        with pytest.raises(MecgymError) as caught:
            call()
        codes[name] = caught.value.code
    return codes


class Stopped:
    """A server that is stopped while a thread waits for its answer."""

    def __init__(self, server: LocalServer, wait: Callable[[], Any], is_waiting: Callable[[], bool]) -> None:
        self._pid = server.pid
        self._is_waiting = is_waiting
        self._thread = threading.Thread(target=wait)

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        self._thread.start()
        assert wait_until(self._is_waiting)

    def __exit__(self, *_exception: object) -> None:
        os.kill(self._pid, signal.SIGCONT)
        self._thread.join(30)


def test_lanes_belong_to_one_thread_at_a_time_group_by_group(own_server: LocalServer) -> None:
    lanes = Lanes(4, SMALL, groups=2, address=own_server.address, timeout_seconds=TIMEOUT_SECONDS)
    for group in range(2):
        lanes.reset(3, group=group)
    session = session_of(lanes)
    steps: list[Any] = []
    with Stopped(
        own_server,
        lambda: steps.append(lanes.step([1, 2])),
        lambda: session._groups[0].num_in_flight > 0,
    ):
        start = time.monotonic()
        # two further threads, as it were: this one tries every call twice
        calls: dict[str, Callable[[], Any]] = {
            "step": lambda: lanes.step([0, 0]),
            "send_step": lambda: lanes.send_step([0, 0]),
            "receive": lanes.receive,
            "reset": lanes.reset,
            "send_reset": lanes.send_reset,
            "look_ahead": lanes.look_ahead,
            "snapshot": lanes.snapshot,
            "restore": lambda: session.restore(session.snapshot()),
            "fork": session.fork,
            "fork_lanes": lambda: session.fork_lanes([0], [1]),
            "run_policy": lambda: lanes.run_policy("local", 1),
            "close": lanes.close,
        }
        for _thread in range(2):
            assert codes_of(calls) == dict.fromkeys(calls, "inUse")
        lanes.send_step([0, 1], group=1)  # the other group is free
        assert time.monotonic() - start < SOON_SECONDS
    assert len(steps) == 1
    assert lanes.step([1, 1]).arrays["decisionIndex"].tolist() == [2, 2]
    assert lanes.receive(group=1).arrays["decisionIndex"].tolist() == [1, 1]
    lanes.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["environment", "lanes", "query"])
def test_a_child_that_is_forked_while_a_thread_waits_does_not_wait(kind: str, own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=TIMEOUT_SECONDS)
    lanes = Lanes(2, SMALL, address=own_server.address, timeout_seconds=TIMEOUT_SECONDS)
    env.reset(seed=3)
    lanes.reset(3)
    connection = connect(own_server.address).take()

    def ask() -> Any:
        return connection.exchange("stats", timeout_seconds=TIMEOUT_SECONDS)

    works: dict[str, Callable[[], Any]] = {
        "environment": lambda: env.step(1),
        "lanes": lambda: lanes.step([1, 1]),
        "query": ask,
    }
    player = env if kind == "environment" else lanes
    waiting = connection if kind == "query" else session_of(player)._link.connection
    with Stopped(own_server, works[kind], lambda: bool(waiting._waiting)):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # nothing of the test may go on in here
            try:
                codes = codes_of({kind: works[kind]})
                if kind == "lanes":
                    lanes.close()
                os.write(write, codes[kind].encode())
            finally:
                os._exit(0)
        os.close(write)
        assert wait_until(lambda: os.waitpid(child, os.WNOHANG)[0] == child, SOON_SECONDS), "the child waits"
        assert os.read(read, 100) == b"forked"
        os.close(read)
    connection.close()
    lanes.close()
    env.close()


def test_an_address_that_does_not_answer_delays_nobody_else(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    mute = context.socket(zmq.ROUTER)
    address = f"ipc://{tmp_path}/mute"
    mute.bind(address)
    is_over = threading.Event()

    def wait() -> None:
        with pytest.raises(MecgymError, match="did not answer"):
            connect(address, timeout_seconds=TIMEOUT_SECONDS / 2)
        is_over.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert mute.poll(10_000)  # its hello has come
    env = OffloadingEnv(SMALL)
    env.reset(seed=3)
    assert not is_over.is_set()
    thread.join(TIMEOUT_SECONDS)
    assert is_over.is_set()
    env.close()
    context.destroy(linger=0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("kind", ["ipc", "tcp", "left behind", "no such host"])
def test_nobody_at_an_address_is_said_at_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = {
        "ipc": f"ipc://{tmp_path}/none",
        "tcp": f"tcp://127.0.0.1:{free_port()}",
        "left behind": f"ipc://{tmp_path}/old",
        "no such host": "tcp://no-such-host.invalid:5555",
    }[kind]
    if kind == "left behind":
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(f"{tmp_path}/old")
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    start = time.monotonic()
    for call in (
        lambda: OffloadingEnv(SMALL, timeout_seconds=TIMEOUT_SECONDS),
        lambda: Lanes(2, SMALL, address=address, timeout_seconds=TIMEOUT_SECONDS),
        lambda: score(states(1), np.array([1])),
    ):
        with pytest.raises(MecgymError, match=f"nothing answers at {address}") as caught:
            call()
        assert caught.value.code == "serverNotFound"
        assert "keys" not in str(caught.value)
    assert time.monotonic() - start < SOON_SECONDS


@pytest.fixture
def narrow_server() -> Any:
    """Start a server that reads bodies of 4 KiB."""
    server = LocalServer([*find_server_command(), "--max-body-bytes", "4096"])
    yield server
    server.close()


def test_requests_that_a_server_would_not_read_are_refused_here(narrow_server: LocalServer) -> None:
    endpoint = connect(narrow_server.address)
    before = endpoint.request("stats")["errors"]
    with pytest.raises(MecgymError, match="maxBodyBytes") as caught:
        score(states(1), ["Server 1 " * 1000], address=narrow_server.address, timeout_seconds=TIMEOUT_SECONDS)
    assert (caught.value.code, caught.value.path) == ("requestTooLarge", "score/body")
    with pytest.raises(MecgymError, match="maxBodyBytes"):
        run_job("verify", {}, b"[" * 5000, lambda: pytest.fail("it was sent"), narrow_server.address, None)
    assert endpoint.request("stats")["errors"] == before


def test_long_lists_of_answers_and_snapshots_go_in_several_requests(narrow_server: LocalServer) -> None:
    address = narrow_server.address
    records = states(200)
    answers = [f"Server {i % 3}" for i in range(200)]
    whole, parts = score(records, answers), score(records, answers, address=address)
    of = np.arange(600) % 200
    grouped, grouped_parts = (
        score(records, np.arange(600) % 2, state_of_answer=of, address=where) for where in (None, address)
    )
    for one, other in ((whole, parts), (grouped, grouped_parts)):
        for name in one.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    with Lanes(40, SMALL, address=address, seed=1) as lanes:
        lanes.reset(3)
        lanes.step(np.arange(40) % 4)
        snapshots = lanes.snapshot()
        lanes.step(np.zeros(40, int))
        assert len(snapshots.data) > 2 * 4096
        lanes.restore(snapshots)
        assert lanes.snapshot().state_hashes() == snapshots.state_hashes()


class Held:
    """Something large of the caller's."""


def refusals(address: str, env: OffloadingEnv, lost: OffloadingEnv) -> dict[str, Callable[[], Any]]:
    """Return calls that fail, each in its own way."""
    job = {"suite": "no-such-suite", "policies": ["local"]}
    return {
        "an open": lambda: OffloadingEnv({"numServers": 0}, address=address),
        "a request of a session": lambda: env.look_ahead(num_samples=10**9),
        "a request outside sessions": lambda: score(states(1), ["x" * 2_000_000], address=address),
        "a deadline": lambda: connect(address).request("ping", timeout_seconds=1e-9),
        "a job": lambda: run_job("evaluate", job, None, lambda: pytest.fail("it runs"), address, None),
        "a job that fails": lambda: run_job("verify", {}, b"{}" + b" " * 6, no_progress, address, None),
        "a lost session": lambda: lost.step(1),
        "a lost session, again": lambda: lost.step(1),
        "nobody": lambda: connect("ipc:///tmp/mecgym-no-such-folder/s"),
    }


def no_progress() -> Any:
    import contextlib

    return contextlib.nullcontext(lambda _done, _total: None)


def test_a_handled_error_keeps_none_of_the_callers_objects(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address)
    lost = OffloadingEnv(SMALL, address=own_server.address)
    for one in (env, lost):
        one.reset(seed=3)
    session_of(lost)._link.session = "0" * 32

    def fail(call: Callable[[], Any]) -> weakref.ref[Held]:
        held = Held()
        try:
            call()
        except MecgymError:
            return weakref.ref(held)
        raise AssertionError("it did not fail")

    calls = refusals(own_server.address, env, lost)
    gc.collect()
    gc.disable()
    try:
        kept = [name for name, call in calls.items() if fail(call)() is not None]
    finally:
        gc.enable()
    assert kept == []
    env.close()
    lost.close()


def test_a_recovery_that_fails_keeps_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    env = OffloadingEnv(SMALL)
    env.reset(seed=3)
    server = session_of(env)._link.connection._server
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive())
    monkeypatch.setenv("MECGYM_SERVER_COMMAND", "mecgym-no-such-command")

    def fail() -> weakref.ref[Held]:
        held = Held()
        try:
            env.step(1)
        except (ServerError, SessionLost):
            return weakref.ref(held)
        raise AssertionError("it did not fail")

    gc.collect()
    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()
    monkeypatch.delenv("MECGYM_SERVER_COMMAND")
    env.close()
