"""`score`: what answers or actions in recorded states cost, for reward functions; it needs no episode."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..catalogue import describe
from ..data.look_ahead import look_ahead_fields
from ..data.plain import without_nulls
from ..data.scenarios import ScenarioInfo, ScenarioInput, read_scenario
from ..data.scores import Scores
from ..errors import MecgymError
from ..remote.queries.scoring import score_states
from ..remote.transport.connection import DEFAULT_TIMEOUT_SECONDS
from ..remote.transport.endpoints import connect

__all__ = ["check_records", "score"]


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
        Index of the state that each answer is about; by default answer i is about state i.
    scenario : str, path or dict
        The scenario of the states, which gives density, deadline and penalty.
    num_samples, weight, size_factor, mode, rates
        As in `OffloadingEnv.look_ahead`; by default the scenario's.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys; ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take, in seconds.

    Raises
    ------
    MecgymError
        ``invalidRecord`` if a state lacks a field, or is one of another scenario; or what the server refuses.
        Nothing is scored then.
    ServerError
        There is no server, or it does not answer.
    """
    read = read_scenario(scenario)
    records = [without_nulls(record) for record in states]
    check_records(records, describe(read, address, keys))
    return score_states(
        lambda: connect(address, keys, timeout_seconds=timeout_seconds),
        records,
        answers,
        state_of_answer=state_of_answer,
        scenario=read,
        options=look_ahead_fields(num_samples, weight, size_factor, mode, rates),
        timeout_seconds=timeout_seconds,
    )


#: Numbers of a state that its scenario fixes, by their names there.
CONSTANTS = {
    "densityGcyclesPerMbit": "densityGcyclesPerMbit",
    "slotSeconds": "slotSeconds",
    "deadlineSlots": "deadlineSlots",
    "penaltySlots": "deadlinePenaltySlots",
    "localCpuGHz": "localCpuGHz",
}


def check_records(records: Sequence[Mapping[str, Any]], info: ScenarioInfo) -> None:
    """Check that records are of a scenario: by their hashes, and by the numbers of their states that it fixes.

    Raises
    ------
    MecgymError
        ``invalidRecord``.
    """
    for i, record in enumerate(records):
        found = record.get("scenarioHash", info.hash)
        if found != info.hash:
            expected = f"{info.hash}, the content hash of scenario {info.id}; pass the scenario of the records"
            raise MecgymError("invalidRecord", path=f"states/{i}/scenarioHash", expected=expected, got=found)
        state = record.get("state")
        if not isinstance(state, Mapping):
            continue
        for name, field in CONSTANTS.items():
            if state.get(name, info.scenario[field]) != info.scenario[field]:
                expected = f"{info.scenario[field]}, as scenario {info.id} has it"
                raise MecgymError("invalidRecord", path=f"states/{i}/state/{name}", expected=expected, got=state[name])
