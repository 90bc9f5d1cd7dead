"""`evaluate` and `verify`: suites played by the server, and results replayed by it, with a progress bar."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..data.scenarios import Scenarios, is_file, read_scenarios
from ..engine.scenario import frozen_ids
from ..errors import MecgymError
from ..remote.protocol.layout import Layout
from ..remote.queries.jobs import run_job
from .progress import show_progress as progress_of

__all__ = ["FailedAnswer", "evaluate", "verify"]

#: An answer that was not carried out: ``unit`` (index of the episode or state), ``decision``, ``failure``, and
#: ``action`` if an action was named that cannot be taken.
FailedAnswer = Mapping[str, Any]

#: The kinds of failures, by the numbers that stand for them in a body.
FAILURES = ["invalidAction", "empty", "noDecision", "ambiguous", "unfinishedReasoning"]

#: Actions of a policy by the id of a setting: a list for each episode or state.
ActionLogs = Mapping[str, Sequence[Sequence[int]]]


def evaluate(
    suite: str | Scenarios | None = None,
    policies: Sequence[str] = (),
    *,
    scenario: Scenarios | None = None,
    episodes: int | None = None,
    first_seed: int | None = None,
    settings: Sequence[str] | None = None,
    external: Mapping[str, ActionLogs] | None = None,
    parameters: Mapping[str, Mapping[str, float | str]] | None = None,
    failures: Mapping[str, Mapping[str, Sequence[FailedAnswer]]] | None = None,
    in_words: Sequence[str] = (),
    show_progress: bool = True,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Play native policies on a suite, and return the result that the command ``mecgym run`` writes.

    With `external`, the result also has your own policies: their actions are replayed and measured like the others'.

    Parameters
    ----------
    suite : str, or a scenario
        Name of a suite, such as ``"paper-table-2"``; or your own scenario, as `scenario`.
    policies : sequence of str
        Names of native policies.
    scenario : str, path or dict, or a list of these, optional
        Plays episodes of these scenarios instead of a suite. The result holds each of them whole; a setting has the
        id of its scenario.
    episodes : int, optional
        Episodes of each setting; by default the suite's own number.
    first_seed : int, optional
        Seed of the first; by default that of the test split.
    settings : sequence of str, optional
        Ids of the suite's settings to play; by default those of `external`, or else all.
    external : dict of str to dict of str to lists, optional
        By the name of a policy and the id of a setting, the actions of each episode from `first_seed` on, as
        `play_seeds` logs them; of the static protocol, one action for each state.
    parameters : dict of str to dict, optional
        What the result says about external policies, by name, such as the seed they were trained with.
    failures : dict of str to dict of str to lists, optional
        By the name of an external policy and the id of a setting, its answers that were not carried out, in order:
        ``{"unit", "decision", "failure"}``, and ``"action"`` for the failure ``"invalidAction"``. `external` has the
        costliest action in their place. `play_seeds` logs these too.
    in_words : sequence of str
        Names of the external policies that answer in words; the result counts their unread answers.
    show_progress, address, keys
        As in `make_dataset`.

    Raises
    ------
    MecgymError
        ``unknownSuite``, ``unknownPolicy``, ``invalidSeed``; ``invalidRecord`` for actions that cannot have been taken,
        or do not end when their episode does.
    """
    if external and settings is None:
        settings = list(next(iter(external.values())))
    fields: dict[str, Any] = {
        **_what_to_play(suite, scenario),
        "policies": list(policies),
        "episodes": episodes,
        "firstSeed": first_seed,
        "settings": None if settings is None else list(settings),
    }
    body = None
    if external and settings is not None:
        known = {name: dict(values) for name, values in (parameters or {}).items()}
        fields["external"] = [
            {
                "name": name,
                **({"answers": "words"} if name in in_words else {}),
                **({"parameters": known[name]} if name in known else {}),
            }
            for name in external
        ]
        fields["layout"], body = _pack_logs(external, settings, failures or {})
    result: dict[str, Any] = json.loads(
        run_job("evaluate", fields, body, partial(progress_of, "evaluate", show_progress), address, keys)
    )
    return result


