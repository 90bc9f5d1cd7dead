"""TRL: rewards, data, and an environment with several turns for GRPOTrainer; ``pip install 'mecgym[trl]'``.

The server reads what a model wrote and computes every figure; there is no parser and no arithmetic of the model here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bench import datasets
from ..bench.score import score
from ..checks import check_timeout
from ..data.look_ahead import look_ahead_fields
from ..data.scenarios import ScenarioInput
from ..data.scores import Scores
from ..errors import MecgymError, ServerError, ServerNotFound
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
    scenario : str, path or dict, optional
        The scenario of all states; by default that of each record.
    num_samples, weight, size_factor, mode, rates
        As in `OffloadingEnv.look_ahead`; by default the scenario's.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else each process's own server, which is
        started again if it dies.
    keys : str or path, optional
        Folder of the keys for that address, if its server needs keys.
    timeout_seconds : float
        How long the server may take, in seconds.
    """

    def __init__(
        self,
        scenario: ScenarioInput | None = None,
        *,
        num_samples: int | None = None,
        weight: float | None = None,
        size_factor: tuple[float, float] | None = None,
        mode: str | None = None,
        rates: str | None = None,
        address: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        look_ahead_fields(num_samples, weight, size_factor, mode, rates)
        self._scenario = scenario
        self._options = {
            "num_samples": num_samples,
            "weight": weight,
            "size_factor": size_factor,
            "mode": mode,
            "rates": rates,
            "address": address,
            "keys": keys,
            "timeout_seconds": check_timeout(timeout_seconds),
        }
        self.__name__ = type(self).__name__  # the name in TRL's logs

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Return the reward of each completion; None for all if the server could not be asked.

        Parameters
        ----------
        prompts : sequence
            Not used; the record's state says more.
        completions : sequence of str, or of lists of messages
            What the model wrote.
        **columns
            Columns of the data, a list each, and what TRL adds; ``log_metric`` gets the batch's means.

        Raises
        ------
        MecgymError
            ``invalidRecord`` if the columns are not those of a data set of mecgym; ``serverNotFound``.
        """
        texts = [_text_of(completion) for completion in completions]
        for name in ("state", "episodeSeed"):
            if len(columns.get(name) or ()) != len(texts):
                raise MecgymError(
                    "invalidRecord",
                    path=name,
                    expected="this column of a data set of `mecgym dataset`, one entry for each completion",
                    got=columns.get(name),
                )
        scenarios = [self._scenario] * len(texts) if self._scenario is not None else columns.get("scenarioId")
        records = list(
            zip(columns["episodeSeed"], columns["state"], scenarios or ["paper-v1"] * len(texts), strict=True)
        )
        try:
            scores = _score_batch(records, texts, self._options)
        except ServerNotFound:
            raise
        except ServerError as error:
            logger.warning("%s: no rewards for this batch: %s", self.__name__, error)
            return [None] * len(texts)
        log_metric = columns.get("log_metric")
        if log_metric is not None:
            for name, value in _means_of(scores).items():
                log_metric(f"mecgym/{name}", value)
        rewards: list[float | None] = self._rewards(scores).tolist()
        return rewards

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


def _text_of(completion: Any) -> str:
    """Return what a model wrote: a text, or the contents of its messages."""
    if isinstance(completion, str):
        return completion
    return "".join(_content_of(message) for message in completion if message.get("role") != "tool")


def _content_of(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


#: The last batch and its scores, because several rewards of a training see the same batch.
_last: tuple[Any, Scores] | None = None


def _score_batch(records: list[tuple[Any, Any, Any]], texts: list[str], options: dict[str, Any]) -> Scores:
    """Score completions: equal ones once, and those of each scenario in one request."""
    global _last
    keys = [
        (repr(scenario), int(seed), int(state["decisionIndex"]), repr(state), text)
        for (seed, state, scenario), text in zip(records, texts, strict=True)
    ]
    batch = (keys, options)
    if _last is not None and _last[0] == batch:
        return _last[1]
    scores = _score_different(records, texts, keys, options)
    _last = (batch, scores)
    return scores


def _score_different(
    records: list[tuple[Any, Any, Any]], texts: list[str], keys: list[tuple[Any, ...]], options: dict[str, Any]
) -> Scores:
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    by_scenario: dict[str, dict[tuple[Any, ...], int]] = {}
    for i, key in enumerate(keys):
        by_scenario.setdefault(key[0], {}).setdefault(key, i)
    for group in by_scenario.values():
        states: dict[tuple[Any, ...], int] = {}
        for key in group:
            states.setdefault(key[:-1], len(states))
        first = {key[:-1]: i for key, i in reversed(group.items())}
        asked = score(
            [{"episodeSeed": records[first[key]][0], "state": records[first[key]][1]} for key in states],
            [key[-1] for key in group],
            state_of_answer=[states[key[:-1]] for key in group],
            scenario=records[next(iter(group.values()))][2],
            **options,
        )
        rows = zip(*(getattr(asked, name).tolist() for name in _FIELDS), strict=True)
        found.update(zip(group, rows, strict=True))
    columns = zip(*(found[key] for key in keys), strict=True)
    return Scores(**{name: np.asarray(column) for name, column in zip(_FIELDS, columns, strict=True)})


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
