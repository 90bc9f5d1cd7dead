"""Training and test data, made by the server."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from ..data.scenarios import Scenarios, read_scenarios
from ..remote.queries.jobs import run_job
from .progress import show_progress as progress_of

__all__ = ["make_dataset"]


def make_dataset(
    kind: str,
    *,
    scenario: Scenarios = "paper-v1",
    split: str | None = None,
    count: int | None = None,
    first_seed: int | None = None,
    labels: str | None = None,
    template: str | None = None,
    perturbation: str | None = None,
    output_instruction: str | None = None,
    system: bool | None = None,
    form: str | None = None,
    out: str | Path | None = None,
    show_progress: bool = True,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """Make training or test data: the same bytes as the command ``mecgym dataset`` writes.

    Parameters
    ----------
    kind : {"sft", "grpo", "test"}
        What the records are for.
    scenario : str, path or dict, or a list of these
        What they are drawn from: an id, a ``.json`` file or a map of your own fields. Several take turns, record by
        record.
    split, count, first_seed, labels, template, perturbation, output_instruction, system, form
        As the options of the command, with its defaults.
    out : str or path, optional
        File that also gets the JSON lines.
    show_progress : bool
        Whether to show a bar (with ``tqdm``), or lines, on standard error.
    address, keys
        As in `OffloadingEnv`.

    Returns
    -------
    list of dict
        The records.

    Raises
    ------
    MecgymError
        ``invalidSeed`` for training data from test seeds, ``unknownScenario``, ``invalidScenario``,
        ``invalidOption``, ``jobTooLarge``.
    """
    fields = {
        "kind": kind,
        "scenario": read_scenarios(scenario),
        "split": split,
        "count": count,
        "firstSeed": first_seed,
        "labels": labels,
        "template": template,
        "perturbation": perturbation,
        "outputInstruction": output_instruction,
        "system": system,
        "form": form,
    }
    data = run_job("dataset", fields, None, partial(progress_of, "dataset", show_progress), address, keys)
    if out is not None:
        Path(out).write_bytes(data)
    return [json.loads(line) for line in data.splitlines()]
