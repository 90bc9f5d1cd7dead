"""Recovery: after the loss of a server, environments go on with another one, bit for bit, or report a clear error."""

from __future__ import annotations

import logging
import os
import queue
import random
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from helpers import play, session_of, wait_until
from mecgym import Lanes, LocalServer, MecgymError, OffloadingEnv, Recovery, SessionLost, score
from mecgym.remote.session.recovery import LoggedRequest, ReplayLog
from mecgym.remote.transport.command import find_server_command
from mecgym.remote.transport.endpoints import connect
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}
LANES = 6
GROUPS = 3


def kill_server() -> None:
    """Kill this process's own server, and wait until it is gone."""
    server = shared_server()
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive())


def actions_of(step: int) -> np.ndarray:
    return (np.arange(LANES // GROUPS) + step) % 4


class Trainer:
    """Steps all groups of some lanes, with all of them in flight, and records the results."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.seen: list[bytes] = []
        self.step = 0
        for group in range(GROUPS):
            lanes.send_reset(10 * group, group=group)

    def go_on(self, num_steps: int) -> None:
        for _ in range(num_steps):
            for group in range(GROUPS):
                self.seen.append(self.lanes.receive(group).arrays.tobytes())
                self.lanes.send_step(actions_of(self.step), group)
            self.step += 1


@pytest.fixture(scope="module")
def undisturbed() -> list[bytes]:
    """Return what a trainer sees on a server that is never lost."""
    with Lanes(LANES, SMALL, groups=GROUPS, seed=1) as lanes:
        trainer = Trainer(lanes)
        trainer.go_on(120)
    return trainer.seen


@pytest.mark.parametrize(
    "recovery",
    [Recovery(), Recovery(max_replay_steps=7), Recovery(max_replay_bytes=1500)],
    ids=["log only", "snapshots by steps", "snapshots by bytes"],
)
def test_lanes_go_on_after_their_server_was_killed(recovery: Recovery, undisturbed: list[bytes]) -> None:
    with Lanes(LANES, SMALL, groups=GROUPS, seed=1, recovery=recovery) as lanes:
        trainer = Trainer(lanes)
        trainer.go_on(30)
        for _ in range(3):
            kill_server()
            trainer.go_on(30)
        assert trainer.seen == undisturbed
        assert session_of(lanes).num_recoveries == 3
        assert 0 < session_of(lanes).recovery_bytes < 200_000


def test_lanes_survive_kills_at_any_instant(undisturbed: list[bytes]) -> None:
    choose = random.Random(4)  # noqa: S311 - when to kill is no secret
    num_kills = 6
    turns = queue.SimpleQueue[bool]()

    def kill_soon_after_each_turn() -> None:
        while turns.get():
            time.sleep(choose.uniform(0, 0.02))
            os.kill(shared_server().pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_soon_after_each_turn)
    with Lanes(LANES, SMALL, groups=GROUPS, seed=1, recovery=Recovery(max_replay_steps=11)) as lanes:
        trainer = Trainer(lanes)
        killer.start()
        try:
            for _ in range(num_kills):
                turns.put(True)
                trainer.go_on(100 // num_kills)
        finally:
            turns.put(False)
            killer.join()
        # on a machine of any speed, some steps remain after the last kill
        trainer.go_on(120 - trainer.step)
        assert trainer.seen == undisturbed
        assert session_of(lanes).num_recoveries >= 1


def test_single_environments_and_look_aheads_go_on() -> None:
    env = OffloadingEnv(SMALL)
    expected = play(env, [3, 4], "cheapest")
    env.reset(seed=3)
    env.look_ahead()
    before = [env.step(1)[1] for _ in range(3)]
    kill_server()
    after = env.step(1)[1]
    looked = env.look_ahead()
    env.reset(seed=3)
    assert [env.step(1)[1] for _ in range(4)] == [*before, after]
    np.testing.assert_array_equal(env.look_ahead().reward, looked.reward)
    kill_server()
    assert play(env, [3, 4], "cheapest") == expected
    env.close()


def test_all_sessions_of_a_process_come_back(caplog: pytest.LogCaptureFixture) -> None:
    envs = [OffloadingEnv(SMALL) for _ in range(3)]
    for env in envs:
        env.reset(seed=3)
    kill_server()
    with caplog.at_level(logging.WARNING, logger="mecgym"):
        assert len({env.step(1)[1] for env in envs}) == 1
    assert len(caplog.records) == 3
    assert "serverEnded" in caplog.text
    endpoints = {id(session_of(env)._link.endpoint) for env in envs}
    assert len(endpoints) == 1  # one server was started, not three
    for env in envs:
        env.close()


def test_a_fork_comes_back_to_where_it_is() -> None:
    with Lanes(2, SMALL, seed=1, recovery=Recovery(max_replay_steps=3)) as lanes:
        lanes.reset(5)
        for step in range(8):
            lanes.step([step % 4, 1])
        child = lanes.session.fork()
        ahead = child.step(np.array([2, 3], np.int32)).arrays.tobytes()
        kill_server()
        assert lanes.step([2, 3]).arrays.tobytes() == ahead
        assert child.step(np.array([0, 0], np.int32)).arrays.tobytes() == lanes.step([0, 0]).arrays.tobytes()
        child.close()


def test_restored_and_forked_lanes_come_back() -> None:
    with Lanes(3, SMALL, seed=1) as lanes:
        lanes.reset(5)
        lanes.step([1, 2, 3])
        snapshots = lanes.snapshot()
        lanes.step([0, 0, 0])
        lanes.restore(snapshots)
        lanes.session.fork_lanes([0], [2])
        hashes = lanes.snapshot().state_hashes()
        assert hashes[0] == hashes[2] != hashes[1]
        assert hashes[:2] == snapshots.state_hashes()[:2]
        kill_server()
        assert lanes.snapshot().state_hashes() == hashes


def test_policies_of_the_server_come_back() -> None:
    with Lanes(3, SMALL, seed=1, recovery=Recovery(max_replay_steps=4)) as lanes:
        lanes.reset(5)
        lanes.run_policy("oracle", 7)
        lanes.step([1, 1, 1])
        lanes.run_policy("round-robin", 5)
        hashes = lanes.snapshot().state_hashes()
        kill_server()
        assert lanes.snapshot().state_hashes() == hashes


def test_without_recovery_the_loss_is_an_error() -> None:
    env = OffloadingEnv(SMALL, recovery=False)
    env.reset(seed=3)
    kill_server()
    with pytest.raises(SessionLost, match="SIGKILL"):
        env.step(1)
    env.close()


def test_scores_are_asked_of_the_next_server() -> None:
    state = a_state()
    before = score([state], ["Server 1"])
    kill_server()
    assert score([state], ["Server 1"]).reward == before.reward


def a_state() -> dict[str, Any]:
    """Return a state with one idle server."""
    return {
        "episodeSeed": 3,
        "state": {
            "decisionIndex": 0,
            "numServers": 1,
            "sizeMbit": 3.0,
            "localBacklogMbit": 0.0,
            "rateMbps": [10.0],
            "cpuGHz": [30.0],
            "workloadMbit": [0.0],
            "activeTasks": [0],
        },
    }


@pytest.fixture
def replaced_server(tmp_path: Any) -> Iterator[tuple[str, Any]]:
    """Return the address of someone else's server, and a function that replaces that server."""
    address = f"ipc://{tmp_path}/s"
    servers: list[LocalServer] = []

    def start() -> None:
        if servers:
            os.kill(servers[-1].pid, signal.SIGKILL)
            assert wait_until(lambda: not servers[-1].is_alive())
        servers.append(LocalServer([*find_server_command(), "--address", address]))

    start()
    yield address, start
    for server in servers:
        server.close()


def test_an_attached_session_is_lost_with_its_server(replaced_server: tuple[str, Any]) -> None:
    address, replace = replaced_server
    env = OffloadingEnv(SMALL, address=address, timeout_seconds=10)
    env.reset(seed=3)
    replace()
    with pytest.raises(SessionLost) as caught:
        env.step(1)
    assert caught.value.code == "staleEpoch"
    with pytest.raises(MecgymError):
        env.step(1)
    env.close()


def test_an_attached_session_comes_back_if_it_asked_for_that(replaced_server: tuple[str, Any]) -> None:
    address, replace = replaced_server
    env = OffloadingEnv(SMALL, address=address, timeout_seconds=10, recovery=True)
    expected = play(env, [3])
    env.reset(seed=3)
    first = env.step(1)[1]
    replace()
    second = env.step(1)[1]
    env.reset(seed=3)
    assert [env.step(1)[1] for _ in range(2)] == [first, second]
    replace()
    assert play(env, [3]) == expected
    env.close()
    connect(address).close()


def test_leases_are_renewed_while_a_session_rests_and_run_out_when_nobody_does_that() -> None:
    command = [word for word in find_server_command() if word != "--until-stdin-closes"]
    server = LocalServer([*command, "--lease-seconds", "3"])
    env = OffloadingEnv(SMALL, address=server.address)
    env.reset(seed=3)
    endpoint = connect(server.address)
    time.sleep(4.5)
    assert env.step(1)[4]["decision_index"] == 1
    endpoint.is_over.set()  # no more pings
    assert wait_until(lambda: endpoint.request("stats")["reaped"] == 1, 20)
    with pytest.raises(SessionLost) as caught:
        env.step(1)
    assert caught.value.code == "sessionLost"
    env.close()
    endpoint.close()
    server.close()


def test_servers_that_never_answer_end_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    env = OffloadingEnv(SMALL, recovery=Recovery(max_attempts=2))
    env.reset(seed=3)
    monkeypatch.setenv("MECGYM_SERVER_COMMAND", "mecgym-no-such-command")
    kill_server()
    with pytest.raises(MecgymError) as caught:
        env.step(1)
    assert caught.value.code == "serverNotFound"
    monkeypatch.delenv("MECGYM_SERVER_COMMAND")
    # with a server the session is back, and needs a reset, as after any unanswered step
    with pytest.raises(MecgymError, match="needsReset"):
        env.step(1)
    env.reset(seed=3)
    assert env.step(1)[4]["decision_index"] == 1
    env.close()


def test_a_log_forgets_what_a_reset_of_everything_makes_unnecessary() -> None:
    log = ReplayLog()
    step = LoggedRequest("step", {}, b"1234")
    for _ in range(5):
        log.add(step, b"", is_start=False)
    assert log.num_steps == 5
    assert log.wants_snapshot(Recovery(max_replay_steps=4))
    log.postpone_snapshot()
    assert not log.wants_snapshot(Recovery(max_replay_steps=4))
    log.add(LoggedRequest("reset", {}, b"12"), b"", is_start=True)
    assert [request.op for request in log] == ["reset"]
    assert log.num_steps == 1
    log.add(LoggedRequest("policy", {"steps": 100}, None), b"", is_start=False)
    assert log.num_steps == 101
    assert not log.wants_snapshot(Recovery(max_replay_steps=4))  # a policy's memory is in no snapshot
    log.start_from([LoggedRequest("restore", {}, b"1")])
    assert [request.op for request in log] == ["restore"]
    assert log.num_steps == 0


@pytest.mark.parametrize(
    "options", [{"max_replay_steps": 0}, {"max_attempts": True}, {"timeout_seconds": float("nan")}]
)
def test_invalid_bounds_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(MecgymError) as caught:
        Recovery(**options)
    assert caught.value.code == "invalidOption"
    with pytest.raises(MecgymError):
        OffloadingEnv(SMALL, recovery="yes")  # type: ignore[arg-type]
