"""`Lanes`: thousands of episodes in groups, one of which is stepped while a trainer decides for another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import NEXT_EPISODE, check_actions, check_count, check_seed, check_timeout, random_seed
from ..data.batch import Batch
from ..data.look_ahead import LookAhead, look_ahead_fields
from ..data.scenarios import ScenarioInput, read_scenario
from ..data.snapshots import Snapshots
from ..errors import MecgymError
from ..remote.session.recovery import Recovery, resolve_recovery
from ..remote.session.session import Session
from ..remote.transport.connection import DEFAULT_TIMEOUT_SECONDS
from ..remote.transport.endpoints import connect

__all__ = ["Lanes"]


class Lanes:
    """N episodes in G groups of n = N / G lanes, of one scenario or of several.

    Where `OffloadingVectorEnv` waits for every step, a group here is sent its actions with `send_step`, and its step is
    taken with `receive`, so that a trainer decides for one group while the server steps the others. Bodies are not
    copied: the arrays of a `Batch` are views of the message.

    Parameters
    ----------
    num_lanes : int
        Episodes at once, N.
    scenario : str, path or dict, or a list of these
        What the lanes play; of several, observations have room for the most servers any of them has.
    lane_scenario : sequence of int, length N, optional
        Which of the scenarios each lane plays; the first where left out.
    groups : int
        Number of groups, G, a divisor of N. Lane i of group g is lane g·n + i of all.
    autoreset : {"next-step", "same-step", "disabled"}
        What becomes of a lane whose episode has ended, as in Gymnasium.
    history, max_servers, split, seed, address, keys, timeout_seconds, recovery
        As of `OffloadingEnv`.

    Attributes
    ----------
    num_lanes, num_groups, lanes_per_group, max_servers, observation_size : int
        Sizes.
    scenarios : list of dict
        ``{id, hash, scenario}`` of each scenario.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``invalidOption``, ``invalidRequest``.
    """

    def __init__(
        self,
        num_lanes: int,
        scenario: ScenarioInput | Sequence[ScenarioInput] = "paper-v1",
        *,
        lane_scenario: Sequence[int] | None = None,
        groups: int = 1,
        autoreset: str = "next-step",
        history: bool = False,
        max_servers: int | None = None,
        split: str = "train",
        seed: int | None = None,
        address: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        recovery: Recovery | bool | None = None,
    ) -> None:
        scenarios: Sequence[Any] = scenario if isinstance(scenario, (list, tuple)) else [scenario]
        fields: dict[str, Any] = {
            "scenarios": [read_scenario(one) for one in scenarios],
            "numEnvs": check_count(num_lanes, "num_lanes"),
            "groups": check_count(groups, "groups"),
            "autoreset": autoreset,
            "history": bool(history),
            "split": split,
            "seed": random_seed() if seed is None else check_seed(seed),
        }
        if lane_scenario is not None:
            fields["laneScenario"] = [int(index) for index in lane_scenario]
        if max_servers is not None:
            fields["maxServers"] = check_count(max_servers, "max_servers")
        timeout_seconds = check_timeout(timeout_seconds)
        connection = connect(address, keys, timeout_seconds=timeout_seconds)
        how = resolve_recovery(recovery, is_owned=connection.is_owned)
        self.session = Session(connection, fields, timeout_seconds=timeout_seconds, recovery=how)
        self.num_lanes = self.session.num_envs
        self.num_groups = self.session.num_groups
        self.lanes_per_group = self.session.lanes_per_group
        self.max_servers = self.session.max_servers
        self.observation_size = self.session.observation_size
        self.scenarios = self.session.scenarios

    def __enter__(self) -> Lanes:
        """Give the lanes themselves."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End the session."""
        self.close()

    def reset(self, seed: int | Sequence[int] | None = None, mask: NDArray[Any] | None = None, group: int = 0) -> Batch:
        """Start episodes in a group, and wait for them.

        Parameters
        ----------
        seed : int or sequence of int, length n, optional
            Lane i of the group plays episode seed + i, or seed[i]; the next ones of the split where left out.
        mask : array of bool, shape (n,), optional
            Which lanes to reset; all where left out.
        group : int
            Index of the group.

        Raises
        ------
        MecgymError
            ``invalidSeed``, ``invalidOption``; no lane changes.
        """
        return self.session.reset(*self._reset_arrays(seed, mask), group=group)

    def send_reset(
        self, seed: int | Sequence[int] | None = None, mask: NDArray[Any] | None = None, group: int = 0
    ) -> None:
        """Send what `reset` does, and do not wait; `receive` does."""
        self.session.send_reset(*self._reset_arrays(seed, mask), group=group)

    def step(self, actions: NDArray[Any] | Sequence[int], group: int = 0) -> Batch:
        """Carry out one decision in each lane of a group, and wait for what it brings.

        Parameters
        ----------
        actions : array of int, shape (n,)
            0 for the user's device, e for server e; that of a lane which only resets is ignored.
        group : int
            Index of the group.

        Raises
        ------
        MecgymError
            ``invalidAction``, ``needsReset``; no lane changes.
        """
        return self.session.step(check_actions(actions, self.lanes_per_group), group=group)

    def send_step(self, actions: NDArray[Any] | Sequence[int], group: int = 0) -> None:
        """Send what `step` does, and do not wait; `receive` does."""
        self.session.send_step(check_actions(actions, self.lanes_per_group), group=group)

    def receive(self, group: int = 0) -> Batch:
        """Wait for what the first request of a group that is on its way brings.

        Raises
        ------
        MecgymError
            ``nothingInFlight`` where there is none; or why it was refused.
        """
        return self.session.receive(group)

    def look_ahead(self, group: int = 0, actions: NDArray[Any] | None = None, **options: Any) -> LookAhead:
        """Evaluate every action of a group's current decisions, or one of each; changes nothing.

        Parameters
        ----------
        group : int
            Index of the group.
        actions : array of int, shape (n,), optional
            The actions to evaluate; the arrays then have shape (n,), else (n, max_servers + 1).
        **options
            As of `OffloadingEnv.look_ahead`.
        """
        names = ("num_samples", "weight", "size_factor", "mode", "rates")
        unknown = set(options) - set(names)
        if unknown:
            raise MecgymError("invalidOption", path="look_ahead", expected=", ".join(names), got=sorted(unknown)[0])
        fields = look_ahead_fields(*(options.get(name) for name in names))
        checked = None if actions is None else check_actions(actions, self.lanes_per_group)
        return LookAhead(*self.session.look_ahead(fields, checked, group))

    def snapshot(self, group: int = 0) -> Snapshots:
        """Give the state of all lanes of a group as bytes, bit for bit, with a hash that names each."""
        return self.session.snapshot(group=group)

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None, group: int = 0) -> Batch:
        """Bring lanes of a group to where snapshots were taken."""
        return self.session.restore(snapshots, lanes, group)

    def run_policy(self, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
        """Let the server play a group with one of its own policies; see `Session.run_policy`."""
        return self.session.run_policy(policy, check_count(steps, "steps"), group)

    def close(self) -> None:
        """End the session; does nothing the second time."""
        self.session.close()

    def _reset_arrays(
        self, seed: int | Sequence[int] | None, mask: NDArray[Any] | None
    ) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint8] | None]:
        n = self.lanes_per_group
        if seed is None:
            seeds = None if mask is None else np.full(n, NEXT_EPISODE, np.uint64)
        elif isinstance(seed, (int, np.integer)):
            check_seed(check_seed(seed) + n - 1, f"seed/{n - 1}")
            seeds = np.arange(seed, int(seed) + n, dtype=np.uint64)
        elif len(seed) != n:
            raise MecgymError("invalidSeed", path="seed", expected=f"{n} seeds", got=f"{len(seed)} seeds")
        else:
            seeds = np.asarray([check_seed(one, f"seed/{i}") for i, one in enumerate(seed)], dtype=np.uint64)
        if mask is not None and np.shape(mask) != (n,):
            raise MecgymError("invalidOption", path="mask", expected=f"shape ({n},)", got=np.shape(mask))
        return seeds, None if mask is None else np.asarray(mask).astype(np.uint8)
