"""Ray clusters: a server on every node, and suites as tasks; needs ``pip install 'mecgym[ray]'``."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..checks import check_count, check_seed
from ..errors import ServerError
from ..remote.transport.command import find_command
from ..remote.transport.server import LocalServer

__all__ = ["NodeServers", "node_address", "run_suite"]

NAMESPACE = "mecgym"


class _NodeServer:
    """An actor that owns a server on its node; the server ends with the actor's process."""

    def __init__(self) -> None:
        self._server = LocalServer()

    def address(self) -> str:
        return self._server.address

    def pid(self) -> int:
        return self._server.pid

    def close(self) -> None:
        self._server.close()


class NodeServers:
    """One server on every node of the cluster, shared by all environments of the node's processes.

    Environments reach theirs with `node_address`, through the node's own file system, so nothing listens to the
    network. The servers end with this object, when it is closed, and with the job.

    Attributes
    ----------
    addresses : dict of str to str
        Address of the server of each node, by the node's id.
    """

    def __init__(self) -> None:
        self._actors: dict[str, Any] = {}
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        for node in nodes:
            where = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
            options = {"name": _name(node), "namespace": NAMESPACE, "num_cpus": 0, "scheduling_strategy": where}
            self._actors[node] = ray.remote(_NodeServer).options(**options).remote()
        self.addresses: dict[str, str] = dict(
            zip(nodes, ray.get([self._actors[node].address.remote() for node in nodes]), strict=True)
        )

    def __enter__(self) -> NodeServers:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def pids(self) -> list[int]:
        """Return the process ids of the servers, in the order of `addresses`."""
        pids: list[int] = ray.get([actor.pid.remote() for actor in self._actors.values()])
        return pids

    def close(self) -> None:
        """End the servers; may be called again."""
        actors, self._actors = list(self._actors.values()), {}
        for done in [actor.close.remote() for actor in actors]:
            ray.get(done)
        for actor in actors:
            ray.kill(actor)


def node_address() -> str | None:
    """Return the address of this node's server, for ``address=`` of an environment; None if it has none.

    With None, an environment starts a server for its own process, so the same code runs without `NodeServers`.
    """
    try:
        actor = ray.get_actor(_name(ray.get_runtime_context().get_node_id()), namespace=NAMESPACE)
    except ValueError:
        return None
    address: str = ray.get(actor.address.remote())
    return address


def run_suite(
    suite: str, *, policies: Sequence[str], episodes: int, first_seed: int, seeds_per_task: int, **options: Any
) -> bytes:
    """Play a suite with native policies, some of its seeds in each Ray task, and join the parts.

    Parameters
    ----------
    suite : str
        Id of a suite.
    policies : sequence of str
        Names of native policies.
    episodes : int
        Episodes, or states of the static protocol, in all.
    first_seed : int
        Seed of the first one.
    seeds_per_task : int
        Seeds of each task; at least 2, and the last task gets the rest.
    **options
        Options of a Ray task, such as ``num_cpus`` or ``scheduling_strategy``. A task takes one core.

    Returns
    -------
    bytes
        The result file that ``mecgym run SUITE --seed S --episodes N`` writes on this machine, whatever the number of
        tasks: their decisions are replayed here.

    Raises
    ------
    MecgymError
        ``invalidOption``, ``invalidSeed``, before anything is played.
    ServerError
        ``runFailed``: a task could not play, or a part cannot be replayed here; the message is the command's own.
    """
    episodes, seeds_per_task = check_count(episodes, "episodes"), check_count(seeds_per_task, "seeds_per_task")
    check_seed(first_seed, "first_seed")
    starts = list(range(0, episodes, seeds_per_task))
    if len(starts) > 1 and episodes - starts[-1] == 1:
        starts.pop()  # figures need two seeds, so the last task takes one more
    ends = [*starts[1:], episodes]
    task = ray.remote(_run).options(**{"num_cpus": 1, **options})
    parts: list[bytes] = ray.get(
        [
            task.remote(suite, list(policies), end - start, first_seed + start)
            for start, end in zip(starts, ends, strict=True)
        ]
    )
    return parts[0] if len(parts) == 1 else _run(suite, list(policies), episodes, first_seed, parts)


def _run(suite: str, policies: list[str], episodes: int, first_seed: int, parts: Sequence[bytes] = ()) -> bytes:
    """Play in a separate process, or replay parts, and return the result file."""
    with tempfile.TemporaryDirectory(prefix="mecgym-") as folder:
        arguments = ["run", suite, "--policies", ",".join(policies), "--episodes", str(episodes)]
        arguments += ["--seed", str(first_seed), "--workers", "1", "--out", folder]
        for i, part in enumerate(parts):
            Path(folder, f"part-{i}.json").write_bytes(part)
        if parts:
            arguments += ["--parts", *(str(Path(folder, f"part-{i}.json")) for i in range(len(parts)))]
        command = [*find_command(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603
        if done.returncode != 0:
            raise ServerError("runFailed", path=suite, expected="a result", got=done.stderr.strip()[-2000:])
        return Path(folder, "result.json").read_bytes()


def _name(node: str) -> str:
    return f"mecgym-server-{node}"
