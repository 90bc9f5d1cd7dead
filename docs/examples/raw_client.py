"""A client of the bridge without the package, written from docs/protocol.md: plays episodes and prints their digest.

Run it with ``python docs/examples/raw_client.py ADDRESS --seeds 7 8``; ``mecgym serve`` prints the address.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import struct
from typing import Any

import msgpack
import zmq

VERSION = "1.2"
DEADLINE_MS = 60_000
RESEND_MS = 2_000
#: Type codes of `memoryview.cast`, the same as those of `struct`.
CODES = {"float32": "f", "float64": "d", "int32": "i", "uint8": "B", "uint32": "I", "uint64": "Q"}

Layout = list[dict[str, Any]]
Arrays = dict[str, Any]


class RequestRefused(Exception):
    """An error reply: what was wrong, where, what was expected and what came."""


class Client:
    """A DEALER socket that sends one request after another, and sends it again if its reply is late."""

    def __init__(self, address: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)

    def exchange(self, header: dict[str, Any], body: bytes | None = None) -> tuple[dict[str, Any], bytes]:
        """Send a request; return its result and the body of its reply, empty if there is none."""
        parts = [msgpack.packb(header)] + ([] if body is None else [body])
        ids = {name: header.get(name) for name in ("requestId", "session", "epoch", "group", "seq")}
        for _attempt in range(DEADLINE_MS // RESEND_MS):
            self._socket.send_multipart(parts)
            while self._socket.poll(RESEND_MS):
                head, *rest = self._socket.recv_multipart()
                reply = msgpack.unpackb(head)
                if any(reply.get(name) != value for name, value in ids.items()):
                    continue  # a second reply to a request that was sent twice
                if not reply["ok"]:
                    raise RequestRefused(reply["error"])
                return reply["result"], (rest[0] if rest else b"")
        raise TimeoutError(f"no reply to {header['op']} within {DEADLINE_MS} ms")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request that belongs to no session; return its result."""
        return self.exchange({"v": VERSION, "op": op, "requestId": secrets.token_hex(16), **fields})[0]


class Session:
    """One lane, in one group: `seq` counts its requests, and `ack` says that every earlier reply has come."""

    def __init__(self, client: Client, scenario: Any) -> None:
        self._client = client
        self.opened = client.ask("open", scenarios=[scenario], numEnvs=1, autoreset="disabled")
        self._layouts: dict[str, Layout] = self.opened["layouts"]
        self._seq = 0

    def _call(self, op: str, body: bytes | None = None) -> tuple[dict[str, Any], bytes]:
        self._seq += 1
        ids = {"session": self.opened["session"], "epoch": self.opened["epoch"], "group": 0}
        return self._client.exchange({"v": VERSION, "op": op, **ids, "seq": self._seq, "ack": self._seq - 1}, body)

    def reset(self, seed: int) -> Arrays:
        """Start the episode of a seed."""
        body = pack(self._layouts["resetRequest"], {"seeds": [seed], "mask": [1]})
        return unpack(self._layouts["stepReply"], self._call("reset", body)[1])

    def step(self, action: int) -> Arrays:
        """Carry out one decision."""
        body = pack(self._layouts["stepRequest"], {"actions": [action]})
        return unpack(self._layouts["stepReply"], self._call("step", body)[1])

    def look_ahead(self) -> Arrays:
        """Evaluate every action of the decision that is due."""
        result, body = self._call("lookahead")
        return unpack(result["layout"], body)

    def close(self) -> None:
        """End the session."""
        self._call("close")


def pack(layout: Layout, values: dict[str, list[int]]) -> bytes:
    """Pack arrays as a layout says: each at its offset, the end rounded up to 8 bytes."""
    body = bytearray()
    for array in layout:
        body.extend(bytes(array["offset"] - len(body)))
        body.extend(struct.pack(f"<{array['shape'][0]}{CODES[array['dtype']]}", *values[array["name"]]))
    return bytes(body) + bytes(-len(body) % 8)


def unpack(layout: Layout, body: bytes) -> Arrays:
    """Return the arrays of a body by name, without a copy; arrays of several axes are flat, row after row."""
    arrays = {}
    for array in layout:
        count = 1
        for size in array["shape"]:
            count *= size
        code = CODES[array["dtype"]]
        end = array["offset"] + count * struct.calcsize(code)
        arrays[array["name"]] = memoryview(body)[array["offset"] : end].cast(code)
    return arrays


def choose(rule: str, session: Session, state: Arrays) -> int:
    """Choose an action: the cheapest now, or one after another."""
    if rule == "cheapest":
        costs = session.look_ahead()["costSlots"]
        actions = [action for action, cost in enumerate(costs) if cost == cost]
        return min(actions, key=lambda action: costs[action])
    return int(state["decisionIndex"][0] * 7 % (state["numServers"][0] + 1))


def play(session: Session, seed: int, rule: str) -> tuple[bytes, int]:
    """Play an episode; return the bytes of its digest (docs/model.md, "Trajectory digest") and its length."""
    columns: dict[str, list[Any]] = {"actions": [], "latency": [], "cost": [], "observation": []}
    state = session.reset(seed)
    is_over = False
    while not is_over:
        columns["observation"].append(bytes(state["observation"]))
        state = session.step(choose(rule, session, state))
        columns["actions"].append(state["executedAction"][0])
        columns["latency"].append(state["latencySlots"][0])
        columns["cost"].append(state["costSlots"][0])
        is_over = bool(state["flags"][0] & 1)
    n = len(columns["actions"])
    data = struct.pack("<QQ", state["episodeSeed"][0], n)
    data += struct.pack(f"<{n}i{n}d{n}d", *columns["actions"], *columns["latency"], *columns["cost"])
    return data + b"".join(columns["observation"]), n


def main() -> None:
    """Play the episodes that were asked for, and print their digest as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("address")
    parser.add_argument("--scenario", default="paper-v1", help="an id, or the fields as JSON")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--rule", choices=["cheapest", "cycle"], default="cheapest")
    arguments = parser.parse_args()
    client = Client(arguments.address)
    is_map = arguments.scenario.startswith("{")
    session = Session(client, json.loads(arguments.scenario) if is_map else arguments.scenario)
    digest = hashlib.sha256()
    decisions = 0
    for seed in arguments.seeds:
        data, count = play(session, seed, arguments.rule)
        digest.update(data)
        decisions += count
    session.close()
    print(json.dumps({"digest": digest.hexdigest(), "numSteps": decisions}))


if __name__ == "__main__":
    main()
