"""`OffloadingEnv`: one environment with Gymnasium's interface, played by a mecgym server."""

from __future__ import annotations

import os

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..data.batch import Batch
from ..data.scenarios import ScenarioInput
from ..remote.session.opening import open_session
from ..remote.session.recovery import Recovery
from ..remote.transport.connection import DEFAULT_TIMEOUT_SECONDS
from ..render.renderer import Renderer
from .single import SingleEnv
from .spaces import observation_space

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
        renderer = Renderer(render_mode)
        arguments = {
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
        session = open_session(
            {"numEnvs": 1}, scenario, history, max_servers, split, seed, address, keys, timeout_seconds, recovery
        )
        super().__init__(session, renderer, arguments)
        self.observation_space: spaces.Box = observation_space(session)  # type: ignore[assignment]

    def _observation(self, batch: Batch) -> NDArray[np.float32]:
        row: NDArray[np.float32] = batch.arrays["observation"][0].astype(np.float32)
        return row
