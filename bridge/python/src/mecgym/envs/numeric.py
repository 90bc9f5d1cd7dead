"""`OffloadingEnv`: one environment with Gymnasium's interface and numeric observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..backend import SessionKeywords, SessionOptions, open_backend
from ..checks import check_action
from ..data.batch import Batch
from ..data.scenarios import ScenarioInput
from ..render.renderer import Renderer
from .single import SingleEnv
from .spaces import observation_space

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["OffloadingEnv"]


class OffloadingEnv(SingleEnv[NDArray[np.float32]]):
    """Task offloading in mobile edge computing: one step is one decision about one task.

    Action 0 runs the task on the user's device, action e sends it to server e. The reward is −J, the task's cost in
    slots. Episodes never terminate; the last decision of an episode is truncated.

    Parameters
    ----------
    scenario : str, path or dict
        Id of a scenario, a ``.json`` file with its fields, or the fields.
    history : bool
        Whether observations end with the workload history of each server.
    facts : bool
        Whether observations end with facts that a policy could know from memory and the scenario: users still to be
        asked in the slot, slot, decisions before this one, mean size of the tasks so far, and for each server the
        tasks and Mbit that it was given in this slot. Only in this process, not on a server.
    max_servers : int, optional
        Servers an observation has room for; by default as many as the scenario can have.
    split : {"train", "validation", "test"}
        The split that resets without a seed take their seeds from.
    seed : int, optional
        Seed of the function that picks the episodes of resets without a seed, until a reset has one. By default it is
        random, so that two environments without a seed do not play the same episodes.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys; ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take to answer, in seconds.
    recovery : Recovery or bool, optional
        Whether, and how, the environment survives the loss of its server: by default it does, bit for
        bit, if the server is this process's own, and does not if the server is another's.
    render_mode : {None, "ansi", "rgb_array"}
        ``"ansi"``: `render` returns a small picture as text. ``"rgb_array"``: a picture in colour, which needs
        ``pip install 'mecgym[render]'``.

    Attributes
    ----------
    scenario : dict
        Every field of the scenario.
    scenario_hash : str
        Its content hash.
    observation_header, observation_server_fields : list of str
        Names of the numbers of an observation: the task's, then those of each server in turn. Units are in the
        names.
    observation_facts, observation_server_facts : list of str
        Names of the facts, in the same way; empty without `facts`.
    """

    def __init__(
        self,
        scenario: ScenarioInput = "paper-v1",
        *,
        render_mode: str | None = None,
        **options: Unpack[SessionKeywords],
    ) -> None:
        renderer = Renderer(render_mode)
        session = SessionOptions(scenario, **options)
        backend = open_backend(session, {"numEnvs": 1})
        super().__init__(backend, renderer, {**session.keywords(), "render_mode": render_mode})
        self._connected()
        self.observation_space: spaces.Box = observation_space(backend)  # type: ignore[assignment]

    def step(
        self, action: int | np.integer[Any] | NDArray[Any]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Carry out a decision; see `SingleEnv.step`."""
        step_lane = self._step_lane
        if step_lane is None or not self._lane.is_running:
            return super().step(action)
        if action.__class__ is not int:
            action = check_action(action)
        try:
            stepped = step_lane(action)
        except ValueError as error:
            check_action(action)
            raise error
        if stepped is None:
            raise self._session.occupied("step")
        return stepped

    def _connected(self) -> None:
        session = self._session
        # pictures show what `SingleEnv.step` notes
        direct = None if self.render_mode == "rgb_array" else session.direct
        #: Steps the lane in one go, if the backend can.
        self._step_lane = None if direct is None else direct.of_lane(self._lane, session.in_use)

    def _observation(self, batch: Batch) -> NDArray[np.float32]:
        row: NDArray[np.float32] = batch.arrays["observation"][0].astype(np.float32)
        return row