def _what_to_play(suite: Any, scenario: Any) -> dict[str, Any]:
    """Return the fields of a request that name a suite, or that bring scenarios."""
    if (suite is None) == (scenario is None):
        got = "neither" if suite is None else "both"
        raise MecgymError("invalidOption", path="suite", expected="either a suite or a scenario", got=got)
    if isinstance(suite, str) and not is_file(suite) and suite not in frozen_ids():
        return {"suite": suite}
    scenarios = read_scenarios(suite if scenario is None else scenario)
    return {"scenarios": scenarios if isinstance(scenarios, list) else [scenarios]}


def _pack_logs(
    external: Mapping[str, ActionLogs],
    settings: Sequence[str],
    failures: Mapping[str, Mapping[str, Sequence[FailedAnswer]]],
) -> tuple[list[dict[str, Any]], bytes]:
    """Return the layout and the body of the logs, policy by policy and setting by setting."""
    lists: list[Sequence[int]] = []
    failed: list[tuple[int, int, int]] = []
    num_actions = 0
    for name, logs in external.items():
        for setting in settings:
            if setting not in logs:
                raise MecgymError("invalidRecord", path=name, expected=f"actions in setting {setting}", got=list(logs))
            starts = [num_actions]
            for actions in logs[setting]:
                starts.append(starts[-1] + len(actions))
            num_actions = starts[-1]
            lists += logs[setting]
            failed += [
                _pack_failure(one, starts, f"failures/{name}/{setting}/{index}")
                for index, one in enumerate(failures.get(name, {}).get(setting, ()))
            ]
    try:
        arrays = {
            "logLengths": np.array([len(actions) for actions in lists], np.uint32),
            "logActions": np.fromiter((action for actions in lists for action in actions), np.int32),
        }
    except (TypeError, ValueError, OverflowError) as error:
        raise MecgymError("invalidRecord", path="external", expected="lists of actions", got=str(error)) from error
    if failed:
        at, codes, named = zip(*failed, strict=True)
        arrays["failedAt"] = np.array(at, np.uint32)
        arrays["failure"] = np.array(codes, np.uint8)
        arrays["failedAction"] = np.array(named, np.int32)
    layout = Layout.of(arrays)
    return layout.arrays, layout.encode(arrays)


def _pack_failure(failed: FailedAnswer, starts: Sequence[int], path: str) -> tuple[int, int, int]:
    """Return the index of a failed answer among all actions, the number of its failure, and the action it named."""
    unit, decision, failure = failed.get("unit"), failed.get("decision"), failed.get("failure")
    if failure in FAILURES and isinstance(unit, int) and isinstance(decision, int) and 0 <= unit < len(starts) - 1:
        at = starts[unit] + decision
        if starts[unit] <= at < starts[unit + 1]:
            return at, FAILURES.index(failure), int(failed.get("action", 0))
    expected = f"a unit and a decision of the log, and one of {', '.join(FAILURES)}"
    raise MecgymError("invalidRecord", path=path, expected=expected, got=dict(failed))


def verify(
    result: Mapping[str, Any] | bytes,
    *,
    show_progress: bool = True,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Replay the action log of a result in the simulator, and compute every metric again.

    Parameters
    ----------
    result : dict or bytes
        What `evaluate` gave, or a result file's bytes.
    show_progress, address, keys
        As in `make_dataset`.

    Returns
    -------
    dict
        ``{"suite", "checked", "problems"}``; without problems, the result is verified.

    Raises
    ------
    MecgymError
        ``invalidBody``, ``invalidRecord`` if it is not a result.
    """
    body = result if isinstance(result, bytes) else json.dumps(result).encode()
    padded = body + b" " * (-len(body) % 8)
    outcome: dict[str, Any] = json.loads(
        run_job("verify", {}, padded, partial(progress_of, "verify", show_progress), address, keys)
    )
    return outcome
