"""`EngineSession`: what a session on a server does for an environment, done in this process."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batch import Batch
from ..data.snapshots import Snapshots
from ..errors import MecgymError, SessionLost, closed, in_use, needs_reset
from .batch import (
    EPISODE_STATS_FIELDS,
    FACTS,
    OBSERVATION_HEADER,
    OBSERVATION_SERVER_FIELDS,
    POLICIES,
    SERVER_FACTS,
    EngineBatch,
)
from .direct import DirectSteps
from .options import EngineOptions, resolve_options
from .refusals import refusal

__all__ = ["EngineSession"]

#: Results of steps that were sent and not received yet, for each group; a server holds as many.
MAX_IN_FLIGHT = 8

Outcome = Batch | BaseException


class EngineSession:
    """Environments in this process, in G groups of n lanes each.

    Parameters
    ----------
    fields : dict
        Fields of the protocol's ``open``.

    Attributes
    ----------
    num_envs, num_groups, lanes_per_group, max_servers, max_users, observation_size, history_slots : int
        Sizes.
    bytes_per_lane : int
        What a lane takes at the start, in bytes.
    observation_header, observation_server_fields, episode_stats_fields : list of str
        Names of the numbers in observations and in the statistics of an episode.
    observation_facts, observation_server_facts : list of str
        Names of the facts at the end of observations.
    scenarios : list of dict
        ``{id, hash, scenario}`` of each scenario, complete.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``invalidOption``, ``invalidRequest``, ``sessionTooLarge``.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._is_closed = True
        #: As given.
        self.fields = dict(fields)
        options = resolve_options(fields)
        self._start(options, [EngineBatch(options, group) for group in range(options.num_groups)])

    def _start(self, options: EngineOptions, batches: list[EngineBatch]) -> None:
        self._options = options
        self._batches = batches
        self._pid = os.getpid()
        self._sent: list[deque[Outcome]] = [deque() for _batch in batches]
        self._locks = [threading.Lock() for _batch in batches]
        #: Held by the thread that is in a call of the environment.
        self.in_use = threading.RLock()
        #: Whether a call was interrupted, so that nobody knows whether it was carried out.
        self.is_unanswered = False
        self.num_envs = options.num_envs
        self.num_groups = options.num_groups
        self.lanes_per_group = options.lanes_per_group
        self.max_servers = batches[0].max_servers
        self.max_users = options.max_users
        self.observation_size = batches[0].observation_size
        self.history_slots = options.history_slots
        self.bytes_per_lane = -(-sum(batch.core.num_bytes for batch in batches) // options.num_envs)
        self.observation_header = list(OBSERVATION_HEADER)
        self.observation_server_fields = list(OBSERVATION_SERVER_FIELDS)
        self.observation_facts = list(FACTS) if options.facts else []
        self.observation_server_facts = list(SERVER_FACTS) if options.facts else []
        self.episode_stats_fields = list(EPISODE_STATS_FIELDS)
        self.is_text = False
        #: A session in this process cannot be lost, so nothing is kept to bring it back.
        self.num_recoveries = self.recovery_bytes = 0
        self.scenarios = [
            {"id": one["id"], "hash": content_hash, "scenario": one}
            for one, content_hash in zip(options.scenarios, options.hashes, strict=True)
        ]
        self._is_closed = False

    @property
    def keeps_state(self) -> bool:
        """Whether there are lanes, whose state is in this process."""
        return not self._is_closed

    @property
    def direct(self) -> DirectSteps | None:
        """Steps of few lanes without a batch in between, for an environment that holds `in_use` meanwhile."""
        return self._batches[0].direct_steps() if self.num_groups == 1 and not self._is_closed else None

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> Batch:
        """Start episodes; see `EngineBatch.reset`."""
        with self._batch(group, "reset") as batch:
            return batch.reset(seeds, mask)

    def step(self, actions: NDArray[np.int32], ahead: Mapping[str, Any] | None = None, group: int = 0) -> Batch:
        """Carry out one decision in each lane; `ahead` is of use to servers only."""
        # what `_batch` does, in place: a context manager costs as much as a step of one lane
        if self._is_closed or not 0 <= group < self.num_groups:
            self._check(group, "step")
        lock = self._locks[group]
        if not lock.acquire(False):
            raise self.occupied("step")
        self.is_unanswered = True
        try:
            batch = self._batches[group].step(actions)
        except MecgymError:
            self.is_unanswered = False
            raise
        finally:
            lock.release()
        self.is_unanswered = False
        if self._sent[group]:
            self._sent[group].clear()
        return batch

    def send_reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> None:
        """Do what `reset` does; `receive` gives what it brings."""
        self._send(group, "send_reset", lambda batch: batch.reset(seeds, mask))

    def send_step(self, actions: NDArray[np.int32], group: int = 0) -> None:
        """Do what `step` does; `receive` gives what it brings."""
        self._send(group, "send_step", lambda batch: batch.step(actions))

    def receive(self, group: int = 0) -> Batch:
        """Return what the first request of a group that was sent brings.

        Raises
        ------
        MecgymError
            ``nothingInFlight``; or why it was refused.
        """
        with self._batch(group, "receive", is_settled=False):
            sent = self._sent[group]
            if not sent:
                path = f"group/{group}"
                raise MecgymError("nothingInFlight", path=path, expected="a request that was sent", got="none")
            outcome = sent.popleft()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def look_ahead(
        self, fields: Mapping[str, Any], actions: NDArray[np.int32] | None = None, group: int = 0
    ) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions, or one of each; see `Session.look_ahead`."""
        with self._batch(group, "look_ahead") as batch:
            return batch.look_ahead(fields, actions)

    def snapshot(self, mask: NDArray[np.uint8] | None = None, group: int = 0) -> Snapshots:
        """Return the whole state of lanes as bytes, bit for bit; see `Session.snapshot`."""
        with self._batch(group, "snapshot") as batch:
            return batch.snapshot(mask)

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None, group: int = 0) -> Batch:
        """Bring lanes back to where snapshots were taken; see `Session.restore`."""
        with self._batch(group, "restore") as batch:
            return batch.restore(snapshots, lanes)

    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int], group: int = 0) -> Batch:
        """Make lanes `targets` copies of lanes `sources` of the same group, as these are now."""
        with self._batch(group, "fork_lanes") as batch:
            return batch.fork_lanes(sources, targets)

    def has_policy(self, policy: str) -> bool:
        """Whether the module has a policy; a server has more."""
        return policy in POLICIES

    def run_policy(self, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
        """Play a group with a policy that the module has; see `Session.run_policy`.

        Raises
        ------
        MecgymError
            ``unknownPolicy`` for any other, which only a server has.
        """
        with self._batch(group, "run_policy") as batch:
            if not self.has_policy(policy):
                raise refusal("unknownPolicy", "policy", f"one of {', '.join(POLICIES)}", policy)
            return batch.run_policy(policy, steps)

    def fork(self) -> EngineSession:
        """Copy the whole session to a new one, which goes its own way from here on."""
        self.check_open("fork")
        other = EngineSession.__new__(EngineSession)
        other._is_closed = True
        other.fields = self.fields
        batches = []
        for group in range(self.num_groups):
            with self._batch(group, "fork", is_settled=False) as batch:
                batches.append(batch.fork())
        other._start(self._options, batches)
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it plays and the states of its lanes; those that were never reset have none."""
        self.check_open("pickle")
        states = []
        for group in range(self.num_groups):
            with self._batch(group, "pickle", is_settled=False) as batch:
                states.append(batch.snapshot(batch.started_lanes()))
        return _restored, (type(self), self.fields, states)

    def check_open(self, path: str) -> None:
        """Refuse what a closed session cannot do.

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
            ``forked``: that thread is one of the parent process, and will never leave here.
        """
        if os.getpid() != self._pid:
            raise SessionLost(
                "forked", "the process was forked while another thread was in this environment; make a new one"
            )
        return in_use(path)

    def without_reset(self, path: str) -> MecgymError:
        """Return the error of what needs an episode if there is none.

        Raises
        ------
        MecgymError
            No reset would help: the session is closed.
        """
        self.check_open(path)
        return needs_reset(path)

    def close(self) -> None:
        """Free the memory; does nothing the second time. Arrays that somebody holds stay as they are."""
        self._is_closed = True
        self._batches = []
        self._sent = []

    def _send(self, group: int, path: str, work: Callable[[EngineBatch], Batch]) -> None:
        with self._batch(group, path, is_settled=False) as batch:
            if len(self._sent[group]) >= MAX_IN_FLIGHT:
                expected = f"at most {MAX_IN_FLIGHT} requests in flight"
                raise MecgymError("windowExceeded", path=f"group/{group}", expected=expected, got="more")
            try:
                outcome: Outcome = work(batch)
            except MecgymError as error:
                outcome = error
            self._sent[group].append(outcome)

    def _check(self, group: int, path: str) -> None:
        self.check_open(path)
        if not 0 <= group < self.num_groups:
            expected = f"a group from 0 to {self.num_groups - 1}"
            raise MecgymError("invalidOption", path="group", expected=expected, got=group)

    @contextmanager
    def _batch(self, group: int, path: str, *, is_settled: bool = True) -> Iterator[EngineBatch]:
        """Return a group's batch to this thread only.

        Parameters
        ----------
        group : int
            Index of the group.
        path : str
            Name of the call.
        is_settled : bool
            Whether what was sent before is forgotten, as a call that waits for its own answer does.
        """
        self._check(group, path)
        lock = self._locks[group]
        if not lock.acquire(blocking=False):
            raise self.occupied(path)
        try:
            if is_settled and self._sent[group]:
                self._sent[group].clear()
            self.is_unanswered = False
            yield self._batches[group]
        except MecgymError:
            raise
        except BaseException:
            self.is_unanswered = True
            raise
        finally:
            lock.release()


def _restored(kind: type[EngineSession], fields: dict[str, Any], states: list[Snapshots]) -> EngineSession:
    session = kind(fields)
    for group, state in enumerate(states):
        if len(state):
            session.restore(state, group=group)
    return session
