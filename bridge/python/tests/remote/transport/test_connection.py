"""Connections: with faults on the way or at the server, requests run at most once, and nothing waits forever."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import msgpack
import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

import mecgym
from helpers import FaultyProxy, Frames, pass_on, play, session_of, wait_until
from mecgym import DeadlineExceeded, Lanes, LocalServer, MecgymError, OffloadingEnv, SessionLost
from mecgym.remote.transport.connection import Connection
from mecgym.remote.transport.endpoints import connect
from mecgym.remote.transport.pending import Pending
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}


@pytest.fixture
def address() -> str:
    """Return the address of this process's own server."""
    return shared_server().address


@pytest.fixture(scope="module")
def expected() -> tuple[str, int]:
    """Play the trajectory as it is without faults."""
    env = OffloadingEnv(SMALL)
    trajectory = play(env, [3, 4], "cheapest")
    env.close()
    return trajectory


def every(period: int, *instead: Callable[[Frames], Frames]) -> Callable[[int, Frames], Sequence[Frames]]:
    """Make a fault: every `period`-th message is replaced by what `instead` makes of it, or dropped if it is empty."""

    def fault(number: int, frames: Frames) -> Sequence[Frames]:
        return [make(frames) for make in instead] if number % period == period - 1 else [frames]

    return fault


def same(frames: Frames) -> Frames:
    return frames


def noise(_frames: Frames) -> Frames:
    return [b"\xc1noise"]


def cut(frames: Frames) -> Frames:
    return [frames[0][: len(frames[0]) // 2], *frames[1:]]


def longer(frames: Frames) -> Frames:
    return [*frames, b"", b""]


def null_result(_frames: Frames) -> Frames:
    return [msgpack.packb({"v": "1.0", "op": None, "requestId": None, "ok": True, "result": {}})]


FAULTS = {
    "lost requests": {"request": every(20)},
    "doubled requests": {"request": every(1, same, same)},
    "lost replies": {"reply": every(20)},
    "doubled replies": {"reply": every(1, same, same, same)},
    "noise before replies": {"reply": every(1, noise, same)},
    "noise instead of replies": {"reply": every(21, noise)},
    "cut replies": {"reply": every(21, cut)},
    "too many parts": {"reply": every(21, longer)},
    "results of nothing": {"reply": every(2, null_result, same)},
    "both ways": {"request": every(5, same, same), "reply": every(24)},
}


@pytest.mark.parametrize("name", FAULTS)
def test_trajectories_survive_faults(name: str, address: str, expected: tuple[str, int]) -> None:
    with FaultyProxy(address, **FAULTS[name]) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=15)
        assert play(env, [3, 4], "cheapest") == expected
        env.close()
        connect(proxy.address).close()


def test_late_replies_are_told_from_the_awaited_one(address: str, expected: tuple[str, int]) -> None:
    held: list[Frames] = []

    def late(_number: int, frames: Frames) -> Sequence[Frames]:
        # the previous reply arrives again, after the next request was sent
        before = held[-1:]
        held.append(frames)
        return [*before, frames]

    with FaultyProxy(address, reply=late) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=15)
        assert play(env, [3, 4], "cheapest") == expected
        assert session_of(env)._link.endpoint.traffic.num_dropped > 0
        env.close()


def test_a_body_that_is_too_short_is_an_error_of_the_server(address: str) -> None:
    with FaultyProxy(address, reply=lambda _number, frames: [[frames[0], *[body[:4] for body in frames[1:]]]]) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=5)
        with pytest.raises(mecgym.ServerError) as caught:
            env.reset(seed=1)
        assert (caught.value.code, caught.value.path) == ("malformedReply", "body")
        env.close()


@pytest.mark.parametrize("looks_ahead", [False, True])
def test_a_request_that_arrived_broken_is_sent_again(address: str, looks_ahead: bool) -> None:
    # requests 0 to 2 are hello, open and reset; with a look-ahead, another request follows the step at once
    broken = 4 if looks_ahead else 3

    def spoil(number: int, frames: Frames) -> Sequence[Frames]:
        return [cut(frames)] if number == broken else [frames]

    with FaultyProxy(address, request=spoil) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=5)
        env.reset(seed=1)
        if looks_ahead:
            env.look_ahead()
        info = env.step(1)[4]
        assert info["decision_index"] == 1
        assert env.look_ahead().cost_slots.ndim == 1
        assert env.step(1)[4]["decision_index"] == 2
        env.close()


def test_a_request_that_never_arrives_whole_is_an_error(address: str) -> None:
    def spoil(number: int, frames: Frames) -> Sequence[Frames]:
        return [cut(frames)] if number >= 3 else [frames]

    with FaultyProxy(address, request=spoil) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=5)
        env.reset(seed=1)
        with pytest.raises(MecgymError) as caught:
            env.step(1)
        assert caught.value.code == "malformedMessage"
        env.close()


