"""Draws lanes for `render`, as text or in colour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import Backend
from ..data.batch import Batch
from ..errors import MecgymError
from .picture import CostHistory, check_pillow, draw_scene
from .scene import Scene, scene_of

__all__ = ["RENDER_MODES", "Renderer", "draw_text"]

RENDER_MODES = ["ansi", "rgb_array"]
BAR_WIDTH = 20
#: Work in Mbit that fills a bar.
FULL_BAR_MBIT = 20.0


class Renderer:
    """Draws the lanes of a backend.

    Parameters
    ----------
    render_mode : {None, "ansi", "rgb_array"}
        None draws nothing.

    Raises
    ------
    MecgymError
        ``invalidOption`` for another mode, ``missingPackage`` if the package that draws in colour is not installed.
    """

    def __init__(self, render_mode: str | None) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            expected = 'None, "ansi" or "rgb_array"'
            raise MecgymError("invalidOption", path="render_mode", expected=expected, got=render_mode)
        if render_mode == "rgb_array":
            check_pillow()
        self.mode = render_mode
        self._histories: list[CostHistory] = []

    def noting(self, session: Backend) -> Callable[[Batch], None] | None:
        """Return what keeps the costs of a step; None if no picture shows them."""
        return partial(self.note, session) if self.mode == "rgb_array" else None

    def note(self, session: Backend, batch: Batch) -> None:
        """Keep the costs of the last decisions, if pictures show them."""
        if self.mode != "rgb_array":
            return
        if not self._histories:
            self._histories = [CostHistory() for _ in range(session.num_envs)]
        for lane, history in enumerate(self._histories):
            history.add(scene_of(session, batch, lane))

    def draw(self, session: Backend, batch: Batch) -> tuple[Any, ...]:
        """Return a text, or an array of uint8 of shape (height, width, 3), for each lane."""
        lanes = range(session.num_envs)
        if self.mode == "ansi":
            return tuple(draw_text(scene_of(session, batch, lane)) for lane in lanes)
        costs: NDArray[np.float64] = session.look_ahead({})[1]
        pictures = []
        for lane in lanes:
            scene = scene_of(session, batch, lane)
            pictures.append(draw_scene(scene, costs[lane, : len(scene.servers) + 1], self._histories[lane]))
        return tuple(pictures)


def draw_text(scene: Scene) -> str:
    """Draw a lane's current decision and its last one: the task, the device, and each server with its queue."""
    taken = scene.last.action if scene.last is not None else None
    lines = [
        f"episode {scene.episode_seed}, slot {scene.slot}, decision {scene.decision}: "
        f"task of {scene.size_mbit:.2f} Mbit from user {scene.user}, deadline {scene.deadline_slots:g} slots",
        f"{'>' if taken == 0 else ' '} 0 local    {scene.local_cpu_ghz:6.1f} GHz  "
        f"waits {scene.local_wait_slots:.2f} slots",
    ]
    for e, server in enumerate(scene.servers, start=1):
        head = f"{'>' if taken == e else ' '} {e} server   "
        if not server.is_available:
            lines.append(f"{head}absent")
            continue
        bar = "#" * min(round(server.workload_mbit / FULL_BAR_MBIT * BAR_WIDTH), BAR_WIDTH)
        lines.append(
            f"{head}{server.cpu_ghz:6.1f} GHz  {server.rate_mbps:6.2f} Mbit/s  {server.active_tasks:3} tasks "
            f"|{bar:<{BAR_WIDTH}}| {server.workload_mbit:.2f} Mbit"
        )
    if scene.last is not None:
        last = scene.last
        late = ", late" if last.is_late else ""
        lines.append(
            f"last: action {last.action}, latency {last.latency_slots:.2f} slots, cost {last.cost_slots:.2f}{late}"
        )
    return "\n".join(lines)
