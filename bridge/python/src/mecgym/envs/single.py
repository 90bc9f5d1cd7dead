"""`SingleEnv`: the base of environments with one lane, whatever their observations are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..backend import Backend
from ..checks import NEXT_EPISODE, check_action, check_seed
from ..data.batch import FLAG_INVALID_ACTION, FLAG_LATE, FLAG_TRUNCATED, Batch
from ..data.look_ahead import LookAhead, look_ahead_fields
from ..render.renderer import RENDER_MODES, Renderer
from .branching import EnvSnapshot, SessionEnv, check_snapshot
from .exclusive import exclusive

__all__ = ["SingleEnv"]

Observation = TypeVar("Observation")


class SingleEnv(SessionEnv, gymnasium.Env[Observation, Any]):
    """One lane of a backend as an environment.

    Parameters
    ----------
    session : Backend
        A backend with one lane.
    arguments : dict
        Arguments that make such an environment again.
    """

    metadata = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012

    def __init__(self, session: Backend, renderer: Renderer, arguments: dict[str, Any]) -> None:
        self._session = session
        self._renderer = renderer
        self._arguments = arguments
        self.render_mode = renderer.mode
        self.scenario: dict[str, Any] = session.scenarios[0]["scenario"]
        self.scenario_hash: str = session.scenarios[0]["hash"]
        self.max_servers = session.max_servers
        self.action_space = spaces.Discrete(self.max_servers + 1)
        self._batch: Batch | None = None
        self._is_running = False
        #: Fields of the last look-ahead, if it was about the current decision.
        self._looked_ahead: dict[str, Any] | None = None

    @exclusive
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Parameters
        ----------
        seed : int, optional
            Plays exactly this episode, 0 to 2^53 − 1; by default the next one of the split.
        options : dict, optional
            Not used.

        Returns
        -------
        observation : array of float32, shape (observation_size,), or str
        info : dict
            ``episode_seed``, ``decision_index``, ``slot``, ``num_servers`` and ``action_mask`` (int8, shape
            (max_servers + 1,), 1 for actions that exist and whose server is available).

        Raises
        ------
        MecgymError
            ``invalidSeed``; the running episode goes on.
        """
        seed = None if seed is None else check_seed(seed)
        seeds = np.asarray([NEXT_EPISODE if seed is None else seed], dtype=np.uint64)
        batch = self._play(lambda: self._session.reset(seeds))
        super().reset(seed=seed)
        self._is_running = True
        return self._observation(batch), self._info(batch)

    @exclusive
    def step(
        self, action: int | np.integer[Any] | NDArray[Any]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out a decision.

        Parameters
        ----------
        action : int
            0 for the user's device, e for server e. An action that does not exist in this episode, or whose server
            is absent, is carried out as the costliest one that is available, and flagged in the info.

        Returns
        -------
        observation : array of float32, shape (observation_size,), or str
            The next decision.
        reward : float
            −J, less the penalty of each lost task that was on time so far, slots.
        terminated : bool
            Always False.
        truncated : bool
            Whether the episode has ended.
        info : dict
            As in `reset`, and ``latency_slots``, ``cost_slots`` (slots), ``is_late``, ``invalid_action``,
            ``executed_action``; ``lost_tasks``, the tasks lost since then with servers that left, and
            ``lost_on_time_tasks``, those of them that cost the penalty only now, both 0 without churn; at the end of
            an episode ``episode_stats``.

        Raises
        ------
        MecgymError
            ``invalidAction`` for what is not an integer, ``needsReset`` before a reset; the episode goes on.
        DeadlineExceeded
            The server did not answer in time; the episode is over.
        """
        action = check_action(action)
        self._session.check_open("step")
        if not self._is_running:
            raise self._session.without_reset("step")
        actions = np.asarray([action], dtype=np.int32)
        # a caller that looked ahead at this decision is likely to do so at the next
        ahead, self._looked_ahead = self._looked_ahead, None
        batch = self._play(lambda: self._session.step(actions, ahead))
        arrays = batch.arrays
        flags = arrays["flags"].item()
        truncated = flags & FLAG_TRUNCATED != 0
        self._is_running = not truncated
        info = {
            "latency_slots": arrays["latencySlots"].item(),
            "cost_slots": arrays["costSlots"].item(),
            "is_late": flags & FLAG_LATE != 0,
            "invalid_action": flags & FLAG_INVALID_ACTION != 0,
            "executed_action": arrays["executedAction"].item(),
            "lost_tasks": arrays["lostTasks"].item(),
            "lost_on_time_tasks": arrays["lostOnTimeTasks"].item(),
            **self._info(batch),
        }
        if batch.final is not None:
            info["episode_stats"] = batch.episode_stats(0)
        return self._observation(batch), arrays["reward"].item(), False, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions exist and are available, an array of bool, shape (max_servers + 1,)."""
        masks: NDArray[np.bool_] = self._current().arrays["actionMask"][0].astype(np.bool_)
        return masks

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
        """Evaluate every action of the current decision; this changes nothing, and repeats give the same result.

        Parameters
        ----------
        num_samples : int, optional
            Future tasks K. This and all further options default to the scenario's.
        weight : float, optional
            Weight λ of the future in the reward.
        size_factor : (float, float), optional
            Smallest and largest size of the future tasks, as factors of the current task's.
        mode : {"independent", "sequential"}, optional
            K alternatives at the next step, or K tasks one after another.
        rates : {"frozen", "resampled"}, optional
            Whether the future tasks have the current uplink rates or new ones.

        Raises
        ------
        MecgymError
            ``invalidOption``, ``needsReset``.
        """
        num_actions = int(self._current().arrays["numServers"][0]) + 1
        fields = look_ahead_fields(num_samples, weight, size_factor, mode, rates)
        arrays = self._session.look_ahead(fields)
        self._looked_ahead = fields
        return LookAhead(*(array[0, :num_actions].copy() for array in arrays))

    @exclusive
    def snapshot(self) -> EnvSnapshot:
        """Return the whole state, bit for bit; nothing changes.

        Raises
        ------
        MecgymError
            ``needsReset`` before the first reset.
        """
        self._current()
        return EnvSnapshot(self.scenario_hash, self._session.snapshot(), (self._is_running,))

    @exclusive
    def restore(self, snapshot: EnvSnapshot) -> tuple[Observation, dict[str, Any]]:
        """Go back to the state of a snapshot of this environment, or of another one of the same scenario.

        Parameters
        ----------
        snapshot : EnvSnapshot
            What `snapshot` gave.

        Returns
        -------
        observation : array of float32, shape (observation_size,), or str
        info : dict
            As in `reset`.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``; the running episode goes on.
        """
        check_snapshot(snapshot, self.scenario_hash)
        batch = self._play(lambda: self._session.restore(snapshot.lanes, [0]))
        (self._is_running,) = snapshot.is_running
        return self._observation(batch), self._info(batch)

    @exclusive
    def render(self) -> Any:
        """Draw the task, the servers with their queues, and the last decision with its cost.

        Returns
        -------
        str, array of uint8, shape (544, 960, 3), or None
            Depends on the render mode. The picture in colour also shows what each action would cost now.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; make the environment with render_mode="ansi"')
            return None
        return self._renderer.draw(self._session, self._current())[0]

    @exclusive
    def close(self) -> None:
        """Free the environment on the server; may be called again."""
        if hasattr(self, "_session"):
            self._session.close()

    def _play(self, request: Callable[[], Batch]) -> Batch:
        try:
            self._batch = request()
        except BaseException:
            if self._session.is_unanswered:  # nobody knows whether it was carried out, so the state is unknown
                self._batch, self._is_running = None, False
            raise
        self._renderer.note(self._session, self._batch)
        return self._batch

    def _observation(self, batch: Batch) -> Observation:
        raise NotImplementedError

    def _info(self, batch: Batch) -> dict[str, Any]:
        arrays = batch.arrays
        return {
            "episode_seed": arrays["episodeSeed"].item(),
            "decision_index": arrays["decisionIndex"].item(),
            "slot": arrays["slot"].item(),
            "num_servers": arrays["numServers"].item(),
            "action_mask": arrays["actionMask"][0].astype(np.int8),
        }
