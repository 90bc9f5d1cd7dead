"""Sessions: the environments that a server holds for one client, with look-aheads, snapshots, policies and words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.batch import Batch
from ...data.snapshots import Snapshots
from ..protocol.bodies import policy_expected, split_texts
from ..protocol.layout import Layout
from ..protocol.snapshots import read_snapshots, restore_bodies
from ..queries.scoring import read_answer
from .stepped import SteppedSession

__all__ = ["Session"]

#: Arrays of a look-ahead's reply.
LOOK_AHEAD_ARRAYS = ("latencySlots", "costSlots", "impactSlots", "reward")


class Session(SteppedSession):
    """A session that also looks ahead, takes snapshots, forks, runs policies, and puts decisions into words."""

    def look_ahead(
        self, fields: Mapping[str, Any], actions: NDArray[np.int32] | None = None, group: int = 0
    ) -> list[NDArray[np.float64]]:
        """Evaluate every action of the current decisions, or one of each.

        Parameters
        ----------
        fields : dict
            Options of the protocol's ``lookahead``.
        actions : array of int32, shape (n,), optional
            The action of each lane to evaluate; by default all actions.
        group : int
            Index of the group.

        Returns
        -------
        list of array of float64, shape (n, max_servers + 1), or (n,) for given actions
            `LOOK_AHEAD_ARRAYS` in this order, in slots; NaN for actions that do not exist.
        """
        with self._group(group, "look_ahead") as sequence:
            body = None if actions is None else self._step_request.encode({"actions": actions})
            width = () if actions is not None else (self.max_servers + 1,)
            pages = []
            first_lane = 0
            while first_lane < self.lanes_per_group:
                page = {**fields, "firstLane": first_lane} if first_lane else fields
                result, reply = sequence.look_ahead(page, body)
                next_lane = int(result.get("nextLane", self.lanes_per_group))
                shape = (next_lane - first_lane, *width)
                expected = dict.fromkeys(LOOK_AHEAD_ARRAYS, ("float64", shape))
                pages.append(self._layout("lookahead", result.get("layout"), expected).decode(reply))
                first_lane = next_lane
        if len(pages) == 1:
            return [pages[0][name] for name in LOOK_AHEAD_ARRAYS]
        return [np.concatenate([page[name] for page in pages]) for name in LOOK_AHEAD_ARRAYS]

    @property
    def direct(self) -> None:
        """A server is far away, whatever is between it and the caller."""

    def snapshot(self, mask: NDArray[np.uint8] | None = None, group: int = 0) -> Snapshots:
        """Return the whole state of lanes, bit for bit; nothing changes.

        Parameters
        ----------
        mask : array of uint8, shape (n,), optional
            1 for lanes that are wanted; by default all.
        group : int
            Index of the group.

        Raises
        ------
        MecgymError
            ``needsReset`` if a lane was never reset.
        """
        with self._group(group, "snapshot") as sequence:
            body = None if mask is None else Layout.of({"mask": mask}).encode({"mask": mask})
            pages = []
            first_lane = 0
            while first_lane < self.lanes_per_group:
                fields = {"firstLane": first_lane} if first_lane else {}
                result, reply = sequence.exchange("snapshot", fields, body)
                pages.append(read_snapshots(result, reply))
                first_lane = int(result.get("nextLane", self.lanes_per_group))
        return Snapshots.join(pages)

    def restore(self, snapshots: Snapshots, lanes: Sequence[int] | None = None, group: int = 0) -> Batch:
        """Put lanes into the states of snapshots of these lanes, or of others of the same scenario.

        Parameters
        ----------
        snapshots : Snapshots
            What `snapshot` gave.
        lanes : sequence of int, optional
            The lanes to restore, one for each snapshot; by default those they were taken from.
        group : int
            Index of the group.

        Raises
        ------
        MecgymError
            ``invalidSnapshot``; no lane changes. Snapshots that are together longer than a request may be go in
            several, and then the lanes of those before the refused one have changed.
        """
        with self._group(group, "restore") as sequence:
            for layout, body in restore_bodies(snapshots, self._link.connection.max_body_bytes, lanes):
                answer = sequence.exchange("restore", {"layout": layout}, body)
            return self._batch(answer)

    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int], group: int = 0) -> Batch:
        """Make the lanes `targets` copies of the lanes `sources` of the same group."""
        arrays = {name: np.asarray(lanes, dtype=np.int32) for name, lanes in (("from", sources), ("to", targets))}
        layout = Layout.of(arrays)
        with self._group(group, "fork_lanes") as sequence:
            return self._batch(sequence.exchange("fork", {"layout": layout.arrays}, layout.encode(arrays)))

    def fork(self) -> Session:
        """Return an independent copy of the whole session."""
        with ExitStack() as taken:
            groups = [taken.enter_context(self._group(group, "fork")) for group in range(self.num_groups)]
            opened, _body = groups[0].exchange("fork", {})
            logs = [copy.deepcopy(group.log) for group in groups]
        child = Session.__new__(Session)
        child._is_closed = True
        child.fields = self.fields
        link = self._link
        child._start(link.endpoint, link.endpoint.take(), opened, link.timeout_seconds, link.recovery)
        for log, its in zip(logs, child._groups, strict=True):
            its.log = log
        return child

    def has_policy(self, _policy: str) -> bool:
        """Return True: whether there is such a policy, the server says."""
        return True

    def run_policy(self, policy: str, steps: int, group: int = 0) -> tuple[Batch, NDArray[Any]]:
        """Let the server play one of its own policies.

        Parameters
        ----------
        policy : str
            Name of a native policy.
        steps : int
            Decisions of each lane.
        group : int
            Index of the group.

        Returns
        -------
        batch : Batch
            The result of the last step.
        sums : structured array
            ``costSumSlots`` float64 (n,), ``decisions`` and ``invalidActions`` int32 (n,); of each of the k episodes
            that ended ``finalStep``, ``finalLane`` int32 (k,), ``finalStats`` float64, ``finalSlot`` int32 (k,).
        """
        with self._group(group, "run_policy") as sequence:
            result, body = sequence.exchange("policy", {"policy": policy, "steps": int(steps)})
        arrays = self._step_reply.decode(body)
        layout = self._layout("policy", result.get("policyLayout"), policy_expected(self.lanes_per_group))
        return Batch(arrays, None, self.episode_stats_fields), layout.decode(body)

    def read_answer(self, text: str, num_servers: int) -> tuple[int | None, str]:
        """Read a model's answer to a decision among `num_servers` servers; see `mecgym.remote.queries.scoring`."""
        self.check_open("step")
        link = self._link
        return read_answer(link.endpoint, text, num_servers, self.fields["scenarios"][0], link.timeout_seconds)

    def prompts(
        self, fields: Mapping[str, Any], mask: NDArray[np.uint8] | None = None, group: int = 0
    ) -> tuple[list[int], list[str], str | None]:
        """Return the current decisions of lanes in words.

        Parameters
        ----------
        fields : dict
            Options of the protocol's ``prompt``.
        mask : array of uint8, shape (n,), optional
            1 for lanes that are wanted; by default all.
        group : int
            Index of the group.

        Returns
        -------
        lanes : list of int
        prompts : list of str
        system : str or None
            The system message for all of them, if one was asked for.
        """
        with self._group(group, "prompts") as sequence:
            body = None if mask is None else Layout.of({"mask": mask}).encode({"mask": mask})
            lanes: list[int] = []
            texts: list[str] = []
            system = None
            first_lane = 0
            while first_lane < self.lanes_per_group:
                page = {**fields, "firstLane": first_lane} if first_lane else fields
                result, reply = sequence.exchange("prompt", page, body)
                arrays = Layout(result.get("layout")).decode(reply)
                lanes += arrays["lane"].tolist()
                texts += split_texts(arrays["promptOffsets"], arrays["promptBytes"])
                system = result.get("system")
                first_lane = int(result.get("nextLane", self.lanes_per_group))
        return lanes, texts, system
