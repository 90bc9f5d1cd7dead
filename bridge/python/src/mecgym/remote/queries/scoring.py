"""Scoring requests: answers or actions in recorded states, in one request and without an episode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.scores import NO_ACTION, PARSE_FAILURES, Scores
from ...errors import MecgymError
from ..protocol.bodies import pack_texts
from ..protocol.layout import Layout
from ..transport.endpoints import Endpoint, call

__all__ = ["read_answer", "score_states"]

#: The arrays of a reply, in the order of the fields of `Scores`.
ARRAYS = {
    "action": "int32",
    "parseFailure": "uint8",
    "chargedAction": "int32",
    "isInvalid": "uint8",
    "latencySlots": "float64",
    "costSlots": "float64",
    "impactSlots": "float64",
    "reward": "float64",
    "cheapestCostSlots": "float64",
}
#: Fields of a state that are one number, and their dtypes in a request.
STATE_NUMBERS = {
    "decisionIndex": np.int32,
    "numServers": np.int32,
    "sizeMbit": np.float64,
    "localBacklogMbit": np.float64,
}
#: Fields of a state that have one number for each server.
SERVER_NUMBERS = {
    "rateMbps": np.float64,
    "cpuGHz": np.float64,
    "workloadMbit": np.float64,
    "activeTasks": np.int32,
}


def score_states(
    connect: Callable[[], Endpoint],
    states: Sequence[Mapping[str, Any]],
    answers: Sequence[str] | NDArray[Any],
    *,
    state_of_answer: Sequence[int] | NDArray[Any] | None,
    scenario: str | Mapping[str, Any],
    options: Mapping[str, Any],
    timeout_seconds: float,
) -> Scores:
    """Score answers to recorded states in one request; see `mecgym.score`.

    Parameters
    ----------
    connect : callable
        Returns the endpoint to ask; called only once the arguments have been checked.
    states, answers, state_of_answer, timeout_seconds
        As in `mecgym.score`.
    scenario : str or dict
        Id or fields of the scenario of all states.
    options : dict
        Options of the protocol's ``score``.
    """
    arrays = _pack_states(states)
    if len(answers) == 0:
        return Scores(*(np.empty(0, dtype) for dtype in ARRAYS.values()))
    if state_of_answer is not None:
        arrays["stateOfAction"] = np.asarray(state_of_answer, dtype=np.int32)
    elif len(answers) != len(states):
        raise MecgymError(
            "invalidOption", path="answers", expected=f"{len(states)} answers, one for each state", got=len(answers)
        )
    if isinstance(answers, np.ndarray) or not isinstance(answers[0], str):
        arrays["actions"] = np.asarray(answers, dtype=np.int32)
    else:
        arrays["completionOffsets"], arrays["completionBytes"] = pack_texts(answers)
    layout = Layout.of(arrays)
    fields = {"scenario": scenario, "layout": layout.arrays, **options}
    result, body = call(connect(), "score", fields, layout.encode(arrays), timeout_seconds=timeout_seconds)
    found = Layout(result.get("layout"))
    found.check({name: (dtype, (len(answers),)) for name, dtype in ARRAYS.items()})
    decoded = found.decode(body)
    return Scores(*(decoded[name] for name in ARRAYS))


def read_answer(
    endpoint: Endpoint, text: str, num_servers: int, scenario: str | Mapping[str, Any], timeout_seconds: float
) -> tuple[int | None, str]:
    """Let the server read a model's answer.

    Returns
    -------
    action : int or None
        The decision; None if none could be read.
    failure : str
        One of `PARSE_FAILURES`.
    """
    # how a text is read depends only on the number of servers, so a state of ones will do
    ones = [1] * num_servers
    servers = {"rateMbps": ones, "cpuGHz": ones, "workloadMbit": ones, "activeTasks": ones}
    state = {**dict.fromkeys(STATE_NUMBERS, 1), **servers, "numServers": num_servers}
    scores = score_states(
        lambda: endpoint,
        [{"episodeSeed": 0, "state": state}],
        [text],
        state_of_answer=None,
        scenario=scenario,
        options={"numSamples": 1},
        timeout_seconds=timeout_seconds,
    )
    action, failure = int(scores.action[0]), PARSE_FAILURES[int(scores.parse_failure[0])]
    return (None if action == NO_ACTION else action), failure


def _pack_states(records: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a request that hold the states; if numbers of servers differ, rows are padded with zeros."""
    try:
        states = [record["state"] for record in records]
        arrays: dict[str, NDArray[Any]] = {
            "episodeSeed": _numbers([record["episodeSeed"] for record in records], np.uint64)
        }
        for name, dtype in STATE_NUMBERS.items():
            arrays[name] = _numbers([state[name] for state in states], dtype)
        counts = arrays["numServers"]
        room = int(counts.max(initial=1))
        names = dict(SERVER_NUMBERS)
        if any("isAvailable" in state for state in states):
            names["isAvailable"] = np.uint8
            states = [{"isAvailable": [1] * state["numServers"], **state} for state in states]
        is_even = bool((counts == room).all())
        for name, kind in names.items():
            if is_even:
                rows = [state[name] for state in states]
                if set(map(len, rows)) - {room}:
                    raise ValueError(f"`{name}` without one entry for each server")
                # one list is read quicker than lists in a list
                arrays[name] = _numbers(list(chain.from_iterable(rows)), kind).reshape(len(states), room)
                continue
            arrays[name] = np.zeros((len(states), room), dtype=kind)
            for row, state in enumerate(states):
                arrays[name][row, : counts[row]] = _numbers(state[name], kind)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MecgymError(
            "invalidRecord",
            path="states",
            expected="records with `episodeSeed` and `state`, every field and one entry for each server",
            got=f"{type(error).__name__}: {error}",
        ) from error
    return arrays


def _numbers(values: Any, dtype: Any) -> NDArray[Any]:
    """Return numbers as an array. NumPy by itself would also read text, and let a negative seed wrap around."""
    array: NDArray[Any] = np.asarray(values)
    if array.size and (array.dtype.kind not in "biuf" or (dtype == np.uint64 and np.any(array < 0))):
        raise ValueError(f"no numbers: {values!r:.60}")
    return array.astype(dtype)
