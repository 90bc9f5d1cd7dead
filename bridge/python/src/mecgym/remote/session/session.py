"""Sessions: the environments that a server holds for one client, with look-aheads, snapshots, policies and words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.batch import Batch
from ...data.snapshots import Snapshots
from ..protocol.bodies import policy_expected, split_texts
from ..protocol.layout import Layout
from ..protocol.snapshots import read_snapshots, restore_body
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
        sequence = self._group(group, "look_ahead")
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
        sequence = self._group(group, "snapshot")
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
            ``invalidSnapshot``; no lane changes.
        """
        sequence = self._group(group, "restore")
        layout, body = restore_body(snapshots, lanes)
        return self._batch(sequence.exchange("restore", {"layout": layout}, body))

    def fork_lanes(self, sources: Sequence[int], targets: Sequence[int], group: int = 0) -> Batch:
        """Make the lanes `targets` copies of the lanes `sources` of the same group."""
        sequence = self._group(group, "fork_lanes")
        arrays = {name: np.asarray(lanes, dtype=np.int32) for name, lanes in (("from", sources), ("to", targets))}
        layout = Layout.of(arrays)
        return self._batch(sequence.exchange("fork", {"layout": layout.arrays}, layout.encode(arrays)))

    def fork(self) -> Session:
        """Return an independent copy of the whole session."""
        opened, _body = self._group(0, "fork").exchange("fork", {})
        child = Session.__new__(Session)
        child._is_closed = True
        child.fields = self.fields
        link = self._link
        child._start(link.endpoint, link.endpoint.take(), opened, link.timeout_seconds, link.recovery)
        for mine, its in zip(self._groups, child._groups, strict=True):
            its.log = copy.deepcopy(mine.log)
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
        result, body = self._group(group, "run_policy").exchange("policy", {"policy": policy, "steps": int(steps)})
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
        sequence = self._group(group, "prompts")
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
