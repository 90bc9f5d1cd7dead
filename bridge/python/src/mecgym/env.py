"""`OffloadingEnv`: one environment with Gymnasium's interface, played by a mecgym server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .batch import FLAG_INVALID_ACTION, FLAG_LATE, FLAG_TRUNCATED, Batch
from .branching import EnvSnapshot, SessionEnv, check_snapshot
from .checks import check_action, check_seed
from .client import DEFAULT_TIMEOUT_SECONDS
from .look_ahead import LookAhead, look_ahead_fields
from .opening import open_session
from .protocol import NEXT_EPISODE
from .recovery import Recovery
from .rendering import RENDER_MODES, Renderer
from .scenarios import ScenarioInput
from .spaces import observation_space

__all__ = ["OffloadingEnv"]


class OffloadingEnv(SessionEnv, gymnasium.Env[NDArray[np.float32], np.int64]):
    """Task offloading in mobile edge computing: one step is one decision about one task.

    Action 0 runs the task on the user's device, action e sends it to server e. The reward is −J, the task's cost in
    slots. Episodes never terminate; the last decision of an episode is truncated.

    Parameters
    ----------
    scenario : str, path or dict
        Id of a scenario, a ``.json`` file with its fields, or the fields.
    history : bool
        Whether observations end with the workload history of each server.
    max_servers : int, optional
        Servers an observation has room for; as many as the scenario can have where left out.
    split : {"train", "validation", "test"}
        Where the seeds of resets without one come from.
    seed : int, optional
        Seed of the function that picks the episodes of resets without one, until a reset has one. Where left out it is
        chosen at random, so that two environments without a seed do not play the same episodes.
    address : str, optional
        Address of a running server; where left out, ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path, optional
        Folder of the keys for that address, where its server asks for some; ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take to answer, in seconds.
    recovery : Recovery or bool, optional
        Whether, and how, the environment survives the loss of its server: by default it does where the server is this
        process's own, bit for bit, and does not where the server is another's.
    render_mode : {None, "ansi", "rgb_array"}
        ``"ansi"``: `render` gives a small picture as text. ``"rgb_array"``: one in colour, which needs
        ``pip install 'mecgym[render]'``.

    Attributes
    ----------
    scenario : dict
        Every field of the scenario.
    scenario_hash : str
        Its content hash.
    observation_header, observation_server_fields : list of str
        Names of the numbers of an observation: the task's, then those of each server, server after server. Units are in
        the names.
    """

    metadata = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        scenario: ScenarioInput = "paper-v1",
        *,
        history: bool = False,
        max_servers: int | None = None,
        split: str = "train",
        seed: int | None = None,
        address: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        recovery: Recovery | bool | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._renderer = Renderer(render_mode)
        self._arguments = {
            "scenario": scenario,
            "history": history,
            "max_servers": max_servers,
            "split": split,
            "seed": seed,
            "address": address,
            "keys": keys,
            "timeout_seconds": timeout_seconds,
            "recovery": recovery,
            "render_mode": render_mode,
        }
        self._session = open_session(
            {"numEnvs": 1}, scenario, history, max_servers, split, seed, address, keys, timeout_seconds, recovery
        )
        self.render_mode = render_mode
        self.scenario: dict[str, Any] = self._session.scenarios[0]["scenario"]
        self.scenario_hash: str = self._session.scenarios[0]["hash"]
        self.max_servers = self._session.max_servers
        self.observation_header = self._session.observation_header
        self.observation_server_fields = self._session.observation_server_fields
        self.action_space = spaces.Discrete(self.max_servers + 1)
        self.observation_space: spaces.Box = observation_space(self._session)  # type: ignore[assignment]
        self._batch: Batch | None = None
        self._is_running = False
        #: Fields of the last look-ahead, if it was at the current decision.
        self._looked_ahead: dict[str, Any] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Parameters
        ----------
        seed : int, optional
            Plays exactly this episode, 0 to 2^53 − 1; the next one of the split where left out.
        options : dict, optional
            Not used.

        Returns
        -------
        observation : array of float32, shape (observation_size,)
        info : dict
            ``episode_seed``, ``decision_index``, ``slot``, ``num_servers`` and ``action_mask`` (int8, shape
            (max_servers + 1,), 1 where an action exists and its server is there).

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

    def step(
        self, action: int | np.integer[Any] | NDArray[Any]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out a decision.

        Parameters
        ----------
        action : int
            0 for the user's device, e for server e. An action that does not exist in this episode, or whose server
            is absent, is carried out as the costliest one that is available, and flagged in the info.

        Returns
        -------
        observation : array of float32, shape (observation_size,)
            The next decision.
        reward : float
            −J, less the penalty of each of the lost tasks that were in time so far, slots.
        terminated : bool
            Always False.
        truncated : bool
            Whether the episode has ended.
        info : dict
            As of `reset`, and ``latency_slots``, ``cost_slots`` (slots), ``is_late``, ``invalid_action``,
            ``executed_action``; ``lost_tasks``, the tasks lost since with servers that left, and
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
        # who has looked ahead at this decision is likely to do so at the next
        ahead, self._looked_ahead = self._looked_ahead, None
        batch = self._play(lambda: self._session.step(actions, ahead))
        arrays = batch.arrays
        flags = int(arrays["flags"][0])
        truncated = flags & FLAG_TRUNCATED != 0
        self._is_running = not truncated
        info = {
            "latency_slots": float(arrays["latencySlots"][0]),
            "cost_slots": float(arrays["costSlots"][0]),
            "is_late": flags & FLAG_LATE != 0,
            "invalid_action": flags & FLAG_INVALID_ACTION != 0,
            "executed_action": int(arrays["executedAction"][0]),
            "lost_tasks": int(arrays["lostTasks"][0]),
            "lost_on_time_tasks": int(arrays["lostOnTimeTasks"][0]),
            **self._info(batch),
        }
        if batch.final is not None:
            info["episode_stats"] = batch.episode_stats(0)
        return self._observation(batch), float(arrays["reward"][0]), False, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Give which actions exist and are available, an array of bool, shape (max_servers + 1,)."""
        masks: NDArray[np.bool_] = self._current().arrays["actionMask"][0].astype(np.bool_)
        return masks

    def look_ahead(
        self,
        *,
        num_samples: int | None = None,
        weight: float | None = None,
        size_factor: tuple[float, float] | None = None,
        mode: str | None = None,
        rates: str | None = None,
    ) -> LookAhead:
        """Evaluate every action of the current decision; changes nothing, and gives the same when asked again.

        Parameters
        ----------
        num_samples : int, optional
            Future tasks K; as in the scenario where left out, like all that follow.
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

    def snapshot(self) -> EnvSnapshot:
        """Give the whole state, bit for bit; nothing changes.

        Raises
        ------
        MecgymError
            ``needsReset`` before the first reset.
        """
        self._current()
        return EnvSnapshot(self.scenario_hash, self._session.snapshot(), (self._is_running,))

    def restore(self, snapshot: EnvSnapshot) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Come back to where a snapshot was taken, of this environment or of another one of the same scenario.

        Parameters
        ----------
        snapshot : EnvSnapshot
            What `snapshot` gave.

        Returns
        -------
        observation : array of float32, shape (observation_size,)
        info : dict
            As of `reset`.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``; the running episode goes on.
        """
        check_snapshot(snapshot, self.scenario_hash)
        batch = self._play(lambda: self._session.restore(snapshot.lanes, [0]))
        (self._is_running,) = snapshot.is_running
        return self._observation(batch), self._info(batch)

    def render(self) -> Any:
        """Draw the task, the servers with their queues, and the last decision with its cost.

        Returns
        -------
        str, array of uint8, shape (544, 960, 3), or None
            As the render mode says. The picture in colour also shows what each action would cost now.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() without a render mode; make the environment with render_mode="ansi"')
            return None
        return self._renderer.draw(self._session, self._current())[0]

    def close(self) -> None:
        """End the session on the server; may be called again."""
        if hasattr(self, "_session"):
            self._session.close()

    def _play(self, request: Callable[[], Batch]) -> Batch:
        try:
            self._batch = request()
        except BaseException:
            if self._session.is_unanswered:  # whether it was carried out is not known, so neither is the state
                self._batch, self._is_running = None, False
            raise
        self._renderer.note(self._session, self._batch)
        return self._batch

    def _observation(self, batch: Batch) -> NDArray[np.float32]:
        row: NDArray[np.float32] = batch.arrays["observation"][0].astype(np.float32)
        return row

    def _info(self, batch: Batch) -> dict[str, Any]:
        arrays = batch.arrays
        return {
            "episode_seed": int(arrays["episodeSeed"][0]),
            "decision_index": int(arrays["decisionIndex"][0]),
            "slot": int(arrays["slot"][0]),
            "num_servers": int(arrays["numServers"][0]),
            "action_mask": arrays["actionMask"][0].astype(np.int8),
        }
