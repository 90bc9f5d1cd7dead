"""Session options: what every environment takes, in one place."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from ...checks import check_count, check_seed, check_timeout, random_seed
from ...data.scenarios import ScenarioInput, read_scenarios
from ..transport.connection import DEFAULT_TIMEOUT_SECONDS
from .recovery import Recovery

__all__ = ["SessionKeywords", "SessionOptions", "TextKeywords"]


class TextKeywords(TypedDict, total=False):
    """Keyword arguments of `OffloadingTextEnv`, which has no history; `SessionOptions` explains them."""

    max_servers: int | None
    split: str
    seed: int | None
    address: str | None
    keys: str | os.PathLike[str] | None
    timeout_seconds: float
    recovery: Recovery | bool | None


class SessionKeywords(TextKeywords, total=False):
    """Keyword arguments that all other environments and `Lanes` share."""

    history: bool
    facts: bool
    backend: str | None


@dataclass(frozen=True)
class SessionOptions:
    """What a session plays, and on which server.

    Parameters
    ----------
    scenario : str, path or dict, or a list of these
        Id of a scenario, a ``.json`` file with its fields, or the fields.
    history : bool
        Whether observations end with the workload history of each server.
    facts : bool
        Whether observations end with what a policy could know from memory and the scenario; only in this process.
    max_servers : int, optional
        Servers an observation has room for; by default as many as the scenario can have.
    split : {"train", "validation", "test"}
        The split that resets without a seed take their seeds from.
    seed : int, optional
        Seed of the function that picks the episodes of resets without one; random by default.
    address : str, optional
        Address of a running server; by default ``MECGYM_ADDRESS``, or else this process's own server.
    keys : str or path, optional
        Folder of the keys for that address; by default ``MECGYM_KEYS`` for ``MECGYM_ADDRESS``.
    timeout_seconds : float
        How long the server may take to answer, in seconds.
    recovery : Recovery or bool, optional
        Whether, and how, the session survives the loss of its server; by default it does if the server is this
        process's own.
    """

    scenario: ScenarioInput | Sequence[ScenarioInput] = "paper-v1"
    history: bool = False
    max_servers: int | None = None
    split: str = "train"
    seed: int | None = None
    address: str | None = None
    keys: str | os.PathLike[str] | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    recovery: Recovery | bool | None = None
    backend: str | None = None
    facts: bool = False

    def __post_init__(self) -> None:
        """Take a copy of the scenario: a map, a file or the working directory may change later."""
        object.__setattr__(self, "scenario", read_scenarios(self.scenario))

    def keywords(self) -> dict[str, Any]:
        """Return the options as keyword arguments, from which an environment can be made again."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def fields(self) -> dict[str, Any]:
        """Return the fields of the protocol's ``open``, checked.

        Raises
        ------
        MecgymError
            ``invalidScenario``, ``invalidSeed``, ``invalidOption``.
        """
        several: Sequence[Any] = self.scenario if isinstance(self.scenario, (list, tuple)) else [self.scenario]
        fields: dict[str, Any] = {
            "scenarios": [copy.deepcopy(one) for one in several],
            "history": bool(self.history),
            "split": self.split,
            "seed": random_seed() if self.seed is None else check_seed(self.seed),
        }
        if self.facts:
            fields["facts"] = True
        if self.max_servers is not None:
            fields["maxServers"] = check_count(self.max_servers, "max_servers")
        check_timeout(self.timeout_seconds)
        return fields
