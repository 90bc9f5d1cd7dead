"""The loop of every driver here: it reads commands from the standard input, and times what it is told to do."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Play = Callable[[int], dict[str, Any]]
"""Does at least the given number of steps; returns their number as ``steps``, and other results."""


def serve(name: str, play: Play, versions: dict[str, str]) -> None:
    """Report that the set-up is done, then answer each line ``run COUNT`` with a line of JSON until the input ends."""
    print(json.dumps({"ready": True, "versions": versions}), flush=True)
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command != "run" or not count.isdigit() or int(count) < 1:
            sys.exit(f"{name}: a line must be 'run COUNT', got {line.strip()!r}")
        start = time.perf_counter()
        done = play(int(count))
        seconds = time.perf_counter() - start
        print(json.dumps({**done, "seconds": seconds}), flush=True)
