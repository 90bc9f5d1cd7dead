"""Pictures in colour: task and device on the left, servers and queues on the right, costs below."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MecgymError

if TYPE_CHECKING:
    from PIL import ImageDraw

    from .scene import Scene, ServerView

__all__ = ["CostHistory", "cells_of", "check_pillow", "draw_scene"]

#: Size of a picture in pixels; multiples of 16, as video encoders want.
WIDTH, HEIGHT = 960, 544
#: Drawn larger and then reduced, so that slanted lines are smooth.
SCALE = 2
#: Decisions whose costs are shown.
SHOWN_COSTS = 120

# colours that most eyes can tell apart (Okabe and Ito)
PAPER, CARD, EDGE, INK, FAINT = "#f4f5f7", "#ffffff", "#d5d9e0", "#1f2933", "#7b8794"
BLUE, SKY, LATE, GOOD, AMBER = "#0072b2", "#9cc9e8", "#d55e00", "#009e73", "#e69f00"
EMPTY = "#eceff3"

LEFT = (24, 84, 214, 392)
SERVERS = (330, 84, 936, 392)
COSTS = (24, 412, 936, 524)
#: Rows of servers in a column.
MAX_ROWS = 12
#: Least work in Mbit that fills a queue's bar.
MIN_FULL_MBIT = 20.0


@dataclass
class CostHistory:
    """The costs of a lane's last decisions, oldest first; a new episode starts a new history."""

    episode_seed: int = -1
    #: Number of the decision, its cost in slots, and whether its task is late.
    costs: deque[tuple[int, float, bool]] = field(default_factory=lambda: deque(maxlen=SHOWN_COSTS))

    def add(self, scene: Scene) -> None:
        """Note the last decision of a scene; adding one twice, or going back to an earlier one, is fine."""
        if scene.episode_seed != self.episode_seed:
            self.episode_seed = scene.episode_seed
            self.costs.clear()
        number = scene.decision - 1
        while self.costs and self.costs[-1][0] >= number:
            self.costs.pop()
        if scene.last is not None:
            self.costs.append((number, scene.last.cost_slots, scene.last.is_late))


def check_pillow() -> None:
    """Refuse to draw pictures without Pillow.

    Raises
    ------
    MecgymError
        ``missingPackage``; the message says how to install it.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MecgymError(
            "missingPackage",
            "render_mode=\"rgb_array\" needs Pillow; install it with `pip install 'mecgym[render]'`",
            path="render_mode",
            expected="Pillow 10.1 or newer",
            got="none",
        ) from error


def draw_scene(scene: Scene, costs_of_actions: NDArray[np.float64] | None, history: CostHistory) -> NDArray[np.uint8]:
    """Draw a lane's current decision, what each action would cost, and the costs of the last decisions.

    Parameters
    ----------
    scene : Scene
        The decision.
    costs_of_actions : array of float64, shape (num_servers + 1,), or None
        Cost of each action now, slots, if known; not finite for actions that are not available.
    history : CostHistory
        Costs of the decisions before.

    Returns
    -------
    array of uint8, shape (HEIGHT, WIDTH, 3)
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    canvas = _Canvas(ImageDraw.Draw(image))
    costs = np.full(len(scene.servers) + 1, np.nan) if costs_of_actions is None else costs_of_actions
    best = int(np.nanargmin(costs)) if np.isfinite(costs).any() else -1
    _draw_head(canvas, scene)
    cells = cells_of(len(scene.servers))
    if len(scene.servers) <= MAX_ROWS:
        _draw_links(canvas, scene, cells)
    _draw_device(canvas, scene, costs[0], is_best=best == 0)
    full = _full_mbit(scene)
    for e, cell in enumerate(cells, start=1):
        _draw_server(canvas, scene, e, cell, full, costs[e], is_best=best == e)
    _draw_costs(canvas, scene, history)
    return np.asarray(image.reduce(SCALE), dtype=np.uint8)


