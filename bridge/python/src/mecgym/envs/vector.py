"""`OffloadingVectorEnv`: many environments with Gymnasium's vector interface, stepped in one round trip."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..backend import SessionKeywords, SessionOptions, open_backend
from ..checks import (
    MAX_SEED,
    NEXT_EPISODE,
    check_actions,
    check_count,
    check_lanes,
    check_reset_mask,
    check_reset_options,
    check_seed,
)
from ..data.batch import FLAG_RESET, FLAG_TRUNCATED, Batch
from ..data.look_ahead import LookAhead, look_ahead_fields
from ..data.scenarios import ScenarioInput
from ..errors import MecgymError
from ..render.renderer import RENDER_MODES, Renderer
from .branching import EnvSnapshot, SessionEnv, check_snapshot
from .exclusive import exclusive
from .infos import DECISIONS, ENDS, OUTCOMES, StepInfos
from .spaces import observation_space

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["OffloadingVectorEnv"]

AUTORESET_NAMES = {
    AutoresetMode.NEXT_STEP: "next-step",
    AutoresetMode.SAME_STEP: "same-step",
    AutoresetMode.DISABLED: "disabled",
}


#: Types of actions that are carried out without being copied.
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)


class OffloadingVectorEnv(SessionEnv, VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """`num_envs` environments of one scenario, stepped together; see `OffloadingEnv` for what a step is.

    Parameters
    ----------
    num_envs : int
        How many environments, n.
    scenario, history, facts, max_servers, split, seed, address, keys, timeout_seconds, recovery, render_mode
        As in `OffloadingEnv`. Without seeds in `reset`, each environment plays different episodes.
    autoreset_mode : AutoresetMode or str
        What a step does with an environment whose episode has ended: ``"NextStep"`` resets it at the next step,
        ``"SameStep"`` at once. ``"Disabled"`` never does; `reset` with the option ``reset_mask`` does.
    max_episode_steps : None
        `gymnasium.make_vec` takes it, but episodes are counted in slots: set ``episodeSlots`` of the scenario.
    copy : bool
        Whether observations and rewards are copies. Otherwise they are read-only views of the message they came in,
        which stays in memory as long as they do.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioInput = "paper-v1",
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        **options: Unpack[SessionKeywords],
    ) -> None:
        self.closed = True  # until it is open, so that closing an unfinished environment does nothing
        try:
            mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            modes = ", ".join(member.value for member in AutoresetMode)
            raise MecgymError("invalidOption", path="autoreset_mode", expected=modes, got=autoreset_mode) from error
        if max_episode_steps is not None:
            expected = "nothing: the scenario's `episodeSlots` say how long an episode is"
            raise MecgymError("invalidOption", path="max_episode_steps", expected=expected, got=max_episode_steps)
        self._renderer = Renderer(render_mode)
        session = SessionOptions(scenario, **options)
        self._arguments = {
            **session.keywords(),
            "num_envs": num_envs,
            "autoreset_mode": mode,
            "copy": copy,
            "render_mode": render_mode,
        }
        fields = {"numEnvs": check_count(num_envs, "num_envs"), "autoreset": AUTORESET_NAMES[mode]}
        self._session = open_backend(session, fields)
        self.closed = False
        self.num_envs = self._session.num_envs
        self.metadata = {"render_modes": RENDER_MODES, "render_fps": 10, "autoreset_mode": mode}
        self.render_mode = render_mode
        self.scenario: dict[str, Any] = self._session.scenarios[0]["scenario"]
        self.scenario_hash: str = self._session.scenarios[0]["hash"]
        self.max_servers = self._session.max_servers
        self.single_observation_space = observation_space(self._session)
        self.single_action_space = spaces.Discrete(self.max_servers + 1)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._mode = mode
        self._copies = bool(copy)
        #: Environments whose episode has ended and that were not reset since.
        self._has_ended = np.zeros(self.num_envs, np.bool_)
        #: Whether there may be some, so that the next step may reset them.
        self._may_reset = False
        self._all_rows = np.ones(self.num_envs, np.bool_)
        self._all_rows.flags.writeable = False
        self._copy_no_rows = np.zeros(self.num_envs, np.bool_).copy
        self._shape = (self.num_envs,)
        self._batch: Batch | None = None
        self._connected()

    @exclusive
    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start episodes.

        Parameters
        ----------
        seed : int or sequence of (int or None), optional
            Environment i plays episode seed + i, or seed[i]; by default the next one of the split.
        options : dict, optional
            ``reset_mask``, an array of bool of shape (n,) with at least one True: which environments to reset.

        Returns
        -------
        observations : array of float32, shape (n, observation_size)
        infos : dict
            As in `OffloadingEnv.reset`: an array of n rows for each name, and its mask under the name after an
            underscore.

        Raises
        ------
        MecgymError
            ``invalidSeed``, ``invalidOption``; the running episodes go on.
        """
        check_reset_options(options, ("reset_mask",))
        mask = check_reset_mask((options or {}).get("reset_mask"), self.num_envs)
        seeds = self._seeds(seed)
        if self._batch is None and not mask.all():
            raise self._session.without_reset("options/reset_mask")
        batch = self._play(lambda: self._session.reset(seeds, mask.astype(np.uint8)))
        super().reset(seed=int(seed) if isinstance(seed, (int, np.integer)) else None)
        self._has_ended[mask] = False
        return self._observations(batch), self._reset_infos(batch, mask)

    def step(
        self, actions: NDArray[Any] | Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carry out one decision in each environment.

        Parameters
        ----------
        actions : array of int, shape (n,)
            The action of an environment that only resets (next-step autoreset) is ignored.

        Returns
        -------
        observations : array of float32, shape (n, observation_size)
        rewards : array of float64, shape (n,)
            −J, slots; 0 for an environment that only reset.
        terminations : array of bool, shape (n,)
            All False.
        truncations : array of bool, shape (n,)
        infos : dict
            As in `OffloadingEnv.step`, with masks as in `reset`. With same-step autoreset, ``final_obs`` and
            ``final_info`` describe the episodes that ended.

        Raises
        ------
        MecgymError
            ``invalidAction``, ``needsReset``; no environment has changed.
        """
        step = self._direct_step
        before = self._batch
        if (
            step is None
            or before is None
            or actions.__class__ is not np.ndarray
            or actions.shape != self._shape
            or not ((kind := actions.dtype) is INT32 or kind is INT64)
        ):
            return self._step(actions)
        if not self._acquire(False):
            raise self._session.occupied("step")
        try:
            # a signal handler that comes in between finds no episodes
            self._batch = None
            observations, rewards, batch = step(actions)
            self._batch = batch
            if self._notes is not None:
                self._notes(batch)
            if batch.final is None and not self._may_reset:
                truncations, infos = self._copy_no_rows(), StepInfos()
                infos._parts = ((DECISIONS, batch, self._all_rows), (OUTCOMES, batch, self._all_rows))
            else:
                truncations, infos = self._outcome(before, batch)
        except (MecgymError, ValueError, struct.error):
            self._batch = before
            check_actions(actions, self.num_envs)
            raise
        finally:
            self._release()
        return observations, rewards, self._copy_no_rows(), truncations, infos

    @exclusive
    def _step(
        self, actions: Any
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Carry out one decision in each environment, whatever the backend and the actions are."""
        checked = check_actions(actions, self.num_envs)
        before = self._current()
        batch = self._play(lambda: self._session.step(checked))
        truncations, infos = self._outcome(before, batch)
        rewards: NDArray[np.float64] = batch.arrays["reward"].astype(np.float64, copy=self._copies)
        return self._observations(batch), rewards, self._copy_no_rows(), truncations, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions exist, an array of bool, shape (n, max_servers + 1)."""
        return self._current().arrays["actionMask"].astype(np.bool_)

    @exclusive
    def look_ahead(
        self,
        *,
        num_samples: int | None = None,
        weight: float | None = None,
        size_factor: tuple[float, float] | None = None,
        mode: str | None = None,
        rates: str | None = None,
    ) -> LookAhead:
        """Evaluate every action of the current decisions; see `OffloadingEnv.look_ahead`."""
        self._current()
        fields = look_ahead_fields(num_samples, weight, size_factor, mode, rates)
        return LookAhead(*(array.copy() for array in self._session.look_ahead(fields)))

    @exclusive
    def snapshot(self, lanes: Sequence[int] | None = None) -> EnvSnapshot:
        """Return the whole states of environments, bit for bit; nothing changes.

        Parameters
        ----------
        lanes : sequence of int, optional
            Which environments; by default all.

        Raises
        ------
        MecgymError
            ``needsReset`` before the first reset, ``invalidOption``.
        """
        self._current()
        mask = np.ones(self.num_envs, np.uint8)
        if lanes is not None:
            mask[:] = 0
            mask[check_lanes(lanes, self.num_envs, "lanes")] = 1
        taken = self._session.snapshot(mask)
        return EnvSnapshot(self.scenario_hash, taken, tuple((~self._has_ended[taken.lanes]).tolist()))

    @exclusive
    def restore(
        self, snapshot: EnvSnapshot, lanes: Sequence[int] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Put environments into the states of a snapshot of these, or of others of the same scenario.

        Parameters
        ----------
        snapshot : EnvSnapshot
            Of k environments.
        lanes : sequence of int, length k, optional
            Which environments to restore; by default those it was taken of.

        Returns
        -------
        observations : array of float32, shape (n, observation_size)
        infos : dict
            As in `reset`, with masks of the environments that were restored.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``, ``invalidOption``; no environment has changed.
        """
        check_snapshot(snapshot, self.scenario_hash)
        targets = check_lanes(snapshot.lanes.lanes if lanes is None else lanes, self.num_envs, "lanes")
        if self._batch is None and len(targets) < self.num_envs:
            raise self._session.without_reset("lanes")
        batch = self._play(lambda: self._session.restore(snapshot.lanes, targets.tolist()))
        return self._branched(batch, targets, [not running for running in snapshot.is_running])

    @exclusive
    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Make the environments `targets` copies of `sources`; the sources stay as they are.

        Parameters
        ----------
        sources, targets : sequence of int, length k
            Indices of environments; no target twice.

        Returns
        -------
        observations : array of float32, shape (n, observation_size)
        infos : dict
            As in `reset`, with masks of the targets.

        Raises
        ------
        MecgymError
            ``needsReset``, ``invalidOption``; no environment has changed.
        """
        self._current()
        to = check_lanes(targets, self.num_envs, "targets")
        origin = np.asarray(sources)
        if len(origin) != len(to):
            raise MecgymError("invalidOption", path="sources", expected=f"{len(to)} indices", got=len(origin))
        for i, lane in enumerate(origin):
            check_lanes([lane], self.num_envs, f"sources/{i}")
        batch = self._play(lambda: self._session.fork_lanes(origin.tolist(), to.tolist()))
        return self._branched(batch, to, self._has_ended[origin].tolist())

    @exclusive
    def render(self) -> tuple[Any, ...] | None:
        """Draw each environment; see `OffloadingEnv.render`."""
        if self.render_mode is None:
            return None
        return self._renderer.draw(self._session, self._current())

    @exclusive
    def close_extras(self, **kwargs: Any) -> None:
        """End the session on the server."""
        self._session.close()
        if hasattr(self, "_direct_step"):
            self._connected()

    def _seeds(self, seed: int | Sequence[int | None] | None) -> NDArray[np.uint64]:
        if seed is None:
            seeds: list[int] = [NEXT_EPISODE] * self.num_envs
        elif isinstance(seed, (int, np.integer)):
            first = check_seed(seed)
            if first + self.num_envs - 1 > MAX_SEED:
                check_seed(first + self.num_envs - 1, f"seed/{self.num_envs - 1}")
            seeds = [first + lane for lane in range(self.num_envs)]
        elif len(seed) != self.num_envs:
            raise MecgymError("invalidSeed", path="seed", expected=f"{self.num_envs} seeds", got=f"{len(seed)} seeds")
        else:
            seeds = [NEXT_EPISODE if one is None else check_seed(one, f"seed/{i}") for i, one in enumerate(seed)]
        return np.asarray(seeds, dtype=np.uint64)

    def _play(self, request: Callable[[], Batch]) -> Batch:
        try:
            self._batch = request()
        except BaseException:
            if self._session.is_unanswered:  # nobody knows whether it was carried out, so the state is unknown
                self._batch = None
            raise
        self._renderer.note(self._session, self._batch)
        return self._batch

    def _branched(
        self, batch: Batch, targets: NDArray[np.intp], has_ended: Sequence[bool]
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        self._has_ended[targets] = has_ended
        self._may_reset = bool(self._has_ended.any())
        mask = np.zeros(self.num_envs, np.bool_)
        mask[targets] = True
        return self._observations(batch), self._reset_infos(batch, mask)

    def _add_final(self, infos: dict[str, Any], before: Batch, batch: Batch) -> None:
        """Add the final infos of same-step autoreset; the rows of ended episodes already show the next ones."""
        if batch.final is None:
            return
        outcomes = {name: recipe(batch) for name, recipe in OUTCOMES.items()}
        decisions = {name: recipe(before) for name, recipe in DECISIONS.items()}
        for row, lane in enumerate(batch.ended_lanes()):
            stats = batch.episode_stats(row)
            final_info = {
                **{name: values[lane].item() for name, values in outcomes.items()},
                "episode_seed": int(decisions["episode_seed"][lane]),
                "decision_index": stats["num_decisions"],
                "slot": int(batch.final["finalSlot"][row]),
                "num_servers": int(decisions["num_servers"][lane]),
                # of the decision that `final_obs` shows: servers may have left since the one before
                "action_mask": self._mask_shown_by(batch.final["finalObservation"][row]),
                "episode_stats": stats,
            }
            final_obs = batch.final["finalObservation"][row].copy()
            self._add_info(infos, {"final_obs": final_obs, "final_info": final_info}, lane)

    def _mask_shown_by(self, observation: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the action mask of an observation, in which an absent server has no capacity, and padding neither."""
        session = self._session
        first, step = len(session.observation_header), len(session.observation_server_fields)
        at = first + session.observation_server_fields.index("cpuGHz")
        mask = np.ones(self.max_servers + 1, np.int8)
        mask[1:] = observation[at : first + step * self.max_servers : step] > 0
        return mask

    def _outcome(self, before: Batch, batch: Batch) -> tuple[NDArray[np.bool_], StepInfos]:
        """Return which environments ended in a step, and the infos."""
        all_rows = self._all_rows
        truncations, has_stepped = self._ends_of(batch)
        infos = StepInfos()
        infos._parts = ()
        if batch.final is not None and self._mode is AutoresetMode.SAME_STEP:
            self._add_final(infos, before, batch)
        parts: list[Any] = [(DECISIONS, batch, all_rows)]
        if has_stepped is all_rows or has_stepped.any():
            parts.append((OUTCOMES, batch, has_stepped))
        if batch.final is not None and self._mode is not AutoresetMode.SAME_STEP:
            parts.append((ENDS, batch, truncations))
        infos._parts = tuple(parts)
        return truncations, infos

    def _ends_of(self, batch: Batch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which environments ended in a step, and which have outcomes of a decision to show.

        In most steps none ends and none resets, and then no flags are looked at.
        """
        had_ended = self._has_ended
        has_stepped = self._all_rows
        if batch.final is None and not self._may_reset:
            return self._copy_no_rows(), has_stepped
        flags = batch.arrays["flags"]
        if self._may_reset:
            has_stepped = (flags & FLAG_RESET) == 0
        if batch.final is None:
            had_ended[:] = False
            self._may_reset = False
            return self._copy_no_rows(), has_stepped
        truncations: NDArray[np.bool_] = (flags & FLAG_TRUNCATED) != 0
        if self._mode is AutoresetMode.SAME_STEP:
            return truncations, has_stepped & ~truncations
        self._has_ended, self._may_reset = truncations.copy(), True
        return truncations, has_stepped

    def _reset_infos(self, batch: Batch, mask: NDArray[np.bool_]) -> StepInfos:
        infos = StepInfos()
        infos._parts = ((DECISIONS, batch, mask),)
        return infos

    def _connected(self) -> None:
        session = self._session
        direct = session.direct if self._copies else None
        #: Steps with less in between, if the backend can.
        self._direct_step = None if direct is None else direct.of_batch()
        self._notes = self._renderer.noting(session)
        self._acquire, self._release = session.in_use.acquire, session.in_use.release

    def _observations(self, batch: Batch) -> NDArray[np.float32]:
        observations: NDArray[np.float32] = batch.arrays["observation"].astype(np.float32, copy=self._copies)
        return observations
