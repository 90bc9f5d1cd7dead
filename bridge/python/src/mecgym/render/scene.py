"""Scenes: what a picture of a lane shows, from its task and device to the servers' queues and the last decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..data.batch import FLAG_LATE, FLAG_TRUNCATED

if TYPE_CHECKING:
    from ..backend import Backend
    from ..data.batch import Batch

__all__ = ["LastDecision", "Scene", "ServerView", "scene_of"]


@dataclass(frozen=True)
class ServerView:
    """A server: uplink rate Mbit/s, clock GHz, tasks in its queue and their work Mbit, and whether it is available."""

    rate_mbps: float
    cpu_ghz: float
    active_tasks: int
    workload_mbit: float
    is_available: bool


@dataclass(frozen=True)
class LastDecision:
    """The previous decision: its action, its cost, and whether its task is late."""

    action: int
    latency_slots: float
    cost_slots: float
    is_late: bool
    is_final: bool


@dataclass(frozen=True)
class Scene:
    """A decision of a lane, in the units of the names; `last` is None if there is none, or it is not known."""

    scenario: str
    episode_seed: int
    episode_slots: int
    slot: int
    decision: int
    user: int
    size_mbit: float
    deadline_slots: float
    local_cpu_ghz: float
    local_wait_slots: float
    servers: list[ServerView]
    last: LastDecision | None


def scene_of(session: Backend, batch: Batch, lane: int = 0) -> Scene:
    """Return a lane's scene from the last batch.

    Parameters
    ----------
    session : Backend
        Names and sizes of the observation, and the scenario.
    batch : Batch
        The last batch.
    lane : int
        Which lane.
    """
    arrays = batch.arrays
    row = arrays["observation"][lane].tolist()
    names, fields = session.observation_header, session.observation_server_fields
    task = dict(zip(names, row, strict=False))
    servers = []
    for e in range(int(arrays["numServers"][lane])):
        start = len(names) + e * len(fields)
        values = dict(zip(fields, row[start : start + len(fields)], strict=False))
        servers.append(
            ServerView(
                values.get("rateMbps", 0.0),
                values.get("cpuGHz", 0.0),
                round(values.get("activeTasks", 0)),
                values.get("workloadMbit", 0.0),
                bool(arrays["actionMask"][lane, e + 1]),
            )
        )
    decision = int(arrays["decisionIndex"][lane])
    scenario = session.scenarios[0]
    return Scene(
        scenario=str(scenario["id"]),
        episode_seed=int(arrays["episodeSeed"][lane]),
        episode_slots=int(scenario["scenario"]["episodeSlots"]),
        slot=int(arrays["slot"][lane]),
        decision=decision,
        user=round(task.get("userIndex", 0)),
        size_mbit=task.get("sizeMbit", 0.0),
        deadline_slots=task.get("deadlineSlots", 0.0),
        local_cpu_ghz=task.get("localCpuGHz", 0.0),
        local_wait_slots=task.get("localWaitSlots", 0.0),
        servers=servers,
        # every task takes time; without any, the state was restored, and what led to it is not known
        last=_last_of(batch, lane) if decision > 0 and arrays["latencySlots"][lane] > 0 else None,
    )


def _last_of(batch: Batch, lane: int) -> LastDecision:
    arrays = batch.arrays
    flags = int(arrays["flags"][lane])
    return LastDecision(
        action=int(arrays["executedAction"][lane]),
        latency_slots=float(arrays["latencySlots"][lane]),
        cost_slots=float(arrays["costSlots"][lane]),
        is_late=flags & FLAG_LATE != 0,
        is_final=flags & FLAG_TRUNCATED != 0,
    )
