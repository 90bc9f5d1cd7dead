"""Scores of answers or actions in recorded states: what a reward function asks for, in one request and no episode."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.look_ahead import look_ahead_fields
from ...data.scenarios import ScenarioInput, read_scenario
from ...data.scores import Scores
from ...errors import MecgymError
from ..protocol.bodies import pack_texts
from ..protocol.layout import Layout
from ..transport.connection import DEFAULT_TIMEOUT_SECONDS
from ..transport.endpoints import call

__all__ = ["STATE_NUMBERS", "score"]

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
#: What a state has one number of, and its dtype in a request.
STATE_NUMBERS = {
    "decisionIndex": np.int32,
    "numServers": np.int32,
    "sizeMbit": np.float64,
    "localBacklogMbit": np.float64,
}
#: What it has one number of for each server.
SERVER_NUMBERS = {
    "rateMbps": np.float64,
    "cpuGHz": np.float64,
    "workloadMbit": np.float64,
    "activeTasks": np.int32,
}


def score(
    states: Sequence[Mapping[str, Any]],
    answers: Sequence[str] | NDArray[Any],
    *,
    state_of_answer: Sequence[int] | NDArray[Any] | None = None,
    scenario: ScenarioInput = "paper-v1",
    num_samples: int | None = None,
    weight: float | None = None,
    size_factor: tuple[float, float] | None = None,
    mode: str | None = None,
    rates: str | None = None,
    address: str | None = None,
    keys: str | os.PathLike[str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> Scores:
    """Score answers to recorded states, all in one request. The server reads the texts and does all the arithmetic.

    Parameters
    ----------
    states : sequence of dict
        Records of a data set, or any maps with their `episodeSeed` and `state`.
    answers : sequence of str, or array of int, length C
        What a model wrote, or actions.
    state_of_answer : sequence of int, length C, optional
        Index of the state that each answer is about; answer i is about state i where left out.
    scenario : str, path or dict
        The scenario the states are of: density, deadline and penalty are its.
    num_samples, weight, size_factor, mode, rates
        As of `OffloadingEnv.look_ahead`; the scenario's where left out.
    address : str, optional
        Address of a running server; where left out, ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path, optional
        Folder of the keys for that address, where its server asks for some; ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take, in seconds.

    Raises
    ------
    MecgymError
        ``invalidRecord`` where a state lacks something; what the server refuses otherwise. Nothing is scored then.
    ServerError
        There is no server, or it does not answer.
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
    options = {
        "scenario": read_scenario(scenario),
        "layout": layout.arrays,
        **look_ahead_fields(num_samples, weight, size_factor, mode, rates),
    }
    request = layout.encode(arrays)
    result, body = call("score", options, request, address=address, keys=keys, timeout_seconds=timeout_seconds)
    found = Layout(result.get("layout"))
    found.check({name: (dtype, (len(answers),)) for name, dtype in ARRAYS.items()})
    decoded = found.decode(body)
    return Scores(*(decoded[name] for name in ARRAYS))


def _pack_states(records: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Give the arrays of a request that hold the states; where servers differ in number, rows are padded with zeros."""
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
    """Give numbers as an array; NumPy alone would read them from text, too, and let a negative seed wrap round."""
    array: NDArray[Any] = np.asarray(values)
    if array.size and (array.dtype.kind not in "biuf" or (dtype == np.uint64 and np.any(array < 0))):
        raise ValueError(f"no numbers: {values!r:.60}")
    return array.astype(dtype)
