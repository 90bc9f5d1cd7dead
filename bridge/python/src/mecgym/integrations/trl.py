"""TRL: rewards, data, and an environment with several turns for GRPOTrainer; ``pip install 'mecgym[trl]'``.

The server reads what a model wrote and computes every figure; there is no parser and no arithmetic of the model here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bench import datasets
from ..bench.score import check_records, score
from ..catalogue import describe
from ..checks import check_count, check_seed, check_timeout
from ..data.look_ahead import look_ahead_fields
from ..data.plain import without_nulls
from ..data.scenarios import ScenarioInfo, Scenarios
from ..data.scores import Scores
from ..engine.scenario import frozen_ids
from ..errors import MecgymError, ServerError, ServerNotFound
from ..remote.transport.command import ADDRESS_VARIABLE
from ..remote.transport.connection import DEFAULT_TIMEOUT_SECONDS
from .turns import OffloadingTurns, environment_factory

__all__ = [
    "FormatReward",
    "LacsReward",
    "LatencyReward",
    "OffloadingTurns",
    "environment_factory",
    "make_dataset",
    "paper_config",
]

logger = logging.getLogger(__name__)


class _ScoredReward:
    """A reward function for TRL that asks the server about a whole batch at once.

    It uses the columns of a data set of ``mecgym dataset``: `state`, `episodeSeed` and `scenarioId`. All members of a
    group are about one state and face the same futures. An object can be pickled; it connects when it is first called
    in a process. Rewards that are called with the same batch and options share one request.

    Parameters
    ----------
    scenario : str, path or dict, or a list of these, optional
        The scenario of all states, by id, file or fields; of several, each record's `scenarioHash` tells which. By
        default each record's `scenarioId` names a frozen one.
    num_samples, weight, size_factor, mode, rates
        As in `OffloadingEnv.look_ahead`; by default the scenario's.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else each process's own server, which is
        started again if it dies.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.
    timeout_seconds : float
        How long the server may take, in seconds.
    max_failures : int
        How many batches in a row may get no rewards because the server cannot be asked; the last of them raises.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``invalidOption``.
    """

    def __init__(
        self,
        scenario: Scenarios | None = None,
        *,
        num_samples: int | None = None,
        weight: float | None = None,
        size_factor: tuple[float, float] | None = None,
        mode: str | None = None,
        rates: str | None = None,
        address: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_failures: int = 3,
    ) -> None:
        look_ahead_fields(num_samples, weight, size_factor, mode, rates)
        given: list[Any] = (
            [] if scenario is None else list(scenario) if isinstance(scenario, (list, tuple)) else [scenario]
        )
        self._scenarios = [describe(one, address, keys) for one in given if one is not None]
        look_ahead = {
            "num_samples": num_samples,
            "weight": weight,
            "size_factor": size_factor,
            "mode": mode,
            "rates": rates,
        }
        self._options: dict[str, Any] = {
            **look_ahead,
            "address": address,
            "keys": keys,
            "timeout_seconds": check_timeout(timeout_seconds),
        }
        self._max_failures = check_count(max_failures, "max_failures")
        self._failures = 0
        #: The name in TRL's logs: two rewards of one class with other options have two lines.
        self.__name__ = type(self).__name__ + _label(self._scenarios, look_ahead)

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Return the reward of each completion; None for all if the server could not be asked.

        Parameters
        ----------
        prompts : sequence
            Not used; the record's state says more.
        completions : sequence of str, or of lists of messages
            What the model wrote.
        **columns
            Columns of the data, a list or an array each, and what TRL adds; ``log_metric`` gets the batch's means.

        Raises
        ------
        MecgymError
            ``invalidRecord`` if the columns are not those of a data set of mecgym, or of another scenario;
            ``unknownScenario``; ``serverNotFound``.
        ServerError
            The server could not be asked, `max_failures` times in a row.
        """
        texts = [_text_of(completion, f"completions/{i}") for i, completion in enumerate(completions)]
        if not texts:
            return []
        records = self._records_of(columns, len(texts))
        try:
            scores = _score_batch(records, texts, self._options)
        except ServerError as error:
            # a server at an address may come back; without an address there is none to start
            if isinstance(error, ServerNotFound) and not _has_address(self._options):
                raise
            self._failures += 1
            if self._failures >= self._max_failures:
                raise
            logger.warning("%s: no rewards for this batch: %s", self.__name__, error)
            return [None] * len(texts)
        self._failures = 0
        log_metric = columns.get("log_metric")
        if log_metric is not None:
            label = self.__name__.removeprefix(type(self).__name__)
            for name, value in _means_of(scores).items():
                log_metric(f"mecgym{label}/{name}", value)
        rewards: list[float | None] = self._rewards(scores).tolist()
        return rewards

    def _records_of(self, columns: Mapping[str, Any], count: int) -> list[_Record]:
        """Return the record of each completion, and the scenario that scores it."""
        seeds, states = (_column(columns, name, count) for name in ("episodeSeed", "state"))
        ids = _column(columns, "scenarioId", count) if not self._scenarios else [None] * count
        hashes = _column(columns, "scenarioHash", count) if columns.get("scenarioHash") is not None else [None] * count
        records: list[_Record] = []
        for i, (seed, state, name, content) in enumerate(zip(seeds, states, ids, hashes, strict=True)):
            info = self._scenario_of(i, name, content)
            if not isinstance(state, Mapping):
                raise MecgymError("invalidRecord", path=f"state/{i}", expected="a record's state, a map", got=state)
            record = without_nulls({"episodeSeed": seed, "state": state, "scenarioHash": content})
            check_records([record], info)
            records.append(_Record(int(check_seed(seed, f"episodeSeed/{i}")), record["state"], info))
        return records

    def _scenario_of(self, i: int, name: Any, content: Any) -> ScenarioInfo:
        if not self._scenarios:
            if not isinstance(name, str):
                expected = "the id of the record's scenario; or give the reward a scenario, for all records"
                raise MecgymError("invalidRecord", path=f"scenarioId/{i}", expected=expected, got=name)
            return _describe_id(name, self._options["address"], self._options["keys"])
        if len(self._scenarios) == 1:
            return self._scenarios[0]
        for info in self._scenarios:
            if info.hash == content:
                return info
        expected = f"the hash of one of the reward's scenarios, {', '.join(info.id for info in self._scenarios)}"
        raise MecgymError("invalidRecord", path=f"scenarioHash/{i}", expected=expected, got=content)

    def _rewards(self, scores: Scores) -> NDArray[np.float64]:
        raise NotImplementedError


