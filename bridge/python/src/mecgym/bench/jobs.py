"""Long work done by the server: data sets, whole suites, and results that are verified, with a bar while one waits."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MecgymError, SessionLost, malformed
from ..remote.protocol.headers import error_of
from ..remote.protocol.layout import Layout
from ..remote.queries.scenarios import ScenarioInput, read_scenario
from ..remote.transport.connection import Body, Connection
from ..remote.transport.endpoints import MAX_ATTEMPTS, connect

__all__ = ["evaluate", "make_dataset", "verify"]

#: Actions of a policy by the id of a setting: a list for each episode or state.
ActionLogs = Mapping[str, Sequence[Sequence[int]]]

#: Time between two questions how far a job is, in seconds: short at first, for jobs that are.
FIRST_POLL_SECONDS = 0.02
POLL_SECONDS = 0.5
#: Time between two lines where there is no bar, in seconds.
LINE_SECONDS = 10.0


def make_dataset(
    kind: str,
    *,
    scenario: ScenarioInput = "paper-v1",
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
    """Make training or test data, the same bytes as the command ``mecgym dataset`` writes.

    Parameters
    ----------
    kind : {"sft", "grpo", "test"}
        What the records are for.
    scenario : str, path or dict
        What they are drawn from.
    split, count, first_seed, labels, template, perturbation, output_instruction, system, form
        As the options of the command; its defaults where left out.
    out : str or path, optional
        File to write the JSON lines to, too.
    show_progress : bool
        Whether to show a bar (with ``tqdm``), or lines, on standard error.
    address, keys
        As of `OffloadingEnv`.

    Returns
    -------
    list of dict
        The records.

    Raises
    ------
    MecgymError
        ``invalidSeed`` for training data from test seeds, ``unknownScenario``, ``invalidOption``, ``jobTooLarge``.
    """
    fields = {
        "kind": kind,
        "scenario": read_scenario(scenario),
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
    data = _run("dataset", fields, None, show_progress, address, keys)
    if out is not None:
        Path(out).write_bytes(data)
    return [json.loads(line) for line in data.splitlines()]


def evaluate(
    suite: str,
    policies: Sequence[str],
    *,
    episodes: int | None = None,
    first_seed: int | None = None,
    settings: Sequence[str] | None = None,
    external: Mapping[str, ActionLogs] | None = None,
    parameters: Mapping[str, Mapping[str, float | str]] | None = None,
    show_progress: bool = True,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Play native policies on a suite, and give the result that the command ``mecgym run`` writes.

    With `external`, it holds policies of your own, too: what they did is played again, and measured like the others.

    Parameters
    ----------
    suite : str
        Name of a suite, such as ``"paper-table-2"``.
    policies : sequence of str
        Names of native policies.
    episodes : int, optional
        Episodes of each setting; the suite's own number where left out.
    first_seed : int, optional
        Seed of the first; that of the test split where left out.
    settings : sequence of str, optional
        Ids of the suite's settings to play; where left out, those of `external`, or else all of them.
    external : dict of str to dict of str to lists, optional
        By the name of a policy and the id of a setting, the actions of each episode from `first_seed` on, as
        `play_seeds` logs them; of the static protocol, one action for each state.
    parameters : dict of str to dict, optional
        What the result says of external policies by their names, such as the seed they were trained with.
    show_progress, address, keys
        As of `make_dataset`.

    Raises
    ------
    MecgymError
        ``unknownSuite``, ``unknownPolicy``, ``invalidSeed``; ``invalidRecord`` for actions that cannot have been taken,
        or do not end where their episode does.
    """
    if external and settings is None:
        settings = list(next(iter(external.values())))
    fields: dict[str, Any] = {
        "suite": suite,
        "policies": list(policies),
        "episodes": episodes,
        "firstSeed": first_seed,
        "settings": None if settings is None else list(settings),
    }
    body = None
    if external and settings is not None:
        known = {name: dict(values) for name, values in (parameters or {}).items()}
        fields["external"] = [
            {"name": name, **({"parameters": known[name]} if name in known else {})} for name in external
        ]
        fields["layout"], body = _pack_logs(external, settings)
    result: dict[str, Any] = json.loads(_run("evaluate", fields, body, show_progress, address, keys))
    return result


