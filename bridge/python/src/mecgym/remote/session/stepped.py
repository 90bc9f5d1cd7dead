"""The base of every session: it is opened, its groups are reset and stepped, and it is closed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import NEXT_EPISODE
from ...data.batch import Batch
from ...errors import MecgymError, ServerError, SessionLost, closed, in_use, malformed, needs_reset
from ..protocol.bodies import final_expected, split_texts, step_expected
from ..protocol.layout import Body, Layout
from ..protocol.results import Opened, read_result
from ..transport.connection import DEFAULT_TIMEOUT_SECONDS, Connection
from ..transport.endpoints import Endpoint, reconnect
from .link import SessionLink
from .recovery import NOT_RECOVERABLE, Recovery
from .sequence import Answer, RequestSequence

__all__ = ["SteppedSession"]

#: Shortest body, in bytes, that is worth leaving in the memory it came in.
MAPPED_BYTES = 32 * 1024


class SteppedSession:
    """Environments on a server, in G groups of n lanes each.

    Each group is stepped by itself; requests of different groups can be in flight together (`send_step`, `receive`).

    Parameters
    ----------
    endpoint : Endpoint
        The server.
    fields : dict
        Fields of the protocol's ``open``.
    timeout_seconds : float
        How long each request may take, in seconds.
    recovery : Recovery or None
        How the session survives the loss of its server; None if it is lost with it.

    Attributes
    ----------
    num_envs, num_groups, lanes_per_group, max_servers, max_users, observation_size, history_slots : int
        Sizes of what was opened.
    bytes_per_lane : int
        Memory of a lane on the server at the start, in bytes.
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
        endpoint: Endpoint,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        recovery: Recovery | None = None,
    ) -> None:
        self._is_closed = True
        self.fields = dict(fields)
        endpoint, connection, opened = _open(endpoint, fields, timeout_seconds, recovery)
        self._start(endpoint, connection, opened, timeout_seconds, recovery)

    def _start(
        self,
        endpoint: Endpoint,
        connection: Connection,
        opened: dict[str, Any],
        timeout_seconds: float,
        recovery: Recovery | None,
    ) -> None:
        session = read_result(opened, Opened, "open")
        self.num_envs = session.num_envs
        self.num_groups = session.groups
        self.lanes_per_group = self.num_envs // self.num_groups
        self._link = SessionLink(
            endpoint,
            connection,
            self.fields,
            session.session,
            session.epoch,
            self.lanes_per_group,
            timeout_seconds,
            recovery,
        )
        self._groups = [RequestSequence(self._link, group) for group in range(self.num_groups)]
        self._link.groups = list(self._groups)
        self._is_closed = False
        #: Held by the thread that is in a call of the environment; see `exclusive`.
        self.in_use = threading.RLock()
        self._is_same_step = self.fields.get("autoreset") == "same-step"
        self.is_text = self.fields.get("observation") == "text"
        self.max_servers = session.max_servers
        self.max_users = session.max_users
        self.observation_size = session.observation_size
        self.history_slots = session.history_slots
        self.bytes_per_lane = int(session.bytes_per_lane)
        self.observation_header = session.observation_header
        self.observation_server_fields = session.observation_server_fields
        #: Servers do not know facts.
        self.observation_facts: list[str] = []
        self.observation_server_facts: list[str] = []
        self.episode_stats_fields = session.episode_stats_fields
        self.scenarios = session.scenarios
        self._reset_request = Layout(session.layouts.reset_request)
        self._step_request = Layout(session.layouts.step_request)
        self._step_reply = Layout(session.layouts.step_reply)
        n = self.lanes_per_group
        self._reset_request.check({"seeds": ("uint64", (n,)), "mask": ("uint8", (n,))})
        self._step_request.check({"actions": ("int32", (n,))})
        self._step_reply.check(step_expected(n, self.observation_size, self.max_servers))
        if self._step_reply.num_bytes >= MAPPED_BYTES:
            connection.maps_bodies = True
        #: Layouts of the last replies; most replies have the same again.
        self._known_layouts: dict[str, tuple[Any, Layout]] = {}

    @property
    def keeps_state(self) -> bool:
        """Return False: the state of the lanes is the server's."""
        return False

    @property
    def num_recoveries(self) -> int:
        """How often the session was brought back after its server was lost."""
        return self._link.num_recoveries

    @property
    def recovery_bytes(self) -> int:
        """Approximate bytes that this process keeps to bring the session back."""
        return sum(group.log.memory_bytes for group in self._groups)

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> Batch:
        """Start episodes.

        Parameters
        ----------
        seeds : array of uint64, shape (n,), optional
            Episode seeds; `NEXT_EPISODE`, the default for all lanes, takes the next one of the split.
        mask : array of uint8, shape (n,), optional
            1 for lanes to reset; by default all.
        group : int
            Index of the group.
        """
        with self._group(group, "reset") as sequence:
            body, is_start = self._reset_body(seeds, mask)
            return self._batch(sequence.exchange("reset", {}, body, is_start=is_start))

    def step(self, actions: NDArray[np.int32], ahead: Mapping[str, Any] | None = None, group: int = 0) -> Batch:
        """Carry out one decision in each lane.

        Parameters
        ----------
        actions : array of int32, shape (n,)
            The actions.
        ahead : dict, optional
            Fields of a look-ahead to send along, because the caller is likely to ask for it next.
        group : int
            Index of the group.
        """
        with self._group(group, "step") as sequence:
            body = self._step_request.encode({"actions": actions})
            return self._batch(sequence.exchange("step", {}, body, ahead=ahead))

    def send_reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> None:
        """Send the request of `reset` without waiting; `receive` returns its batch."""
        with self._group(group, "send_reset") as sequence:
            body, is_start = self._reset_body(seeds, mask)
            sequence.send("reset", {}, body, is_start=is_start)

    def send_step(self, actions: NDArray[np.int32], group: int = 0) -> None:
        """Send the request of `step` without waiting; `receive` returns its batch."""
        with self._group(group, "send_step") as sequence:
            sequence.send("step", {}, self._step_request.encode({"actions": actions}))

    def receive(self, group: int = 0) -> Batch:
        """Wait for the answer to the first request of a group that was sent with `send_reset` or `send_step`."""
        with self._group(group, "receive") as sequence:
            _op, answer = sequence.receive()
            return self._batch(answer)

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up, so that nobody knows whether it was carried out."""
        return any(group.is_unanswered for group in self._groups)

    def check_open(self, path: str) -> None:
        """Refuse a call after `close`.

        Raises
        ------
        MecgymError
            ``closed``.
        """
        if self._is_closed:
            raise closed(path)

    def occupied(self, path: str) -> MecgymError:
        """Return the error of a call that comes while another thread is in one.

        Raises
        ------
        SessionLost
            ``forked``: that thread belongs to the parent process, and will never leave the call here.
        """
        self._link.connection.check_process()
        return in_use(path)

    def without_reset(self, path: str) -> MecgymError:
        """Return the error of a call that needs an episode when none runs.

        Raises
        ------
        MecgymError
            If no reset would help: the session is closed or lost.
        """
        self.check_open(path)
        if self._link.recovery is None:
            self._link.connection.check_usable()
        return needs_reset(path)

    def close(self) -> None:
        """End the session; does nothing the second time, and ignores a server that is gone.

        Raises
        ------
        MecgymError
            ``inUse`` while another thread is in a call.
        """
        if self._is_closed:
            return
        with ExitStack() as taken:
            if self._link.connection.is_own:
                for group in range(self.num_groups):
                    taken.enter_context(self._group(group, "close"))
            self._is_closed = True
            self._link.release()
            is_settled = not self.is_unanswered
            self._groups[0].close()
            for sequence in self._groups:
                sequence.forget_all()
            if is_settled:
                self._link.endpoint.put_back(self._link.connection)
            else:
                self._link.connection.close_with()

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self._link.release()
            self._groups[0].abandon()

    def _group(self, group: int, path: str) -> RequestSequence:
        """Take a group for this thread; leaving it as a context gives it back.

        Raises
        ------
        MecgymError
            ``inUse`` if another thread has it; ``closed``, ``invalidOption``.
        """
        self.check_open(path)
        if not 0 <= group < self.num_groups:
            expected = f"a group from 0 to {self.num_groups - 1}"
            raise MecgymError("invalidOption", path="group", expected=expected, got=group)
        sequence = self._groups[group]
        if not sequence.in_use.acquire(blocking=False):
            raise self.occupied(path)
        return sequence

    def _reset_body(
        self, seeds: NDArray[np.uint64] | None, mask: NDArray[np.uint8] | None
    ) -> tuple[bytes | None, bool]:
        """Return the body of a reset, and whether it replaces everything before it."""
        if seeds is None and mask is None:
            return None, False
        n = self.lanes_per_group
        seeds = np.full(n, NEXT_EPISODE, np.uint64) if seeds is None else seeds
        mask = np.ones(n, np.uint8) if mask is None else mask
        is_start = bool(np.all(mask)) and not np.any(seeds == np.uint64(NEXT_EPISODE))
        return self._reset_request.encode({"seeds": seeds, "mask": mask}), is_start

    def _batch(self, answer: Answer) -> Batch:
        result, body = answer
        arrays = self._step_reply.decode(body)
        texts = self._texts(result, body) if self.is_text else None
        num_final = result.get("numFinal", 0)
        if not num_final:
            return Batch(arrays, None, self.episode_stats_fields, texts)
        if not isinstance(num_final, int) or not 0 < num_final <= self.lanes_per_group:
            malformed("numFinal", f"an integer from 0 to {self.lanes_per_group}", num_final)
        width = self.observation_size if self._is_same_step else None
        expected = final_expected(num_final, len(self.episode_stats_fields), width)
        final = self._layout("final", result.get("finalLayout"), expected).decode(body)
        lanes = final["finalLane"]
        if lanes.min() < 0 or lanes.max() >= self.lanes_per_group:
            malformed("finalLane", f"lanes from 0 to {self.lanes_per_group - 1}", lanes.tolist())
        return Batch(arrays, final, self.episode_stats_fields, texts)

    def _texts(self, result: Mapping[str, Any], body: Body | None) -> list[str]:
        arrays = Layout(result.get("textLayout")).decode(body)
        return split_texts(arrays["promptOffsets"], arrays["promptBytes"])

    def _layout(self, name: str, arrays: Any, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> Layout:
        known = self._known_layouts.get(name)
        if known is not None and known[0] == arrays:
            return known[1]
        layout = Layout(arrays)
        layout.check(expected)
        self._known_layouts[name] = (arrays, layout)
        return layout


def _open(
    endpoint: Endpoint, fields: Mapping[str, Any], timeout_seconds: float, recovery: Recovery | None
) -> tuple[Endpoint, Connection, dict[str, Any]]:
    """Open a session on its own socket; on another server if this one is lost meanwhile."""
    attempts = 1 if recovery is None else recovery.max_attempts
    while True:
        connection = endpoint.take()
        try:
            return endpoint, connection, connection.request("open", fields, timeout_seconds=timeout_seconds)
        except SessionLost as loss:
            connection.close()
            attempts -= 1
            if attempts == 0 or loss.code in NOT_RECOVERABLE:
                raise
        except BaseException:
            endpoint.put_back(connection)
            raise
        endpoint = _find_another(endpoint, attempts, timeout_seconds)


def _find_another(lost: Endpoint, attempts: int, timeout_seconds: float) -> Endpoint:
    """Return the endpoint that replaces a lost one; a server that does not start is an attempt like others."""
    while True:
        try:
            return reconnect(lost, timeout_seconds=timeout_seconds)
        except ServerError as error:  # noqa: PERF203 - it is the start of a process that may fail
            attempts -= 1
            if attempts <= 0 or error.code != "serverNotReady":
                raise
