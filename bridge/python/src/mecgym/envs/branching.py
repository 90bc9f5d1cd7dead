"""What single and vector environments share: a backend, its last batch, forks, copies and snapshots."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import MecgymError
from .exclusive import exclusive

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..backend import Backend
    from ..data.batch import Batch
    from ..data.snapshots import Snapshots

__all__ = ["EnvSnapshot", "SessionEnv", "check_snapshot"]


@dataclass(frozen=True, eq=False)
class EnvSnapshot:
    """The whole state of an environment, or of several of a batch, bit for bit.

    It can be pickled, and restored in any environment of the same scenario, on any server of the same version.

    Attributes
    ----------
    scenario_hash : str
        Content hash of their scenario.
    lanes : Snapshots
        Their states, as bytes.
    is_running : tuple of bool
        Which of them are in a running episode.
    """

    scenario_hash: str
    lanes: Snapshots
    is_running: tuple[bool, ...]

    @property
    def state_hashes(self) -> list[str]:
        """Names of the states, 16 hexadecimal digits each; equal states have equal names."""
        return self.lanes.state_hashes()


class SessionEnv:
    """An environment that a backend plays: `copy.deepcopy` forks it, and unpickling makes a new one."""

    scenario: dict[str, Any]
    scenario_hash: str
    max_servers: int
    _session: Backend
    _batch: Batch | None
    #: Arguments that make such an environment again.
    _arguments: dict[str, Any]
    _spec: Any = None

    @property
    def spec(self) -> Any:
        """What `gymnasium.make` made this from; it holds a copy of an own scenario, not a path or the caller's map."""
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        if spec is not None and "scenario" in spec.kwargs:
            spec = copy.copy(spec)
            spec.kwargs = {**spec.kwargs, "scenario": copy.deepcopy(self._arguments["scenario"])}
        self._spec = spec

    @property
    def observation_header(self) -> list[str]:
        """Names of the numbers an observation begins with: the task's and the device's, with their units."""
        return list(self._session.observation_header)

    @property
    def max_users(self) -> int:
        """Most users that an episode of the scenario can have."""
        return self._session.max_users

    @property
    def observation_server_fields(self) -> list[str]:
        """Names of the numbers of each server that follow, server by server, with their units."""
        return list(self._session.observation_server_fields)

    @property
    def observation_facts(self) -> list[str]:
        """Names of the facts at the end of an observation, before those of each server."""
        return list(self._session.observation_facts)

    @property
    def observation_server_facts(self) -> list[str]:
        """Names of the facts of each server."""
        return list(self._session.observation_server_facts)

    @property
    def history_slots(self) -> int:
        """Slots of each server's workload history, Mbit, at the end of an observation; 0 without history."""
        return self._session.history_slots

    @exclusive
    def fork(self) -> Self:
        """Return an independent copy: the same state, the same futures, nothing shared.

        Raises
        ------
        MecgymError
            ``closed``, ``tooManySessions``, ``tooManyLanes``.
        """
        session = self._session.fork()
        other = type(self).__new__(type(self))
        # nobody writes to batches, so both may keep the last one
        shared = ("_session", "_batch", "_arguments", "_spec")
        own = {name: value for name, value in self.__dict__.items() if name not in shared}
        other.__dict__.update(copy.deepcopy(own))
        other.__dict__.update({name: self.__dict__[name] for name in shared if name in self.__dict__})
        other._session = session
        other._connected()
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Fork."""
        other = self.fork()
        memo[id(self)] = other
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments, and the state if the core in this process plays: the copy is a new environment.

        One that a server plays needs a reset, since its state is the server's.
        """
        made = (type(self), self._arguments, self.__dict__.get("_spec"))
        if not self._session.keeps_state or self._batch is None:
            return _make_again, made
        return _make_again, (*made, self.snapshot())

    def snapshot(self) -> EnvSnapshot:
        """Return the whole state, bit for bit."""
        raise NotImplementedError

    def restore(self, snapshot: EnvSnapshot) -> Any:
        """Come back to where a snapshot was taken."""
        raise NotImplementedError

    def _connected(self) -> None:
        """Prepare what depends on the backend; called when there is another one."""

    def _current(self) -> Batch:
        self._session.check_open("env")
        if self._batch is None:
            raise self._session.without_reset("env")
        return self._batch


def check_snapshot(snapshot: Any, scenario_hash: str) -> EnvSnapshot:
    """Return a snapshot that fits the scenario.

    Raises
    ------
    MecgymError
        ``invalidSnapshot`` for anything else, or a snapshot of another scenario.
    """
    if not isinstance(snapshot, EnvSnapshot):
        expected = "what `snapshot()` of an environment gives"
        raise MecgymError("invalidSnapshot", path="snapshot", expected=expected, got=snapshot)
    if snapshot.scenario_hash != scenario_hash:
        raise MecgymError(
            "invalidSnapshot",
            path="snapshot/scenario_hash",
            expected=f"the scenario {scenario_hash}",
            got=snapshot.scenario_hash,
        )
    return snapshot


def _make_again(
    kind: type[SessionEnv], arguments: dict[str, Any], spec: Any, snapshot: EnvSnapshot | None = None
) -> SessionEnv:
    env = kind(**arguments)
    if spec is not None:
        env.spec = spec
    if snapshot is not None:
        env.restore(snapshot)
    return env