def test_look_aheads_are_sent_along_while_they_are_used(address: str) -> None:
    with FaultyProxy(address) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address, timeout_seconds=5)
        plain = OffloadingEnv(SMALL, timeout_seconds=5)

        def num_requests(call: Callable[[], object]) -> int:
            before = proxy.counts[0]
            call()
            assert wait_until(lambda: proxy.counts[0] == proxy.counts[1])
            return proxy.counts[0] - before

        def look(**options: float) -> None:
            session_of(plain)._link.connection.max_in_flight = 1
            expected = plain.look_ahead(**options)  # type: ignore[arg-type]
            np.testing.assert_array_equal(env.look_ahead(**options).reward, expected.reward)  # type: ignore[arg-type]

        def step() -> None:
            np.testing.assert_array_equal(env.step(1)[0], plain.step(1)[0])

        for one in (env, plain):
            one.reset(seed=3)
        assert num_requests(step) == 1
        assert num_requests(look) == 1
        assert num_requests(step) == 2  # with a look-ahead
        assert num_requests(look) == 0
        assert num_requests(look) == 1  # it is used once
        assert num_requests(step) == 2
        assert num_requests(lambda: look(weight=2)) == 1  # another one is wanted
        assert num_requests(step) == 2
        assert num_requests(lambda: look(weight=2)) == 0
        assert num_requests(step) == 2
        assert num_requests(step) == 1  # not used the last time
        session_of(plain)._link.connection.max_in_flight = 16
        for one in (env, plain):
            one.close()


def test_nobody_at_the_address() -> None:
    start = time.monotonic()
    with pytest.raises(MecgymError, match=r"nothing answers at ipc:///tmp/mecgym-nobody-is-here") as caught:
        OffloadingEnv(address="ipc:///tmp/mecgym-nobody-is-here", timeout_seconds=60)
    assert caught.value.code == "serverNotFound"
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("address", ["", "nonsense", "tcp://", "http://127.0.0.1:1", "ipc://" + "x" * 300])
def test_what_is_not_an_address_is_refused(address: str) -> None:
    with pytest.raises(MecgymError) as caught:
        OffloadingEnv(address=address, timeout_seconds=1)
    assert caught.value.code == "invalidAddress"
    assert not isinstance(caught.value, zmq.ZMQError)


