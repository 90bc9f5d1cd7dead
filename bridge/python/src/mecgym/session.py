"""A session: the environments a server holds for one client, and the requests that drive them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, final_expected, step_expected
from .client import DEFAULT_TIMEOUT_SECONDS, Connection
from .errors import MecgymError, malformed
from .layout import Layout
from .sequence import RequestSequence

__all__ = ["Session"]

#: Arrays of a look-ahead's reply.
LOOK_AHEAD_ARRAYS = ("latencySlots", "costSlots", "impactSlots", "reward")


class Session:
    """Environments on a server.

    Parameters
    ----------
    connection : Connection
        The way to the server.
    fields : dict
        Fields of the protocol's ``open``.
    timeout_seconds : float
        How long each request may take, in seconds.

    Attributes
    ----------
    num_envs, max_servers, max_users, observation_size, history_slots : int
        Sizes of what was opened.
    observation_header, observation_server_fields, episode_stats_fields : list of str
        Names of the numbers in observations and in the statistics of an episode.
    scenarios : list of dict
        ``{id, hash, scenario}`` of each scenario, complete.

    Raises
    ------
    MecgymError
        The server refused the fields: ``unknownScenario``, ``invalidScenario``, ``invalidOption`` and so on.
    """

    def __init__(
        self,
        connection: Connection,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._is_closed = True
        self._connection = connection
        opened = connection.request("open", fields, timeout_seconds=timeout_seconds)
        ids = (_field(opened, "session", (str, int)), _field(opened, "epoch", (str, int)))
        self._requests = RequestSequence(connection, *ids, timeout_seconds)
        self._is_same_step = fields.get("autoreset") == "same-step"
        self._is_closed = False
        self.num_envs: int = _field(opened, "numEnvs", int)
        self.max_servers: int = _field(opened, "maxServers", int)
        self.max_users: int = _field(opened, "maxUsers", int)
        self.observation_size: int = _field(opened, "observationSize", int)
        self.history_slots: int = _field(opened, "historySlots", int)
        self.observation_header: list[str] = _field(opened, "observationHeader", list)
        self.observation_server_fields: list[str] = _field(opened, "observationServerFields", list)
        self.episode_stats_fields: list[str] = _field(opened, "episodeStatsFields", list)
        self.scenarios: list[dict[str, Any]] = _field(opened, "scenarios", list)
        layouts = _field(opened, "layouts", dict)
        self._reset_request = Layout(layouts.get("resetRequest"))
        self._step_request = Layout(layouts.get("stepRequest"))
        self._step_reply = Layout(layouts.get("stepReply"))
        n = self.num_envs
        self._reset_request.check({"seeds": ("uint64", (n,)), "mask": ("uint8", (n,))})
        self._step_request.check({"actions": ("int32", (n,))})
        self._step_reply.check(step_expected(n, self.observation_size, self.max_servers))
        #: Layouts that came with the last replies; most replies bring the same again.
        self._known_layouts: dict[str, tuple[Any, Layout]] = {}

    def reset(self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.uint8] | None = None) -> Batch:
        """Start episodes.

        Parameters
        ----------
        seeds : array of uint64, shape (n,), optional
            Episode seeds; `NEXT_EPISODE` for the next one of the split, as for all lanes where left out.
        mask : array of uint8, shape (n,), optional
            1 where a lane is to be reset; all of them where left out.
        """
        self.check_open("reset")
        body = None
        if seeds is not None:
            ones = np.ones(self.num_envs, np.uint8)
            body = self._reset_request.encode({"seeds": seeds, "mask": ones if mask is None else mask})
        return self._batch(*self._requests.exchange("reset", {}, body))

    def step(self, actions: NDArray[np.int32], ahead: Mapping[str, Any] | None = None) -> Batch:
        """Carry out one decision in each lane.

        Parameters
        ----------
        actions : array of int32, shape (n,)
            The actions.
        ahead : dict, optional
            Fields of a look-ahead that is likely to be asked for next, and is sent along.
        """
        self.check_open("step")
        body = self._step_request.encode({"actions": actions})
        return self._batch(*self._requests.exchange("step", {}, body, ahead=ahead))

    def look_ahead(self, fields: Mapping[str, Any]) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions.

        Returns
        -------
        list of array of float64, shape (n, max_servers + 1)
            `LOOK_AHEAD_ARRAYS` in this order, in slots; NaN where no action exists.
        """
        self.check_open("look_ahead")
        result, body = self._requests.look_ahead(fields)
        shape = (self.num_envs, self.max_servers + 1)
        layout = self._layout("lookahead", result.get("layout"), dict.fromkeys(LOOK_AHEAD_ARRAYS, ("float64", shape)))
        arrays = layout.decode(body)
        return [arrays[name] for name in LOOK_AHEAD_ARRAYS]

    @property
    def is_unanswered(self) -> bool:
        """Whether a request was given up waiting for, so that nobody knows whether it was carried out."""
        return self._requests.is_unanswered

    def check_open(self, path: str) -> None:
        """Refuse what a closed session cannot do.

        Raises
        ------
        MecgymError
            ``closed``.
        """
        if self._is_closed:
            raise MecgymError("closed", f"`{path}` on an environment that was closed; make a new one", path=path)

    def without_reset(self, path: str) -> MecgymError:
        """Give the error of what needs an episode, where there is none.

        Raises
        ------
        MecgymError
            Where no reset would help: the session is closed or lost.
        """
        self.check_open(path)
        self._connection.check_usable()
        return MecgymError("needsReset", path=path, expected="a reset first", got="no running episode")

    def close(self) -> None:
        """End the session; does nothing the second time, and does not mind a server that is gone."""
        if not self._is_closed:
            self._is_closed = True
            self._requests.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self._requests.abandon()

    def _batch(self, result: dict[str, Any], body: bytes | None) -> Batch:
        arrays = self._step_reply.decode(body)
        num_final = result.get("numFinal", 0)
        if not num_final:
            return Batch(arrays, None, self.episode_stats_fields)
        if not isinstance(num_final, int) or not 0 < num_final <= self.num_envs:
            malformed("numFinal", f"an integer from 0 to {self.num_envs}", num_final)
        width = self.observation_size if self._is_same_step else None
        expected = final_expected(num_final, len(self.episode_stats_fields), width)
        final = self._layout("final", result.get("finalLayout"), expected).decode(body)
        lanes = final["finalLane"]
        if lanes.min() < 0 or lanes.max() >= self.num_envs:
            malformed("finalLane", f"lanes from 0 to {self.num_envs - 1}", lanes.tolist())
        return Batch(arrays, final, self.episode_stats_fields)

    def _layout(self, name: str, arrays: Any, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> Layout:
        known = self._known_layouts.get(name)
        if known is not None and known[0] == arrays:
            return known[1]
        layout = Layout(arrays)
        layout.check(expected)
        self._known_layouts[name] = (arrays, layout)
        return layout


def _field(result: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = result.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        malformed(f"open/{name}", "another type", value)
    return value