class LacsReward(_ScoredReward):
    """−(J + λ·C_impact), slots: what a decision costs, and what it costs the tasks that may follow (eq. 26).

    A decision that cannot be read, or is not available, costs as much as the costliest available action.
    """

    def _rewards(self, scores: Scores) -> NDArray[np.float64]:
        return scores.reward


class LatencyReward(_ScoredReward):
    """−J, slots: what a decision costs by itself, including the penalty of a late task (eq. 14)."""

    def _rewards(self, scores: Scores) -> NDArray[np.float64]:
        return -scores.cost_slots


class FormatReward(_ScoredReward):
    """1 if an available decision can be read, else 0."""

    def _rewards(self, scores: Scores) -> NDArray[np.float64]:
        is_right = (scores.parse_failure == 0) & (scores.is_invalid == 0)
        return np.asarray(is_right, np.float64)


def paper_config(**overrides: Any) -> Any:
    """Return TRL's ``GRPOConfig`` as in the paper: 8 answers a prompt, β 0.005, learning rate 5e-6, loss grpo.

    Parameters
    ----------
    **overrides
        Further arguments, or other values for these.
    """
    from trl import GRPOConfig

    settings = {"num_generations": 8, "beta": 0.005, "learning_rate": 5e-6, "loss_type": "grpo"}
    return GRPOConfig(**{**settings, **overrides})


def make_dataset(kind: str, **options: Any) -> Any:
    """Return the data that ``mecgym dataset KIND`` writes, as a ``datasets.Dataset``.

    Parameters
    ----------
    kind : {"sft", "grpo", "test"}
        ``sft`` has prompts and decisions, ``grpo`` prompts with what the rewards need, ``test`` held-out states.
    **options
        Arguments of `mecgym.make_dataset`: ``count=2000``, ``scenario="paper-v1"``, ``template="en-compact-v1"``,
        ``form="chat"``, ``system=True`` and so on.

    Raises
    ------
    MecgymError
        As in `mecgym.make_dataset`.
    """
    from datasets import Dataset

    return Dataset.from_list(datasets.make_dataset(kind, **options))


class _Record(NamedTuple):
    """What a completion is about."""

    seed: int
    state: Mapping[str, Any]
    scenario: ScenarioInfo


#: Longer answers are not sent: the server reads none of more than 1 MiB, and this one has no decision.
MAX_ANSWER_BYTES = 1_048_576
UNREADABLE = "(too long)"