class _Canvas:
    """Draws in the coordinates of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: str, edge: str | None = None, r: float = 0) -> None:
        if x1 - x0 < 0.5 or y1 - y0 < 0.5:
            return
        corners = [x0 * SCALE, y0 * SCALE, x1 * SCALE - 1, y1 * SCALE - 1]
        self._draw.rounded_rectangle(corners, r * SCALE, fill=fill, outline=edge, width=SCALE if edge else 0)

    def line(self, points: list[tuple[float, float]], colour: str, width: float) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=max(1, round(width * SCALE)), joint="curve")

    def disc(self, x: float, y: float, r: float, fill: str) -> None:
        self._draw.ellipse([(x - r) * SCALE, (y - r) * SCALE, (x + r) * SCALE, (y + r) * SCALE], fill=fill)

    def text(self, x: float, y: float, text: str, size: float = 13, colour: str = INK, anchor: str = "lm") -> None:
        self._draw.text((x * SCALE, y * SCALE), text, fill=colour, font=_font(round(size * SCALE)), anchor=anchor)


@lru_cache(maxsize=32)
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def cells_of(num_servers: int) -> list[tuple[int, int, int, int]]:
    """Return the place of each server: one column of rows, or several if there are many."""
    columns = math.ceil(num_servers / MAX_ROWS)
    rows = math.ceil(num_servers / columns)
    x0, y0, x1, y1 = SERVERS
    if columns > 1:
        x0 = LEFT[2] + 24
    width, height = (x1 - x0) / columns, (y1 - y0) / rows
    gap = 4 if rows > 8 else 6
    places = [(i // rows, i % rows) for i in range(num_servers)]
    # whole pixels, so that frames are sharp
    return [
        (
            round(x0 + column * width) + (gap if column else 0),
            round(y0 + row * height) + gap // 2,
            round(x0 + (column + 1) * width),
            round(y0 + (row + 1) * height) - gap // 2,
        )
        for column, row in places
    ]


def _full_mbit(scene: Scene) -> float:
    """Return the work that fills a bar: a round number that no queue exceeds."""
    largest = max([MIN_FULL_MBIT, *(server.workload_mbit for server in scene.servers)])
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest)


def _draw_head(canvas: _Canvas, scene: Scene) -> None:
    canvas.text(24, 30, scene.scenario, 22)
    canvas.text(WIDTH - 24, 26, f"slot {scene.slot} of {scene.episode_slots}", 16, anchor="rm")
    canvas.text(24, 56, f"decision {scene.decision}, episode {scene.episode_seed}", 13, FAINT)
    share = min(1.0, scene.slot / max(1, scene.episode_slots))
    canvas.box(WIDTH - 244, 48, WIDTH - 24, 56, EMPTY, r=4)
    canvas.box(WIDTH - 244, 48, WIDTH - 244 + max(8, 220 * share), 56, BLUE, r=4)


def _draw_links(canvas: _Canvas, scene: Scene, cells: list[tuple[int, int, int, int]]) -> None:
    """Draw the link from the device to each server: wide links are fast, and the last one used has a colour."""
    start = (LEFT[2], (LEFT[1] + LEFT[3]) / 2)
    fastest = max([server.rate_mbps for server in scene.servers], default=1.0) or 1.0
    taken = scene.last.action if scene.last is not None else 0
    for e in sorted(range(1, len(cells) + 1), key=lambda e: e == taken):
        server, cell = scene.servers[e - 1], cells[e - 1]
        if not server.is_available:
            continue
        end = (cell[0], (cell[1] + cell[3]) / 2)
        curve = [_ease(start, end, t / 24) for t in range(25)]
        width = 1 + 6 * server.rate_mbps / fastest
        canvas.line(curve, _colour_of_last(scene) if e == taken else "#dde2e9", width)


def _ease(start: tuple[float, float], end: tuple[float, float], t: float) -> tuple[float, float]:
    return start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * (3 * t * t - 2 * t * t * t)


def _colour_of_last(scene: Scene) -> str:
    return LATE if scene.last is not None and scene.last.is_late else BLUE


def _draw_device(canvas: _Canvas, scene: Scene, cost: float, *, is_best: bool) -> None:
    x0, y0, x1, y1 = LEFT
    is_taken = scene.last is not None and scene.last.action == 0
    canvas.box(x0, y0, x1, y1, CARD, _colour_of_last(scene) if is_taken else EDGE, 8)
    canvas.text(x0 + 16, y0 + 24, f"User {scene.user}", 16)
    canvas.text(x0 + 16, y0 + 46, "has a new task", 13, FAINT)
    # the task as a disc whose area shows its size
    centre = (x0 + x1) / 2
    canvas.disc(centre, y0 + 122, min(52.0, 20 * math.sqrt(scene.size_mbit)), AMBER)
    canvas.text(centre, y0 + 122, f"{scene.size_mbit:.2f}", 18, anchor="mm")
    canvas.text(centre, y0 + 186, f"Mbit, due in {scene.deadline_slots:g} slots", 13, FAINT, "mm")
    canvas.line([(x0 + 16, y0 + 210), (x1 - 16, y0 + 210)], EDGE, 1)
    canvas.text(x0 + 16, y0 + 232, "0  own device", 15)
    canvas.text(x0 + 16, y0 + 254, f"{scene.local_cpu_ghz:g} GHz, waits {scene.local_wait_slots:.2f} slots", 12, FAINT)
    _draw_cost(canvas, x0 + 16, y0 + 282, cost, is_best, "lm")


def _draw_server(
    canvas: _Canvas,
    scene: Scene,
    e: int,
    cell: tuple[int, int, int, int],
    full: float,
    cost: float,
    *,
    is_best: bool,
) -> None:
    x0, y0, x1, y1 = cell
    server = scene.servers[e - 1]
    middle, is_taken = (y0 + y1) / 2, scene.last is not None and scene.last.action == e
    edge = _colour_of_last(scene) if is_taken else EDGE
    canvas.box(x0, y0, x1, y1, CARD if server.is_available else PAPER, edge, min(8, (y1 - y0) / 4))
    wide, small = x1 - x0 > 400, x1 - x0 < 110
    colour = FAINT if not server.is_available else GOOD if is_best and not wide else INK
    canvas.text(x0 + (8 if small else 14), middle, str(e), 11 if small else 16, colour)
    if not server.is_available:
        canvas.text((x0 + x1) / 2 if not wide else x0 + 44, middle, "absent", 12, FAINT, "lm" if wide else "mm")
        return
    left, right = x0 + (31 if small else 44), x1 - 8
    if wide:
        two_lines = y1 - y0 > 34
        canvas.text(left, middle - (9 if two_lines else 0), f"{server.cpu_ghz:.1f} GHz", 13)
        rate = f"{server.rate_mbps:.2f} Mbit/s"
        canvas.text(left if two_lines else left + 72, middle + (9 if two_lines else 0), rate, 12, FAINT)
        left, right = left + (96 if two_lines else 160), x1 - 92
        _draw_cost(canvas, x1 - 12, middle, cost, is_best, "rm")
    elif x1 - x0 > 160:
        right -= 72
        _draw_cost(canvas, x1 - 8, middle, cost, is_best, "rm")
    _draw_queue(canvas, server, left, right, middle, min(20.0, (y1 - y0) * 0.5), full, is_labelled=wide)


def _draw_queue(
    canvas: _Canvas,
    server: ServerView,
    left: float,
    right: float,
    middle: float,
    height: float,
    full: float,
    *,
    is_labelled: bool,
) -> None:
    """Draw the waiting work as a bar, cut into one piece for each task."""
    if is_labelled:
        right -= 104
    canvas.box(left, middle - height / 2, right, middle + height / 2, EMPTY, r=3)
    length = (right - left) * min(1.0, server.workload_mbit / full)
    canvas.box(left, middle - height / 2, left + length, middle + height / 2, SKY, r=3)
    piece = length / max(1, server.active_tasks)
    if piece >= 4:
        for i in range(1, server.active_tasks):
            x = left + i * piece
            canvas.line([(x, middle - height / 2), (x, middle + height / 2 - 1)], CARD, 1.5)
    if is_labelled:
        tasks = f"{server.active_tasks} task{'' if server.active_tasks == 1 else 's'}"
        canvas.text(right + 8, middle, f"{tasks}, {server.workload_mbit:.1f} Mbit", 11, FAINT)


def _draw_cost(canvas: _Canvas, x: float, y: float, cost: float, is_best: bool, anchor: str) -> None:
    """Write what an action would cost now; the cheapest in green."""
    if not math.isfinite(cost):
        return
    canvas.text(x, y, f"{cost:.2f} slots", 14, GOOD if is_best else INK, anchor)


def _draw_costs(canvas: _Canvas, scene: Scene, history: CostHistory) -> None:
    """Draw the costs of the last decisions as bars, late ones in another colour, and their mean as a line."""
    x0, y0, x1, y1 = COSTS
    canvas.box(x0, y0, x1, y1, CARD, EDGE, 8)
    last = scene.last
    if last is None:
        canvas.text((x0 + x1) / 2, (y0 + y1) / 2, "no decision yet", 14, FAINT, "mm")
        return
    where = "own device" if last.action == 0 else f"server {last.action}"
    canvas.text(x0 + 16, y0 + 22, "last decision", 12, FAINT)
    canvas.text(x0 + 16, y0 + 46, where, 17)
    canvas.text(x0 + 16, y0 + 72, f"cost {last.cost_slots:.2f} slots", 17, _colour_of_last(scene))
    note = "the episode has ended" if last.is_final else "late" if last.is_late else "in time"
    canvas.text(x0 + 16, y0 + 95, note, 12, _colour_of_last(scene) if last.is_late else FAINT)
    costs = [cost for _number, cost, _late in history.costs]
    top, left, right = max([1.0, *costs]), x0 + 200, x1 - 96
    base, height = y1 - 14, y1 - y0 - 28
    step = (right - left) / SHOWN_COSTS
    for i, (_number, cost, is_late) in enumerate(history.costs):
        x = left + i * step
        canvas.box(x, base - max(1.0, height * cost / top), x + step * 0.75, base, LATE if is_late else SKY)
    canvas.line([(left, base), (right, base)], EDGE, 1)
    if costs:
        mean = sum(costs) / len(costs)
        y = base - height * mean / top
        canvas.line([(left, y), (right, y)], INK, 1)
        canvas.text(right + 8, y, f"mean {mean:.2f}", 12)
