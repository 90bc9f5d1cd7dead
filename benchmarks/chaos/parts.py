"""Fault runs with real processes: what happens to clients, servers and numbers when things go wrong."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from proxy import ChaosProxy

from mecgym import Lanes, LocalServer, Recovery, SessionLost
from mecgym.remote.transport.command import find_server_command
from mecgym.remote.transport.endpoints import connect
from mecgym.remote.transport.server import shared_server

SCENARIO = "paper-v1"


@dataclass
class Report:
    """The figures of a part, in the form that the command `mecgym chaos` reads."""

    figures: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        better: str,
        goal: float | None = None,
        *,
        spread: Any = None,
    ) -> None:
        """Add a figure; `spread` is its smallest and largest value, if there are several."""
        low, high = spread if spread is not None else (value, value)
        entry = {
            "id": name,
            "value": value,
            "unit": unit,
            "goal": goal,
            "better": better,
            "low": low,
            "high": high,
        }
        self.figures.append(entry)

    def progress(self, done: float, what: str) -> None:
        """Report the progress, 0 to 1."""
        print(json.dumps({"done": done, "what": what}), flush=True)


class GroupPlayer:
    """Steps lanes in groups, all in flight, with actions that depend on the step; digests all results."""

    def __init__(self, lanes: Lanes, seed: int) -> None:
        self.lanes = lanes
        self.num_steps = 0
        self._digests = [hashlib.sha256() for _ in range(lanes.num_groups)]
        n = lanes.lanes_per_group
        self._actions = [(np.arange(g * n, (g + 1) * n) * 5) % (lanes.max_servers + 1) for g in range(lanes.num_groups)]
        for group in range(lanes.num_groups):
            lanes.send_reset(seed + group * n, group=group)

    def play(self, num_steps: int) -> None:
        """Play the given number of steps in each group."""
        num_actions = self.lanes.max_servers + 1
        for _ in range(num_steps):
            for group in range(self.lanes.num_groups):
                self._take(group)
                self.lanes.send_step((self._actions[group] + self.num_steps) % num_actions, group)
            self.num_steps += 1

    def finish(self) -> str:
        """Receive what is in flight, and return the digest of all results."""
        for group in range(self.lanes.num_groups):
            self._take(group)
        return hashlib.sha256(b"".join(digest.digest() for digest in self._digests)).hexdigest()

    def _take(self, group: int) -> None:
        arrays = self.lanes.receive(group).arrays
        for name in (
            "observation",
            "reward",
            "costSlots",
            "episodeSeed",
            "executedAction",
            "flags",
        ):
            self._digests[group].update(np.ascontiguousarray(arrays[name]).data)


def undisturbed(num_lanes: int, groups: int, seed: int, num_steps: int) -> str:
    """Return the digest of an undisturbed run."""
    with Lanes(num_lanes, SCENARIO, groups=groups, seed=seed, backend="server", recovery=False) as lanes:
        player = GroupPlayer(lanes, seed)
        player.play(num_steps)
        return player.finish()


def kills(report: Report, *, kills: int, lanes: int, groups: int, seed: int) -> None:
    """Kill the server at random instants while its owner steps; every trajectory must be the undisturbed one."""
    choose = random.Random(seed)  # noqa: S311 - when to kill is no secret
    recovery = Recovery(max_replay_steps=200, max_attempts=max(8, kills))
    num_killed = 0
    is_over = threading.Event()
    recoveries: list[float] = []
    with Lanes(lanes, SCENARIO, groups=groups, seed=seed, backend="server", recovery=recovery) as batch:
        player = GroupPlayer(batch, seed)

        def kill_at_random() -> None:
            nonlocal num_killed
            while num_killed < kills and not is_over.is_set():
                # waits for an answer, so that the next server dies in the middle of work, not of its start
                answered = player.num_steps
                while player.num_steps < answered + 2 and not is_over.is_set():
                    time.sleep(0.001)
                if is_over.wait(choose.uniform(0, 0.3)):
                    return
                os.kill(shared_server().pid, signal.SIGKILL)
                num_killed += 1
                report.progress(num_killed / (kills + 1), f"{num_killed} of {kills} servers killed")

        killer = threading.Thread(target=kill_at_random, daemon=True)
        killer.start()
        start = time.monotonic()
        try:
            while killer.is_alive():
                before = batch.session.num_recoveries
                began = time.monotonic()
                player.play(1)
                if batch.session.num_recoveries > before:
                    recoveries.append(time.monotonic() - began)
        finally:
            is_over.set()
            killer.join()
        player.play(50)
        seconds = time.monotonic() - start
        found = player.finish()
        num_recoveries = batch.session.num_recoveries
        kept_bytes = batch.session.recovery_bytes / lanes
    expected = undisturbed(lanes, groups, seed, player.num_steps)
    report.add("kills/killed", num_killed, "servers", "higher", kills)
    report.add("kills/recovered", num_recoveries, "times", "higher")
    report.add("kills/equal-digests", int(found == expected), "1", "higher", 1)
    report.add("kills/steps-played", player.num_steps * lanes, "steps", "higher")
    report.add(
        "kills/recovery",
        median(recoveries),
        "s",
        "lower",
        spread=(min(recoveries), max(recoveries)),
    )
    report.add("kills/kept-for-recovery", kept_bytes, "bytes/lane", "lower")
    report.add("kills/run", seconds, "s", "lower")


def lossy(report: Report, *, pairs: int, seconds: float, lanes: int, groups: int, seed: int) -> None:
    """Play through a proxy in turns: with faults in its messages, and without."""
    proxy = ChaosProxy(shared_server().address, 0.01, seed)
    try:
        with Lanes(
            lanes,
            SCENARIO,
            groups=groups,
            seed=seed,
            address=proxy.address,
            timeout_seconds=30,
        ) as batch:
            player = GroupPlayer(batch, seed)
            player.play(100)
            ratios = []
            for pair in range(pairs):
                rates = {}
                # the order alternates, so that a machine that gets slower favours neither
                for is_faulty in ((False, True), (True, False))[pair % 2]:
                    proxy.set_faulty(is_faulty)
                    rates[is_faulty] = _rate(player, seconds)
                ratios.append(rates[True] / rates[False])
                report.progress((pair + 1) / (pairs + 1), f"{pair + 1} of {pairs} pairs")
            proxy.set_faulty(True)
            player.play(100)
            found = player.finish()
        connection = connect(proxy.address)
        counts = {
            **proxy.counts(),
            "sent again": connection.traffic.num_resent,
            "dropped": connection.traffic.num_dropped,
        }
        connection.close()
    finally:
        proxy.close()
    expected = undisturbed(lanes, groups, seed, player.num_steps)
    report.add("lossy/equal-digests", int(found == expected), "1", "higher", 1)
    report.add(
        "lossy/throughput",
        median(ratios),
        "1",
        "higher",
        0.8,
        spread=(min(ratios), max(ratios)),
    )
    for name, count in counts.items():
        report.add(f"lossy/{name.replace(' ', '-')}", count, "messages", "lower")


def _rate(player: GroupPlayer, seconds: float) -> float:
    """Return the steps per second over about the given time."""
    steps = 0
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        player.play(10)
        steps += 10
    return steps / (time.monotonic() - start)


def stopped(report: Report, *, seconds: float, windows: int, lanes: int, seed: int) -> None:
    """Stop a client with requests in flight; the other one must not notice, and the server must not grow."""
    server = LocalServer(list(find_server_command()))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    victim = context.Process(target=_victim, args=(there, server.address, lanes, seed), daemon=True)
    victim.start()
    try:
        assert here.recv() == "in flight"
        with Lanes(lanes, SCENARIO, groups=2, seed=seed, address=server.address) as batch:
            player = GroupPlayer(batch, seed)
            player.play(50)
            ratios = []
            resident = [_resident(server.pid)]
            for window in range(windows):
                alone = _rate(player, seconds / windows / 2)
                here.send("send")
                assert here.recv() == "in flight"
                assert victim.pid is not None
                os.kill(victim.pid, signal.SIGSTOP)
                together = _rate(player, seconds / windows)
                resident.append(_resident(server.pid))
                os.kill(victim.pid, signal.SIGCONT)
                here.send("receive")
                assert here.recv() == "received"
                alone = (alone + _rate(player, seconds / windows / 2)) / 2
                ratios.append(together / alone)
                report.progress(
                    (window + 1) / (windows + 1),
                    f"stopped {window + 1} of {windows} times",
                )
        here.send("end")
        outcome = here.recv()
    finally:
        if victim.pid is not None and victim.is_alive():
            os.kill(victim.pid, signal.SIGCONT)
        victim.terminate()
        victim.join(10)
        server.close()
    steps = 16 * windows
    expected = undisturbed(lanes, 1, seed, steps) if outcome != "lost" else "lost"
    report.add(
        "stopped/others-throughput",
        median(ratios),
        "1",
        "higher",
        0.95,
        spread=(min(ratios), max(ratios)),
    )
    report.add("stopped/equal-digests", int(outcome == expected), "1", "higher", 1)
    report.add(
        "stopped/server-growth",
        (max(resident) - resident[0]) / 2**20,
        "MiB",
        "lower",
        256,
    )


def _victim(pipe: Any, address: str, num_lanes: int, seed: int) -> None:
    """Send a window of requests, and receive their replies only on command."""
    try:
        with Lanes(num_lanes, SCENARIO, seed=seed, address=address) as lanes:
            player = GroupPlayer(lanes, seed)
            # the reset in flight is one request; each window adds sixteen steps in all
            pipe.send("in flight")
            window = 15
            while (order := pipe.recv()) != "end":
                if order == "send":
                    for _ in range(window):
                        _send_ahead(player)
                    pipe.send("in flight")
                else:
                    for _ in range(window):
                        player._take(0)
                    player.play(1)
                    pipe.send("received")
            pipe.send(player.finish())
    except SessionLost:
        pipe.send("lost")


def _send_ahead(player: GroupPlayer) -> None:
    actions = (player._actions[0] + player.num_steps) % (player.lanes.max_servers + 1)
    player.lanes.send_step(actions)
    player.num_steps += 1


def vanished(report: Report, *, sessions: int, lanes: int, seed: int) -> None:
    """Kill a client with many sessions; the server closes them when their lease is over, and frees their memory."""
    # a server with an owner at its standard input never closes sessions, so this one has no owner
    node, *rest = [word for word in find_server_command() if word != "--until-stdin-closes"]
    hook = pathlib.Path(__file__).resolve().parents[2] / "test" / "chaos" / "memory-hook.mjs"
    server = LocalServer([node, "--expose-gc", "--import", hook.as_uri(), *rest, "--lease-seconds", "2"])
    try:
        connection = connect(server.address)
        context = multiprocessing.get_context("spawn")
        rounds = 4
        session_bytes = []
        held_bytes = []
        for number in range(rounds):
            here, there = context.Pipe()
            client = context.Process(
                target=_open_many, args=(there, server.address, sessions, lanes, seed), daemon=True
            )
            client.start()
            assert here.recv() == "open"
            session_bytes.append(connection.request("stats")["memory"]["sessionBytes"])
            client.kill()
            client.join(10)
            deadline = time.monotonic() + 30
            while connection.request("stats")["sessions"] > 0 and time.monotonic() < deadline:
                time.sleep(0.2)
            held_bytes.append(_held(server))
            report.progress((number + 1) / (rounds + 1), f"client {number + 1} of {rounds} vanished")
        after = connection.request("stats")
        report.add("vanished/sessions-left", after["sessions"], "sessions", "lower", 0)
        report.add("vanished/reaped", after["reaped"], "sessions", "higher", rounds * sessions)
        report.add("vanished/session-memory-at-most", max(session_bytes) / 2**20, "MiB", "lower")
        report.add("vanished/session-memory-left", after["memory"]["sessionBytes"] / 2**20, "MiB", "lower", 0)
        # the first client also leaves what every server loads and compiles once
        report.add("vanished/held-after-four-over-one", held_bytes[-1] / held_bytes[0], "1", "lower", 1.1)
    finally:
        connect(server.address).close()
        server.close()


def _held(server: LocalServer) -> int:
    """Return the memory of a server after a garbage collection: the heap and the memory outside it, bytes."""
    before = server.log_tail().count("heldBytes")
    os.kill(server.pid, signal.SIGUSR2)
    deadline = time.monotonic() + 20
    while server.log_tail().count("heldBytes") == before and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [line for line in server.log_tail().splitlines() if "heldBytes" in line]
    return int(json.loads(lines[-1])["heldBytes"])


def _open_many(pipe: Any, address: str, sessions: int, lanes: int, seed: int) -> None:
    held = [Lanes(lanes, SCENARIO, seed=seed, address=address) for _ in range(sessions)]
    for one in held:
        one.reset(seed)
        one.step(np.zeros(lanes, np.int64))
    pipe.send("open")
    time.sleep(120)


def _resident(pid: int) -> int:
    """Return the resident memory of a process, bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


PARTS: dict[str, Callable[..., None]] = {
    "kills": kills,
    "lossy": lossy,
    "stopped": stopped,
    "vanished": vanished,
}


def main() -> None:
    """Run one part: its name, and its sizes as JSON."""
    name, sizes = sys.argv[1], json.loads(sys.argv[2])
    report = Report()
    PARTS[name](report, **sizes)
    print(json.dumps({"figures": report.figures}), flush=True)


if __name__ == "__main__":
    main()
