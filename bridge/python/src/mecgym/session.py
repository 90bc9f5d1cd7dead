"""A session: the environments a server holds for one client, and the requests that drive them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, final_expected, step_expected
from .client import DEFAULT_TIMEOUT_SECONDS, Connection, Pending
from .errors import MecgymError, malformed
from .layout import Layout
from .protocol import PROTOCOL_VERSION

__all__ = ["Session"]

#: Errors of a message that was refused before its turn came, so that its sequence number is free again.
REFUSED_BEFORE_ITS_TURN = frozenset({"malformedMessage", "versionMismatch", "unknownOperation", "windowExceeded"})
#: Arrays of a look-ahead's reply.
LOOK_AHEAD_ARRAYS = ("latencySlots", "costSlots", "impactSlots", "reward")
#: How long `close` waits for the server's answer, in seconds; nothing depends on it.
CLOSE_SECONDS = 1.0


class Session:
    """Environments on a server, with one request under way at a time.

    Parameters
    ----------
    connection : Connection
        The way to the server.
    fields : dict
        Fields of the protocol's ``open``.
    timeout_seconds : float
        How long each request may take, in seconds.

    Attributes
    ----------
    num_envs, max_servers, max_users, observation_size, history_slots : int
        Sizes of what was opened.
    observation_header, observation_server_fields, episode_stats_fields : list of str
        Names of the numbers in observations and in the statistics of an episode.
    scenarios : list of dict
        ``{id, hash, scenario}`` of each scenario, complete.

    Raises
    ------
    MecgymError
        The server refused the fields: ``unknownScenario``, ``invalidScenario``, ``invalidOption`` and so on.
    """

    def __init__(
        self,
        connection: Connection,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._is_closed = True
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        opened = connection.request("open", fields, timeout_seconds=timeout_seconds)
        self._ids = (_field(opened, "session", (str, int)), _field(opened, "epoch", (str, int)))
        self._is_same_step = fields.get("autoreset") == "same-step"
        self._seq = 0
        self._unanswered: Pending | None = None
        self._is_closed = False
        self.num_envs: int = _field(opened, "numEnvs", int)
        self.max_servers: int = _field(opened, "maxServers", int)
        self.max_users: int = _field(opened, "maxUsers", int)
        self.observation_size: int = _field(opened, "observationSize", int)
        self.history_slots: int = _field(opened, "historySlots", int)
        self.observation_header: list[str] = _field(opened, "observationHeader", list)
        self.observation_server_fields: list[str] = _field(opened, "observationServerFields", list)
        self.episode_stats_fields: list[str] = _field(opened, "episodeStatsFields", list)
        self.scenarios: list[dict[str, Any]] = _field(opened, "scenarios", list)
        layouts = _field(opened, "layouts", dict)
        self._reset_request = Layout(layouts.get("resetRequest"))
        self._step_request = Layout(layouts.get("stepRequest"))
        self._step_reply = Layout(layouts.get("stepReply"))
        n = self.num_envs
        self._reset_request.check({"seeds": ("uint64", (n,)), "mask": ("uint8", (n,))})
        self._step_request.check({"actions": ("int32", (n,))})
        self._step_reply.check(step_expected(n, self.observation_size, self.max_servers))
        #: Layouts that came with the last replies; most replies bring the same again.
        self._known_layouts: dict[str, tuple[Any, Layout]] = {}

    def reset(self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None) -> Batch:
        """Start episodes.

        Parameters
        ----------
        seeds : array of uint64, shape (n,), optional
            Episode seeds; `NEXT_EPISODE` for the next one of the split, as for all lanes where left out.
        mask : array of uint8, shape (n,), optional
            1 where a lane is to be reset; all of them where left out.
        """
        body = None
        if seeds is not None:
            ones = np.ones(self.num_envs, np.uint8)
            body = self._reset_request.encode({"seeds": seeds, "mask": ones if mask is None else mask})
        return self._batch(*self._exchange("reset", {}, body))

    def step(self, actions: NDArray[np.int32]) -> Batch:
        """Carry out one decision in each lane; `actions` has shape (n,)."""
        return self._batch(*self._exchange("step", {}, self._step_request.encode({"actions": actions})))

    def look_ahead(self, fields: Mapping[str, Any]) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions.

        Returns
        -------
        list of array of float64, shape (n, max_servers + 1)
            `LOOK_AHEAD_ARRAYS` in this order, in slots; NaN where no action exists.
        """
        result, body = self._exchange("lookahead", fields, None)
        shape = (self.num_envs, self.max_servers + 1)
        layout = self._layout("lookahead", result.get("layout"), dict.fromkeys(LOOK_AHEAD_ARRAYS, ("float64", shape)))
        arrays = layout.decode(body)
        return [arrays[name] for name in LOOK_AHEAD_ARRAYS]

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up waiting for, so that nobody knows whether it was carried out."""
        return self._unanswered is not None

    def check_open(self, path: str) -> None:
        """Refuse what a closed session cannot do.

        Raises
        ------
        MecgymError
            ``closed``.
        """
        if self._is_closed:
            raise MecgymError("closed", f"`{path}` on an environment that was closed; make a new one", path=path)

    def close(self) -> None:
        """End the session; does nothing the second time, and does not mind a server that is gone."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._connection.is_usable:
            return
        late = self._unanswered
        try:
            pending = self._send("close", {}, None)
            try:
                if late is None:
                    self._connection.receive(pending, time.monotonic() + CLOSE_SECONDS, CLOSE_SECONDS)
            finally:
                self._connection.forget(pending)
        except MecgymError:
            pass
        finally:
            if late is not None:
                self._connection.forget(late)

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self._connection.send_last(self._header("close", {})[1])

    def _header(self, op: str, fields: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        session, epoch = self._ids
        seq = self._seq + 1
        ack = self._seq if self._unanswered is None else self._seq - 1
        ids = {"session": session, "epoch": epoch, "group": 0, "seq": seq, "ack": ack}
        return (session, epoch, 0, seq), {"v": PROTOCOL_VERSION, "op": op, **ids, **fields}

    def _send(self, op: str, fields: Mapping[str, Any], body: bytes | None) -> Pending:
        key, header = self._header(op, fields)
        pending = self._connection.send(op, key, header, body)
        self._seq += 1
        return pending

    def _exchange(self, op: str, fields: Mapping[str, Any], body: bytes | None) -> tuple[dict[str, Any], bytes | None]:
        self.check_open(op)
        deadline = time.monotonic() + self._timeout_seconds
        if self._unanswered is not None:
            # requests are carried out in order: what was given up waiting for comes first
            try:
                self._receive(self._unanswered, deadline)
            except MecgymError:
                if self._unanswered is not None:  # still none: this was no answer
                    raise
        self._unanswered = self._send(op, fields, body)
        return self._receive(self._unanswered, deadline)

    def _receive(self, pending: Pending, deadline: float) -> tuple[dict[str, Any], bytes | None]:
        try:
            return self._connection.receive(pending, deadline, self._timeout_seconds)
        except MecgymError as error:
            if pending.reply is not None and error.code in REFUSED_BEFORE_ITS_TURN:
                self._seq -= 1
            raise
        finally:
            if pending.reply is not None:
                self._unanswered = None

    def _batch(self, result: dict[str, Any], body: bytes | None) -> Batch:
        arrays = self._step_reply.decode(body)
        num_final = result.get("numFinal", 0)
        if not num_final:
            return Batch(arrays, None, self.episode_stats_fields)
        if not isinstance(num_final, int) or not 0 < num_final <= self.num_envs:
            malformed("numFinal", f"an integer from 0 to {self.num_envs}", num_final)
        width = self.observation_size if self._is_same_step else None
        expected = final_expected(num_final, len(self.episode_stats_fields), width)
        final = self._layout("final", result.get("finalLayout"), expected).decode(body)
        lanes = final["finalLane"]
        if lanes.min() < 0 or lanes.max() >= self.num_envs:
            malformed("finalLane", f"lanes from 0 to {self.num_envs - 1}", lanes.tolist())
        return Batch(arrays, final, self.episode_stats_fields)

    def _layout(self, name: str, arrays: Any, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> Layout:
        known = self._known_layouts.get(name)
        if known is not None and known[0] == arrays:
            return known[1]
        layout = Layout(arrays)
        layout.check(expected)
        self._known_layouts[name] = (arrays, layout)
        return layout


def _field(result: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = result.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        malformed(f"open/{name}", "another type", value)
    return value
