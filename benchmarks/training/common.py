"""Shared by the trainings: options, checkpoints, Ctrl-C, and the table and result file at the end."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mecgym

FIRST_SEED = 1_000_000  # of the validation split: nothing here trains on it
NUM_TRAINING_SEEDS = 1_000_000  # those of the training split: 0 to 999,999
INTERRUPTED = 130  # exit code after Ctrl-C
NOT_KEPT = {"resume", "episodes", "states", "checkpoint_seconds", "out"}  # may differ when a training goes on


def add_common_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the options that every training has."""
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn here")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of checkpoint, model and result.json")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, with the same options")


@contextlib.contextmanager
def interruptible(note: Callable[[], None]) -> Iterator[None]:
    """Call `note` at Ctrl-C or SIGTERM instead of ending, so that the training can save before it ends."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_signal: note()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Saver:
    """Saves at intervals; after `stop`, saves at the next check and ends the program."""

    def __init__(self, save: Callable[[], None], every_seconds: float) -> None:
        self._save, self._every_seconds = save, every_seconds
        self._is_wanted, self._saved_at = False, time.monotonic()

    def stop(self) -> None:
        """Ask for the end."""
        self._is_wanted = True

    def check(self) -> None:
        """Save if it is time to; end the program if that was asked for."""
        if not self._is_wanted and time.monotonic() - self._saved_at < self._every_seconds:
            return
        self._save()
        self._saved_at = time.monotonic()
        if self._is_wanted:
            print("interrupted; --resume goes on from here", file=sys.stderr)
            sys.exit(INTERRUPTED)


def training_seeds(generator: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Draw episode seeds of the training split. Trainings draw all their seeds here, so that none is a test seed."""
    return generator.integers(0, NUM_TRAINING_SEEDS, count)


def read_manifest() -> dict[str, Any]:
    """Return what was tuned for native policies."""
    file = Path(__file__).parents[1] / "policies" / "manifest.json"
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return manifest


def kept_options(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that must not change when a training is resumed."""
    return {name: str(value) for name, value in vars(options).items() if name not in NOT_KEPT}


def check_resume(found: Mapping[str, str], options: argparse.Namespace) -> None:
    """End the program if a checkpoint is from a training with other options."""
    wanted = kept_options(options)
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        said = ", ".join(f"--{name.replace('_', '-')} {found.get(name)}" for name in differing)
        sys.exit(f"--resume: the checkpoint in {options.out} is from a training with {said}")


def save_checkpoint(file: Path, state: dict[str, Any], options: argparse.Namespace) -> None:
    """Write a checkpoint, whole or not at all."""
    written = file.with_suffix(".tmp")
    torch.save({"options": kept_options(options), "state": state}, written)
    os.replace(written, file)


def load_checkpoint(file: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the state to resume from; None for a new training."""
    if not options.resume:
        return None
    if not file.exists():
        sys.exit(f"--resume: there is no {file}")
    # a file of this program; it holds a snapshot of the environment, which is not a tensor
    saved = torch.load(file, weights_only=False)
    check_resume(saved["options"], options)
    state: dict[str, Any] = saved["state"]
    return state


def report(
    out: Path,
    name: str,
    suite: str,
    actions: Mapping[str, list[list[int]]],
    first_seed: int,
    parameters: Mapping[str, float | str],
    natives: Sequence[str] = ("random", "oracle"),
) -> None:
    """Have the server replay the policy, and play native policies; write and print the result.

    Parameters
    ----------
    actions
        The actions of each episode or state from `first_seed` on, by the id of the setting.
    """
    result = mecgym.evaluate(
        suite,
        list(natives),
        episodes=len(next(iter(actions.values()))),
        first_seed=first_seed,
        external={name: actions},
        parameters={name: parameters},
    )
    file = out / "result.json"
    file.write_text(json.dumps(result), encoding="utf-8")
    print("setting | policy | cost, slots [95 %] | minus the oracle's, paired [95 %]\n--- | --- | --- | ---")
    for setting in result["settings"]:
        for entry in setting["policies"]:
            figures = (entry["metrics"]["averageLatencySlots"], entry["differenceToOracleSlots"])
            cells = [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in map(_bounds, figures)]
            print(" | ".join([setting["id"], entry["policy"]["name"], *cells]))
    print(f"wrote {file}; `mecgym verify {file}` plays it again")


def _bounds(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["value"], figure["low"], figure["high"]
