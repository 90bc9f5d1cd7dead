"""Backends: what an environment needs of whoever plays its lanes, and which one plays them."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from .data.batch import Batch
from .data.infos import LaneInfo, LaneState
from .data.snapshots import Snapshots
from .errors import MecgymError
from .remote.session.opening import open_session
from .remote.session.options import SessionKeywords, SessionOptions, TextKeywords
from .remote.session.recovery import Recovery
from .remote.transport.command import ADDRESS_VARIABLE

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "BACKEND_VARIABLE",
    "Backend",
    "DirectSteps",
    "Recovery",
    "SessionKeywords",
    "SessionOptions",
    "TextBackend",
    "TextKeywords",
    "choose_backend",
    "has_engine",
    "open_backend",
    "run_policy",
    "words_of",
]

ENGINE, SERVER = "engine", "server"
#: Which of the two plays if nothing else says so.
BACKEND_VARIABLE = "MECGYM_BACKEND"


class DirectSteps(Protocol):
    """Steps of few lanes with little between the caller and the lanes."""

    def of_lane(
        self, lane: LaneState, in_use: threading.RLock
    ) -> Callable[[int], tuple[NDArray[np.float32], float, bool, bool, LaneInfo] | None]:
        """Return a step of lane 0, as `Env.step` returns it; None while another thread is in the environment.

        It takes an action that is known to be an integer. If it is one beyond 32 bits, it raises ``ValueError`` before
        anything changes.
        """

    def of_batch(self) -> Callable[[NDArray[Any]], tuple[NDArray[np.float32], NDArray[np.float64], Batch]]:
        """Return a step of all lanes, which gives observations, rewards and the batch.

        The caller holds `Backend.in_use`. It takes actions that are int32 or int64. If one is beyond 32 bits, it raises
        ``struct.error`` before anything changes.
        """


class Backend(Protocol):
    """Lanes in groups, played for an environment.

    Every group has `lanes_per_group` lanes, n. A method that fails with a `MecgymError` has changed no lane, unless
    `is_unanswered` says that nobody knows.

    Attributes
    ----------
    num_envs, num_groups, lanes_per_group : int
        Lanes in all, groups, and lanes of each group.
    max_servers, max_users, observation_size, history_slots : int
        Sizes of observations and actions.
    observation_header, observation_server_fields, episode_stats_fields : list of str
        Names of the numbers in an observation and in the statistics of an episode, with their units.
    observation_facts, observation_server_facts : list of str
        Names of the facts at the end of an observation, of the decision and of each server; empty without them.
    scenarios : list of dict
        ``{id, hash, scenario}`` of each scenario, complete.
    fields : dict
        Fields of the protocol's ``open`` that opened it.
    in_use : RLock
        Held by the thread that is in a call of the environment.
    """

    num_envs: int
    num_groups: int
    lanes_per_group: int
    max_servers: int
    max_users: int
    observation_size: int
    history_slots: int
    observation_header: list[str]
    observation_server_fields: list[str]
    observation_facts: list[str]
    observation_server_facts: list[str]
    episode_stats_fields: list[str]
    scenarios: list[dict[str, Any]]
    fields: dict[str, Any]
    in_use: threading.RLock

    @property
    def direct(self) -> DirectSteps | None:
        """Steps with less between the caller and the lanes; None if there is no such way."""

    @property
    def keeps_state(self) -> bool:
        """Whether the state of the lanes is in this process, so that it can be pickled."""

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up, so that nobody knows whether it was carried out."""

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> Batch:
        """Start episodes: those of `seeds` in the lanes of `mask`; `NEXT_EPISODE` draws from the split."""

    def step(self, actions: NDArray[np.int32], ahead: Mapping[str, Any] | None = None, group: int = 0) -> Batch:
        """Carry out one decision in each lane; ended episodes restart as the autoreset mode says.

        `ahead` has the options of a look-ahead that is likely to follow, for backends that can save time with it.
        Ended episodes have rows in the batch's `final`.
        """

    def send_reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> None:
        """Start what `reset` does; `receive` returns its batch."""

    def send_step(self, actions: NDArray[np.int32], group: int = 0) -> None:
        """Start what `step` does; `receive` returns its batch."""

    def receive(self, group: int = 0) -> Batch:
        """Return the batch of the group's oldest call of `send_reset` or `send_step`."""

    def look_ahead(
        self, fields: Mapping[str, Any], actions: NDArray[np.int32] | None = None, group: int = 0
    ) -> list[NDArray[np.float64]]:
        """Return latency, cost, impact and reward of every action, or of one action of each lane, in slots."""

    def snapshot(self, mask: NDArray[np.uint8] | None = None, group: int = 0) -> Snapshots:
        """Return the whole state of the lanes of `mask`, bit for bit; nothing changes."""

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None, group: int = 0) -> Batch:
        """Put lanes into the states of snapshots."""

    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int], group: int = 0) -> Batch:
        """Make the lanes `targets` copies of the lanes `sources`."""

    def fork(self) -> Self:
        """Return an independent copy of all lanes."""

    def has_policy(self, policy: str) -> bool:
        """Whether `run_policy` can be asked for a policy."""

    def run_policy(self, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
        """Play a built-in policy; return the batch of the last step, and sums over all of them."""

    def check_open(self, path: str) -> None:
        """Refuse a call after `close`: ``closed``."""

    def occupied(self, path: str) -> MecgymError:
        """Return the error of a call that comes while another thread is in one: ``inUse``."""

    def without_reset(self, path: str) -> MecgymError:
        """Return the error of a call that needs an episode when none runs: ``needsReset``."""

    def close(self) -> None:
        """Free the lanes; does nothing the second time."""


class TextBackend(Backend, Protocol):
    """A backend that also knows decisions in words: its batches have texts."""

    def prompts(
        self, fields: Mapping[str, Any], mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> tuple[list[int], list[str], str | None]:
        """Return lanes, their current decisions in words, and the system message, if one was asked for."""

    def read_answer(self, text: str, num_servers: int) -> tuple[int | None, str]:
        """Read a model's answer; return the decision, or None, and why there is none."""


def open_backend(options: SessionOptions, fields: Mapping[str, Any]) -> Backend:
    """Open the backend that plays what the options say: the core in this process, or a session on a server.

    Parameters
    ----------
    options : SessionOptions
        What to play, and where.
    fields : dict
        Further fields of the protocol's ``open``, such as ``numEnvs`` and ``autoreset``.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``invalidOption``; ``serverNotFound`` or ``nodeNotFound`` for what
        only a server plays.
    """
    if choose_backend(options, fields) == SERVER:
        return open_session(options, fields)
    from .engine.session import EngineSession  # a server needs no wasmtime

    return EngineSession({**options.fields(), **fields})


def choose_backend(options: SessionOptions, fields: Mapping[str, Any]) -> str:
    """Return ``"engine"`` or ``"server"``.

    Raises
    ------
    MecgymError
        ``invalidOption`` for another backend, for the engine at an address, or for facts on a server.
    """
    given = options.backend or os.environ.get(BACKEND_VARIABLE) or None
    if given not in (None, ENGINE, SERVER):
        raise MecgymError("invalidOption", path="backend", expected=f"{ENGINE} or {SERVER}", got=given)
    if options.backend == ENGINE and options.address is not None:
        expected = "no address, since the engine plays in this process"
        raise MecgymError("invalidOption", path="address", expected=expected, got=options.address)
    if fields.get("observation") == "text" or options.address is not None:
        chosen = SERVER
    elif given is not None:
        chosen = given
    else:
        chosen = SERVER if os.environ.get(ADDRESS_VARIABLE) or not has_engine() else ENGINE
    if options.facts and chosen == SERVER:
        expected = "the engine in this process, since a server does not know them"
        raise MecgymError("invalidOption", path="facts", expected=expected, got=chosen)
    return chosen


@cache
def has_engine() -> bool:
    """Whether the core can be run in this process; warns if it cannot."""
    try:
        import wasmtime  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        warnings.warn(f"wasmtime does not run here ({error}), so a mecgym server plays; it is slower", stacklevel=2)
        return False
    return True


def run_policy(backend: Backend, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
    """Play a built-in policy, on a server if the backend does not have it: the states go there and come back.

    Raises
    ------
    MecgymError
        ``unknownPolicy``, ``needsReset``; ``nodeNotFound`` if there is no server.
    """
    if backend.has_policy(policy):
        return backend.run_policy(policy, steps, group)
    server = open_session(SessionOptions(), backend.fields)
    try:
        server.restore(backend.snapshot(group=group), group=group)
        played = server.run_policy(policy, steps, group)
        backend.restore(server.snapshot(group=group), group=group)
    finally:
        server.close()
    return played


def words_of(backend: Backend) -> TextBackend:
    """Return a backend as one that knows decisions in words.

    Raises
    ------
    MecgymError
        ``invalidOption`` if it does not.
    """
    if not (hasattr(backend, "prompts") and hasattr(backend, "read_answer")):
        expected = "a backend that knows decisions in words"
        raise MecgymError("invalidOption", path="backend", expected=expected, got=type(backend).__name__)
    return cast(TextBackend, backend)