def test_a_stopped_server_exceeds_the_deadline(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=10)
    env.reset(seed=3)
    session_of(env)._link.timeout_seconds = 0.4
    os.kill(own_server.pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        env.step(1)
    assert 0.3 < time.monotonic() - start < 8
    assert (caught.value.code, caught.value.path) == ("deadlineExceeded", "step")
    assert "0.4 s" in str(caught.value)
    # nobody knows whether the step was carried out, so the episode cannot go on
    for call in (lambda: env.step(1), env.look_ahead):
        with pytest.raises(MecgymError) as refused:
            call()
        assert refused.value.code == "needsReset"
    with pytest.raises(DeadlineExceeded):
        env.reset(seed=3)
    os.kill(own_server.pid, signal.SIGCONT)
    session_of(env)._link.timeout_seconds = 10
    assert play(env, [3]) == play(OffloadingEnv(SMALL), [3])
    env.close()


def test_closing_does_not_wait_for_a_stopped_server(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=60)
    env.reset(seed=3)
    os.kill(own_server.pid, signal.SIGSTOP)
    start = time.monotonic()
    env.close()
    assert time.monotonic() - start < 8


def test_a_killed_server_is_noticed() -> None:
    env = OffloadingEnv(SMALL, recovery=False)
    env.reset(seed=3)
    server = shared_server()
    os.kill(server.pid, signal.SIGKILL)
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(SessionLost) as caught:
            env.step(1)
        assert caught.value.code == "serverEnded"
        assert "SIGKILL" in str(caught.value)
    assert time.monotonic() - start < 8
    with pytest.raises(SessionLost):
        env.reset(seed=3)
    # a new environment starts a new server, and the old one still says what happened
    fresh = OffloadingEnv(SMALL)
    assert shared_server() is not server
    assert fresh.reset(seed=3)[1]["episode_seed"] == 3
    with pytest.raises(SessionLost, match="SIGKILL"):
        env.step(1)
    env.close()
    fresh.close()


def test_a_server_that_dies_during_a_request_is_noticed() -> None:
    env = OffloadingEnv(SMALL, timeout_seconds=20, recovery=False)
    env.reset(seed=3)
    server = shared_server()
    os.kill(server.pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (server.pid, signal.SIGKILL)).start()
    start = time.monotonic()
    with pytest.raises(SessionLost):
        env.step(1)
    assert time.monotonic() - start < 8
    env.close()


def test_a_session_the_server_does_not_know_is_lost(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=5)
    env.reset(seed=1)
    session_of(env)._link.session = "0" * 32
    with pytest.raises(SessionLost) as caught:
        env.step(1)
    assert caught.value.code == "staleEpoch"  # from an earlier run of the server, as far as it can tell
    env.close()


def test_an_interrupt_leaves_the_environment_usable(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address, timeout_seconds=10)
    env.reset(seed=1)
    os.kill(own_server.pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        env.step(1)
    os.kill(own_server.pid, signal.SIGCONT)
    with pytest.raises(MecgymError, match="reset first"):
        env.step(1)
    assert play(env, [3]) == play(OffloadingEnv(SMALL), [3])
    env.close()


def test_threads_play_on_one_server(expected: tuple[str, int]) -> None:
    found: list[object] = []

    def work() -> None:
        env = OffloadingEnv(SMALL, timeout_seconds=20)
        found.extend(play(env, [3, 4], "cheapest") for _ in range(2))
        env.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)
    assert found == [expected] * 8


def test_requests_can_be_under_way_together(address: str) -> None:
    header = {"v": "1.0", "op": "ping"}
    ids = [f"{i:032x}" for i in range(20)]
    with connect(address).borrow() as connection:
        pending = [connection.send("ping", (one,), {**header, "requestId": one}) for one in ids]
        for one in reversed(pending):
            assert connection.receive(one, time.monotonic() + 5, 5) == ({}, None)


def test_sessions_left_behind_end_at_once(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address)
    link = session_of(env)._link
    endpoint, connection, ids = link.endpoint, link.connection, (link.session, link.epoch)
    assert endpoint.sessions() == {ids[0]}
    del env, link
    assert not connection.is_usable
    assert not endpoint.sessions()
    assert wait_until(lambda: endpoint.request("stats")["sessions"] == 0)
    header = {"v": "1.0", "op": "step", "session": ids[0], "epoch": ids[1], "group": 0, "seq": 1, "ack": 0}
    with endpoint.borrow() as other, pytest.raises(SessionLost):
        other.receive(other.send("step", (*ids, 0, 1), header), time.monotonic() + 5, 5)


def test_sockets_are_used_again_after_their_session_has_ended(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address)
    connection = session_of(env)._link.connection
    other = OffloadingEnv(SMALL, address=own_server.address)
    assert session_of(other)._link.connection is not connection
    env.close()
    again = OffloadingEnv(SMALL, address=own_server.address)
    assert session_of(again)._link.connection is connection
    again.reset(seed=3)
    for one in (again, other):
        one.close()


def test_a_socket_with_an_answer_to_come_is_not_used_again(own_server: LocalServer) -> None:
    env = OffloadingEnv(SMALL, address=own_server.address)
    connection = session_of(env)._link.connection
    env.reset(seed=3)
    session_of(env)._link.timeout_seconds = 0.2
    os.kill(own_server.pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        env.step(1)
    env.close()
    os.kill(own_server.pid, signal.SIGCONT)
    again = OffloadingEnv(SMALL, address=own_server.address)
    assert session_of(again)._link.connection is not connection
    assert play(again, [3]) == play(OffloadingEnv(SMALL), [3])
    # the session that was given up has ended, too: its last request went out with the socket
    assert wait_until(lambda: session_of(again)._link.endpoint.request("stats")["sessions"] == 1)
    again.close()


def test_a_thread_that_waits_holds_up_no_other(own_server: LocalServer) -> None:
    lanes = Lanes(256, "paper-v1", address=own_server.address)
    lanes.reset(1)
    env = OffloadingEnv(SMALL, address=own_server.address)
    env.reset(seed=3)
    waiting = session_of(lanes)._link.connection
    # a thread that holds a session's socket for good: no other session needs it
    with waiting._lock:
        done: list[object] = []
        work = threading.Thread(target=lambda: done.append(play(env, [3])))
        work.start()
        work.join(15)
        assert len(done) == 1
        assert mecgym.scenario_hash(SMALL, address=own_server.address) == env.scenario_hash
    env.close()
    lanes.close()


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_whatever_comes_is_dropped_or_understood(frames: list[bytes]) -> None:
    connection = _unconnected()
    pending = Pending("step", ("s", 1, 0, 1), [b""])
    connection._waiting[pending.key] = pending
    connection._take_in(pending, frames)
    assert pending.reply is None
    assert connection.traffic.num_dropped == 1


_connection: list[Connection] = []


def _unconnected() -> Connection:
    if not _connection:
        _connection.append(Connection("inproc://nobody"))
    _connection[0].traffic.num_dropped = 0
    return _connection[0]


def test_the_unconnected_connection_is_closed() -> None:
    _unconnected().close()
    with pytest.raises(SessionLost) as caught:
        _unconnected().request("ping", timeout_seconds=0.1)
    assert caught.value.code == "connectionClosed"


def test_proxies_pass_on_what_they_should(address: str) -> None:
    with FaultyProxy(address, request=pass_on) as proxy:
        env = OffloadingEnv(SMALL, address=proxy.address)
        observation, _info = env.reset(seed=1)
        assert np.isfinite(observation).all()
        env.close()
        assert wait_until(lambda: proxy.counts == [4, 4])
