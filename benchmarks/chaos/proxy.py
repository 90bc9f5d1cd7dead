"""A proxy in front of a server that loses, doubles, delays and reorders messages, each with the same probability."""

from __future__ import annotations

import heapq
import multiprocessing
import os
import random
import tempfile
import time
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import zmq

#: The longest delay of a message, in seconds.
MAX_DELAY_SECONDS = 0.02

Frames = list[Any]


class ChaosProxy:
    """A process between any number of clients and one server.

    Parameters
    ----------
    server_address : str
        Where the server is.
    probability : float
        Probability of each of the four faults, for each message of either way.
    seed : int
        Seed of the faults.

    Attributes
    ----------
    address : str
        Where clients find the proxy.
    """

    def __init__(self, server_address: str, probability: float, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mecgym-chaos-")
        self.address = f"ipc://{os.path.join(self._folder.name, 'p')}"
        context = multiprocessing.get_context("spawn")
        self._is_faulty: Synchronized[int] = context.Value("b", 0)
        self._counts = context.Array("q", 5)
        ready = context.Event()
        arguments = (
            self.address,
            server_address,
            probability,
            seed,
            self._is_faulty,
            self._counts,
            ready,
        )
        self._process = context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        if not ready.wait(30):
            raise RuntimeError("the proxy did not start within 30 s")

    def set_faulty(self, is_faulty: bool) -> None:
        """Switch the faults on or off."""
        self._is_faulty.value = int(is_faulty)

    def counts(self) -> dict[str, int]:
        """Return the number of messages, and the number with each fault."""
        return dict(
            zip(
                ("messages", "lost", "doubled", "delayed", "reordered"),
                self._counts[:],
                strict=True,
            )
        )

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join(10)
        self._folder.cleanup()


def _run(
    address: str,
    server_address: str,
    probability: float,
    seed: int,
    is_faulty: Synchronized[int],
    counts: Any,
    ready: Any,
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    front = context.socket(zmq.ROUTER)
    front.setsockopt(zmq.LINGER, 0)
    front.bind(address)
    poller = zmq.Poller()
    poller.register(front, zmq.POLLIN)
    backs: dict[bytes, Any] = {}
    clients: dict[Any, bytes] = {}
    choose = random.Random(seed)  # noqa: S311 - faults are no secrets
    late: list[tuple[float, int, Any, Frames]] = []
    held: dict[Any, Frames] = {}
    number = 0
    ready.set()

    def send(socket: Any, frames: Frames) -> None:
        socket.send_multipart(frames, copy=False)

    def pass_on(socket: Any, way: Any, frames: Frames) -> None:
        """Send a message on, or apply a random fault to it."""
        nonlocal number
        number += 1
        counts[0] += 1
        before = held.pop(way, None)
        draw = choose.random() if is_faulty.value else 1.0
        if draw < probability:
            counts[1] += 1
        elif draw < 2 * probability:
            counts[2] += 1
            send(socket, frames)
            send(socket, frames)
        elif draw < 3 * probability:
            counts[3] += 1
            due = time.monotonic() + choose.uniform(0, MAX_DELAY_SECONDS)
            heapq.heappush(late, (due, number, socket, frames))
        elif draw < 4 * probability and before is None:
            counts[4] += 1
            held[way] = frames  # sent after the next message in its direction
        else:
            send(socket, frames)
        if before is not None:
            send(socket, before)

    while True:
        wait_ms = 1000 if not late and not held else 1
        events = dict(poller.poll(wait_ms))
        while late and late[0][0] <= time.monotonic():
            _due, _number, socket, frames = heapq.heappop(late)
            send(socket, frames)
        if not events:
            for way in list(held):  # no message came that it could follow
                send(way[1], held.pop(way))
        if front in events:
            while True:
                try:
                    client, *frames = front.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                name = client.bytes
                if name not in backs:
                    backs[name] = context.socket(zmq.DEALER)
                    backs[name].setsockopt(zmq.LINGER, 0)
                    backs[name].connect(server_address)
                    clients[backs[name]] = name
                    poller.register(backs[name], zmq.POLLIN)
                pass_on(backs[name], (name, backs[name]), frames)
        for back, client_name in clients.items():
            if back in events:
                while True:
                    try:
                        frames = back.recv_multipart(zmq.NOBLOCK, copy=False)
                    except zmq.Again:
                        break
                    pass_on(front, (client_name, front), [client_name, *frames])
