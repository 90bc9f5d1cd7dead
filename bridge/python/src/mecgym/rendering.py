"""A small picture of a decision as text: the task, the device, and each server with its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .batch import FLAG_LATE

if TYPE_CHECKING:
    from .batch import Batch
    from .session import Session

__all__ = ["render_text"]

BAR_WIDTH = 20
#: Work in Mbit that fills a bar.
FULL_BAR_MBIT = 20.0


def render_text(session: Session, batch: Batch, lane: int = 0) -> str:
    """Draw a lane's current decision and its last one.

    Parameters
    ----------
    session : Session
        Names and sizes of the observation.
    batch : Batch
        The last reply.
    lane : int
        Which lane.
    """
    arrays = batch.arrays
    row = arrays["observation"][lane]
    names = session.observation_header
    task = dict(zip(names, row.tolist(), strict=False))
    num_servers = int(arrays["numServers"][lane])
    width = len(session.observation_server_fields)
    decision = int(arrays["decisionIndex"][lane])
    executed = int(arrays["executedAction"][lane]) if decision > 0 else None

    lines = [
        f"episode {arrays['episodeSeed'][lane]}, slot {arrays['slot'][lane]}, decision {decision}: "
        f"task of {task.get('sizeMbit', 0):.2f} Mbit from user {task.get('userIndex', 0):.0f}, "
        f"deadline {task.get('deadlineSlots', 0):g} slots",
        f"{'>' if executed == 0 else ' '} 0 local    {task.get('localCpuGHz', 0):6.1f} GHz  "
        f"waits {task.get('localWaitSlots', 0):.2f} slots",
    ]
    for e in range(num_servers):
        start = len(names) + e * width
        server = dict(zip(session.observation_server_fields, row[start : start + width].tolist(), strict=False))
        if not arrays["actionMask"][lane, e + 1]:
            lines.append(f"{'>' if executed == e + 1 else ' '} {e + 1} server   absent")
            continue
        workload = server.get("workloadMbit", 0)
        bar = "#" * min(round(workload / FULL_BAR_MBIT * BAR_WIDTH), BAR_WIDTH)
        lines.append(
            f"{'>' if executed == e + 1 else ' '} {e + 1} server   {server.get('cpuGHz', 0):6.1f} GHz  "
            f"{server.get('rateMbps', 0):6.2f} Mbit/s  {server.get('activeTasks', 0):3.0f} tasks "
            f"|{bar:<{BAR_WIDTH}}| {workload:.2f} Mbit"
        )
    if executed is not None:
        late = ", late" if int(arrays["flags"][lane]) & FLAG_LATE else ""
        lines.append(
            f"last: action {executed}, latency {arrays['latencySlots'][lane]:.2f} slots, "
            f"cost {arrays['costSlots'][lane]:.2f}{late}"
        )
    return "\n".join(lines)