def _pack_logs(external: Mapping[str, ActionLogs], settings: Sequence[str]) -> tuple[list[dict[str, Any]], bytes]:
    """Give the layout and the body with the logs, policy by policy, setting by setting."""
    lists: list[Sequence[int]] = []
    for name, logs in external.items():
        for setting in settings:
            if setting not in logs:
                raise MecgymError("invalidRecord", path=name, expected=f"actions in setting {setting}", got=list(logs))
            lists += logs[setting]
    try:
        arrays = {
            "logLengths": np.array([len(actions) for actions in lists], np.uint32),
            "logActions": np.fromiter((action for actions in lists for action in actions), np.int32),
        }
    except (TypeError, ValueError, OverflowError) as error:
        raise MecgymError("invalidRecord", path="external", expected="lists of actions", got=str(error)) from error
    layout = Layout.of(arrays)
    return layout.arrays, layout.encode(arrays)


def verify(
    result: Mapping[str, Any] | bytes,
    *,
    show_progress: bool = True,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Replay the action log of a result in the simulator, and compute every metric anew.

    Parameters
    ----------
    result : dict or bytes
        What `evaluate` gave, or a result file's bytes.
    show_progress, address, keys
        As of `make_dataset`.

    Returns
    -------
    dict
        ``{"suite", "checked", "problems"}``; without problems, the result is verified.

    Raises
    ------
    MecgymError
        ``invalidBody``, ``invalidRecord`` where it is no result.
    """
    body = result if isinstance(result, bytes) else json.dumps(result).encode()
    padded = body + b" " * (-len(body) % 8)
    outcome: dict[str, Any] = json.loads(_run("verify", {}, padded, show_progress, address, keys))
    return outcome


def _run(
    op: str,
    fields: Mapping[str, Any],
    body: bytes | None,
    show_progress: bool,
    address: str | None,
    keys: str | os.PathLike[str] | None,
) -> bytes:
    """Run a job to its end, from the start again where this process's own server is lost meanwhile."""
    plain = {name: value for name, value in fields.items() if value is not None}
    for _attempt in range(MAX_ATTEMPTS - 1):
        connection = connect(address, keys)
        try:
            return _run_once(connection, op, plain, body, show_progress)
        except SessionLost as loss:
            if not connection.is_owned or loss.code == "forked":
                raise
    return _run_once(connect(address, keys), op, plain, body, show_progress)


def _run_once(
    connection: Connection, op: str, fields: Mapping[str, Any], body: bytes | None, show_progress: bool
) -> bytes:
    started, _body = connection.exchange(op, fields, body)
    job = started.get("job")
    if not isinstance(job, str):
        malformed("job", "an id", job)
    try:
        with _progress(op, show_progress) as update:
            wait_seconds = FIRST_POLL_SECONDS
            while True:
                status = connection.request("job-status", {"job": job})
                update(int(status.get("done", 0)), int(status.get("total", 0)))
                state = status.get("state")
                if state != "running":
                    break
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, POLL_SECONDS)
        if state == "failed":
            raise error_of(status.get("error"))
        if state != "done":
            raise MecgymError("jobCancelled", path=op, expected="a job that is done", got=state)
        return _fetch(connection, job, status)
    finally:
        # a job that is over is forgotten with its result, one that is not ends between two episodes
        with contextlib.suppress(MecgymError):
            connection.request("cancel", {"job": job}, timeout_seconds=5.0)


def _fetch(connection: Connection, job: str, status: Mapping[str, Any]) -> bytes:
    pages: list[Body] = []
    for page in range(int(status.get("pages", 0))):
        _result, part = connection.exchange("job-result", {"job": job, "page": page})
        pages.append(b"" if part is None else part)
    data = b"".join(pages)[: int(status.get("bytes", 0))]
    digest = hashlib.sha256(data).hexdigest()
    if digest != status.get("sha256"):
        malformed("job-result/sha256", str(status.get("sha256")), digest)
    return data


@contextlib.contextmanager
def _progress(label: str, is_shown: bool) -> Iterator[Any]:
    """Give a function that takes how much is done, of how much."""
    if not is_shown:
        yield lambda _done, _total: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _lines(label)
        return
    with tqdm(desc=label, unit="job", leave=False, delay=1.0) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


def _lines(label: str) -> Any:
    last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"mecgym: {label}: {done} of {total}", file=sys.stderr)

    return update
