"""What is timed when told to: a loop over the lines of the standard input, which every driver here has."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Play = Callable[[int], dict[str, Any]]
"""Does at least so many steps; returns how many as ``steps``, and what else there is to say."""


def serve(name: str, play: Play, versions: dict[str, str]) -> None:
    """Say that all is set up, then answer each line ``run COUNT`` with a line of JSON, until the input ends."""
    print(json.dumps({"ready": True, "versions": versions}), flush=True)
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command != "run" or not count.isdigit() or int(count) < 1:
            sys.exit(f"{name}: a line must be 'run COUNT', got {line.strip()!r}")
        start = time.perf_counter()
        done = play(int(count))
        seconds = time.perf_counter() - start
        print(json.dumps({**done, "seconds": seconds}), flush=True)
