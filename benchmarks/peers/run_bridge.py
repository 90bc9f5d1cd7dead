"""A client of the bridge that is timed on command: ``run_bridge.py --what lanes --lanes 8192 --groups 2``.

It sets itself up and prints ``{"ready": true, "versions": …}``. Then, for each line ``run COUNT`` on its standard
input, it does at least that many steps (of lanes, requests or completions) and prints one line of JSON: ``steps``,
``seconds``, and the ``bytes`` of the replies. It ends when its input ends. The server is a process of its own.

``lanes``: steps of all groups, each with one request in flight, actions by a script. ``echo``: requests of one size,
one in flight, to a server that does nothing (`echo.mjs`). ``score``: completions, in requests of 4,096 on 512 states;
``reward``: the same by `python_reward.py`. ``policy``: steps that the server plays with the policy `oracle`;
``policies``: in ``--sessions`` sessions at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from driving import serve

import mecgym
from mecgym.remote.transport.command import find_command

Play = Callable[[int], tuple[int, int]]
"""Does at least the given number of steps; returns their number, and the bytes of their replies."""
NUM_STATES, NUM_COMPLETIONS = 512, 4096
WARM_UP_SECONDS = 3.0
"""Time for the client and its server to compile what they run before they are timed."""
WARM_UP_STEPS = {"echo": 100, "score": NUM_COMPLETIONS, "reward": NUM_COMPLETIONS}
SCRIPT = 16
"""Number of actions in the script, which repeats."""


def lanes_play(options: argparse.Namespace) -> Play:
    """Step groups of lanes, each with one request in flight."""
    lanes = mecgym.Lanes(
        options.lanes,
        groups=options.groups,
        autoreset="same-step",
        seed=0,
        history=options.history,
        backend="server",
        recovery=False,
    )
    n, groups = lanes.lanes_per_group, lanes.num_groups
    lane = np.arange(n)
    script = [np.ascontiguousarray((i * 5 + lane * 3) % 7, dtype=np.int32) for i in range(SCRIPT)]
    for group in range(groups):
        lanes.reset(group=group)
    at = 0

    def play(count: int) -> tuple[int, int]:
        nonlocal at
        rounds = -(-count // (n * groups))
        size = 0
        for group in range(groups):
            lanes.send_step(script[at % SCRIPT], group)
        for i in range(rounds):
            at += 1
            for group in range(groups):
                batch = lanes.receive(group)
                size += batch.arrays.nbytes
                if i + 1 < rounds:
                    lanes.send_step(script[at % SCRIPT], group)
        return rounds * n * groups, size

    return play


def echo_play(options: argparse.Namespace) -> Play:
    """Exchange messages of given sizes with a server that does nothing."""
    folder = tempfile.TemporaryDirectory(prefix="mecgym-")
    address = f"ipc://{folder.name}/s"
    command = ["node", str(Path(__file__).with_name("echo.mjs")), address, *options.reply.split(",")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    assert server.stdout is not None
    server.stdout.readline()
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    sizes = [int(size) for size in options.request.split(",")]
    parts = [bytes(size) for size in sizes if size > 0]

    def play(count: int) -> tuple[int, int]:
        size = 0
        for _ in range(count):
            socket.send_multipart(parts)
            size += sum(map(len, socket.recv_multipart()))
        return count, size

    play.kept = (server, folder)  # type: ignore[attr-defined]
    return play


def questions() -> tuple[list[dict[str, Any]], list[str], list[int]]:
    """Return 512 states of a data set, and 4,096 different completions about them."""
    with tempfile.TemporaryDirectory(prefix="mecgym-") as folder:
        command = [*find_command(), "dataset", "grpo", "--count", str(NUM_STATES), "--out", folder]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        states = [json.loads(line) for line in Path(folder, "grpo.jsonl").read_text("utf-8").splitlines()]
    texts = [
        f"Request {i}: the queue at Server {(i * 5) % 6 + 1} is long, so I send the task on.\n\nServer {i % 6 + 1}"
        if i % 7
        else f"Request {i}: all queues are long, and the device is idle.\n\nLocal execution"
        for i in range(NUM_COMPLETIONS)
    ]
    return states, texts, [i % NUM_STATES for i in range(NUM_COMPLETIONS)]


def score_play(_options: argparse.Namespace) -> Play:
    """Score completions by the server, from Python's texts to Python's numbers."""
    states, texts, state_of = questions()

    def play(count: int) -> tuple[int, int]:
        rounds = -(-count // NUM_COMPLETIONS)
        for _ in range(rounds):
            rewards = mecgym.score(states, texts, state_of_answer=state_of, num_samples=3).reward.tolist()
        return rounds * NUM_COMPLETIONS, 8 * len(rewards)

    return play


def reward_play(_options: argparse.Namespace) -> Play:
    """Score the same by a straightforward Python function."""
    import python_reward

    states, texts, state_of = questions()

    def play(count: int) -> tuple[int, int]:
        number = max(1, min(count, NUM_COMPLETIONS))
        python_reward.score(states, texts[:number], state_of[:number])
        return number, 0

    return play


def policy_play(options: argparse.Namespace) -> Play:
    """Let the server play a session."""
    lanes = mecgym.Lanes(options.lanes, autoreset="same-step", seed=0, backend="server")
    lanes.reset()

    def play(count: int) -> tuple[int, int]:
        steps = max(1, -(-count // options.lanes))
        lanes.run_policy("oracle", steps)
        return steps * options.lanes, 0

    return play


def policies_play(options: argparse.Namespace) -> Play:
    """Let one server play several sessions at once, one for each client process, as a connection takes turns."""
    server = mecgym.LocalServer()
    command = [sys.executable, __file__, "--what", "policy", "--lanes", str(options.lanes)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "MECGYM_ADDRESS": server.address}
    clients = [subprocess.Popen(command, env=environment, **pipes) for _ in range(options.sessions)]  # noqa: S603
    for client in clients:
        client.stdout.readline()

    def play(count: int) -> tuple[int, int]:
        for client in clients:
            client.stdin.write(f"run {max(1, count // len(clients))}\n")
            client.stdin.flush()
        return sum(json.loads(client.stdout.readline())["steps"] for client in clients), 0

    play.kept = server  # type: ignore[attr-defined]
    return play


PLAYS = {
    "lanes": lanes_play,
    "echo": echo_play,
    "score": score_play,
    "reward": reward_play,
    "policy": policy_play,
    "policies": policies_play,
}


def main() -> None:
    """Read the options, then serve the lines of the standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=sorted(PLAYS), default="lanes")
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--request", default="64,0", help="bytes of a request's header and body (echo)")
    parser.add_argument("--reply", default="64,0", help="bytes of a reply's (echo)")
    options = parser.parse_args()
    play = PLAYS[options.what](options)
    until = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < until:
        play(WARM_UP_STEPS.get(options.what, options.lanes * options.groups))
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyzmq": zmq.__version__}
    serve("run_bridge.py", lambda count: dict(zip(("steps", "bytes"), play(count), strict=True)), versions)


if __name__ == "__main__":
    main()
