"""`Lanes`: thousands of episodes in groups; one group is stepped while a trainer decides for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..backend import Backend, SessionKeywords, SessionOptions, open_backend, run_policy
from ..checks import NEXT_EPISODE, check_actions, check_count, check_seed
from ..data.batch import Batch
from ..data.look_ahead import LookAhead, look_ahead_fields
from ..data.scenarios import ScenarioInput
from ..data.snapshots import Snapshots
from ..errors import MecgymError

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Lanes"]


class Lanes:
    """N episodes in G groups of n = N / G lanes, of one scenario or of several.

    `OffloadingVectorEnv` waits for every step. Here `send_step` sends the actions of a group, and `receive` returns
    its step, so that a trainer decides for one group while the server steps the others. Bodies are not copied: the
    arrays of a `Batch` are views of the message.

    Parameters
    ----------
    num_lanes : int
        Episodes at once, N.
    scenario : str, path or dict, or a list of these
        What the lanes play; with several, observations have room for the most servers that any of them has.
    lane_scenario : sequence of int, length N, optional
        Which of the scenarios each lane plays; by default the first.
    groups : int
        Number of groups, G, a divisor of N. Lane i of group g is lane g·n + i of all.
    autoreset : {"next-step", "same-step", "disabled"}
        What happens to a lane whose episode has ended, as in Gymnasium.
    history, facts, max_servers, split, seed, address, keys, timeout_seconds, recovery
        As in `OffloadingEnv`.

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
        **options: Unpack[SessionKeywords],
    ) -> None:
        fields: dict[str, Any] = {
            "numEnvs": check_count(num_lanes, "num_lanes"),
            "groups": check_count(groups, "groups"),
            "autoreset": autoreset,
        }
        if lane_scenario is not None:
            fields["laneScenario"] = [int(index) for index in lane_scenario]
        self.session: Backend = open_backend(SessionOptions(scenario, **options), fields)
        self.num_lanes = self.session.num_envs
        self.num_groups = self.session.num_groups
        self.lanes_per_group = self.session.lanes_per_group
        self.max_servers = self.session.max_servers
        self.observation_size = self.session.observation_size
        self.scenarios = self.session.scenarios

    def __enter__(self) -> Lanes:
        """Return the lanes themselves."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End the session."""
        self.close()

    def reset(self, seed: int | Sequence[int] | None = None, mask: NDArray[Any] | None = None, group: int = 0) -> Batch:
        """Start episodes in a group, and wait for them.

        Parameters
        ----------
        seed : int or sequence of int, length n, optional
            Lane i of the group plays episode seed + i, or seed[i]; by default the next ones of the split.
        mask : array of bool, shape (n,), optional
            Which lanes to reset; by default all.
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
        """Send the request of `reset` without waiting; `receive` returns its batch."""
        self.session.send_reset(*self._reset_arrays(seed, mask), group=group)

    def step(self, actions: NDArray[Any] | Sequence[int], group: int = 0) -> Batch:
        """Carry out one decision in each lane of a group, and return the result.

        Parameters
        ----------
        actions : array of int, shape (n,)
            0 for the user's device, e for server e; the action of a lane that only resets is ignored.
        group : int
            Index of the group.

        Raises
        ------
        MecgymError
            ``invalidAction``, ``needsReset``; no lane changes.
        """
        return self.session.step(check_actions(actions, self.lanes_per_group), group=group)

    def send_step(self, actions: NDArray[Any] | Sequence[int], group: int = 0) -> None:
        """Send the request of `step` without waiting; `receive` returns its batch."""
        self.session.send_step(check_actions(actions, self.lanes_per_group), group=group)

    def receive(self, group: int = 0) -> Batch:
        """Return the result of a group's first request in flight.

        Raises
        ------
        MecgymError
            ``nothingInFlight`` if there is no such request; or why it was refused.
        """
        return self.session.receive(group)

    def look_ahead(self, group: int = 0, actions: NDArray[Any] | None = None, **options: Any) -> LookAhead:
        """Evaluate every action of a group's current decisions, or one action of each; this changes nothing.

        Parameters
        ----------
        group : int
            Index of the group.
        actions : array of int, shape (n,), optional
            The actions to evaluate; the arrays then have shape (n,), else (n, max_servers + 1).
        **options
            As in `OffloadingEnv.look_ahead`.
        """
        names = ("num_samples", "weight", "size_factor", "mode", "rates")
        unknown = set(options) - set(names)
        if unknown:
            raise MecgymError("invalidOption", path="look_ahead", expected=", ".join(names), got=sorted(unknown)[0])
        fields = look_ahead_fields(*(options.get(name) for name in names))
        checked = None if actions is None else check_actions(actions, self.lanes_per_group)
        return LookAhead(*self.session.look_ahead(fields, checked, group))

    def snapshot(self, group: int = 0) -> Snapshots:
        """Return the states of all lanes of a group, bit for bit, with a hash that names each."""
        return self.session.snapshot(group=group)

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None, group: int = 0) -> Batch:
        """Put lanes of a group into the states of snapshots."""
        return self.session.restore(snapshots, lanes, group)

    def run_policy(self, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
        """Let the server play a group with one of its own policies; see `mecgym.backend.Backend.run_policy`."""
        return run_policy(self.session, policy, check_count(steps, "steps"), group)

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