@lru_cache(maxsize=256)
def _describe_id(name: str, address: str | None, keys: Any) -> ScenarioInfo:
    return describe(name, address, keys)


def _label(scenarios: Sequence[ScenarioInfo], look_ahead: Mapping[str, Any]) -> str:
    """Return what tells a reward from another of its class; empty for one without options."""
    parts = [f"scenario={'+'.join(f'{info.id}@{info.hash[:8]}' for info in scenarios)}"] if scenarios else []
    parts += [f"{name}={value}" for name, value in look_ahead.items() if value is not None]
    return f"({', '.join(parts)})" if parts else ""


def _column(columns: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """Return a column of the data, as a list or an array of any kind holds it.

    Raises
    ------
    MecgymError
        ``invalidRecord``.
    """
    column = columns.get(name)
    values = None if column is None else list(column)
    if values is not None and len(values) == count:
        return values
    expected = (
        "this column of a data set of `mecgym dataset`, one entry for each completion; "
        "training arguments with remove_unused_columns=True take it away"
    )
    got = None if values is None else f"{len(values)} entries for {count} completions"
    raise MecgymError("invalidRecord", path=name, expected=expected, got=got)


def _text_of(completion: Any, path: str) -> str:
    """Return what a model wrote: a text, or the contents of its messages.

    Raises
    ------
    MecgymError
        ``invalidRecord`` for anything else.
    """
    if isinstance(completion, str):
        text = completion
    elif isinstance(completion, (list, tuple)) and all(isinstance(message, Mapping) for message in completion):
        text = "".join(_content_of(message) for message in completion if message.get("role") != "tool")
    else:
        raise MecgymError("invalidRecord", path=path, expected="a text or a list of messages", got=completion)
    return UNREADABLE if len(text.encode("utf-8", "surrogatepass")) > MAX_ANSWER_BYTES else text


def _content_of(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content)


#: The last batch and its scores, because several rewards of a training see the same batch.
_last: tuple[Any, Scores] | None = None


def _score_batch(records: list[_Record], texts: list[str], options: dict[str, Any]) -> Scores:
    """Score completions: equal ones once, and those of each scenario in one request."""
    global _last
    keys = [
        (record.scenario.hash, record.seed, repr(record.state), text)
        for record, text in zip(records, texts, strict=True)
    ]
    batch = (keys, options)
    if _last is not None and _last[0] == batch:
        return _last[1]
    scores = _score_different(records, keys, options)
    _last = (batch, scores)
    return scores


def _score_different(records: list[_Record], keys: list[tuple[Any, ...]], options: dict[str, Any]) -> Scores:
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    by_scenario: dict[str, dict[tuple[Any, ...], int]] = {}
    for i, key in enumerate(keys):
        by_scenario.setdefault(key[0], {}).setdefault(key, i)
    for group in by_scenario.values():
        states: dict[tuple[Any, ...], int] = {}
        for key in group:
            states.setdefault(key[:-1], len(states))
        first = {key[:-1]: records[i] for key, i in reversed(group.items())}
        asked = score(
            [{"episodeSeed": first[key].seed, "state": first[key].state} for key in states],
            [key[-1] for key in group],
            state_of_answer=[states[key[:-1]] for key in group],
            scenario=_given(records[next(iter(group.values()))].scenario),
            **options,
        )
        rows = zip(*(getattr(asked, name).tolist() for name in _FIELDS), strict=True)
        found.update(zip(group, rows, strict=True))
    columns = zip(*(found[key] for key in keys), strict=True)
    return Scores(**{name: np.asarray(column) for name, column in zip(_FIELDS, columns, strict=True)})


def _given(info: ScenarioInfo) -> str | dict[str, Any]:
    """Return a scenario as a request has it: a frozen one by its id."""
    return info.id if info.id in frozen_ids() and describe(info.id).hash == info.hash else info.scenario


_FIELDS = tuple(Scores.__dataclass_fields__)


def _means_of(scores: Scores) -> dict[str, float]:
    """Return means over a batch, for logs."""
    means = {
        "cost_slots": scores.cost_slots,
        "latency_slots": scores.latency_slots,
        "impact_slots": scores.impact_slots,
        "regret_slots": scores.cost_slots - scores.cheapest_cost_slots,
        "parse_failures": scores.parse_failure > 0,
        "unavailable_actions": scores.is_invalid > 0,
    }
    return {name: float(np.asarray(values, np.float64).mean()) for name, values in means.items()}


def _has_address(options: Mapping[str, Any]) -> bool:
    return bool(options.get("address") or os.environ.get(ADDRESS_VARIABLE))
