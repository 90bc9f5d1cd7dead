"""On a cluster of two nodes: a server on each, suites as tasks with the local bytes, and PPO that learns."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray import cloudpickle
from ray.cluster_utils import Cluster
from ray.rllib.env.env_context import EnvContext
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mecgym import MecgymError, OffloadingEnv, ServerError, evaluate
from mecgym.ray import NodeServers, node_address, run_suite
from mecgym.remote.transport.command import find_command
from mecgym.rllib import make_env

ROOT = Path(__file__).parents[3]
MIXED = "paper-3-to-11-servers-v1"

# these libraries call deprecated functions of each other, and leave sockets to the collector
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{name}")
    for name in ("DeprecationWarning", "FutureWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning")
]

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # processes of the cluster cannot import a test


def play(seed: int) -> tuple[str | None, list[float]]:
    """Return this node's server, and the rewards of twenty decisions."""
    env = make_env({"scenario": "churn-v1"})
    env.reset(seed=seed)
    rewards = [env.step(int(np.flatnonzero(env.unwrapped.action_masks())[-1]))[1] for _ in range(20)]
    env.close()
    return node_address(), rewards


def local_rewards(seed: int) -> list[float]:
    env = OffloadingEnv("churn-v1")
    env.reset(seed=seed)
    rewards = [env.step(int(np.flatnonzero(env.action_masks())[-1]))[1] for _ in range(20)]
    env.close()
    return rewards


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_every_node_has_a_server_that_its_processes_share(cluster: Cluster) -> None:
    assert node_address() is None
    with NodeServers() as servers:
        assert len(servers.addresses) == 2
        assert len(set(servers.addresses.values())) == 2
        for node, address in servers.addresses.items():
            where = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
            task = ray.remote(play).options(scheduling_strategy=where)
            assert ray.get(task.remote(5)) == (address, local_rewards(5))
        pids = servers.pids()
        assert all(map(is_alive, pids))
    assert not any(map(is_alive, pids))
    assert node_address() is None
    assert ray.get(ray.remote(play).remote(6)) == (None, local_rewards(6))  # a server of the task's own


@pytest.mark.parametrize("seeds_per_task", [3, 7])
def test_suites_as_tasks_have_the_local_bytes(cluster: Cluster, tmp_path: Path, seeds_per_task: int) -> None:
    """Seven seeds in two tasks and in one, a policy that remembers and one with draws of its own among the policies."""
    names = ["oracle", "round-robin", "random"]
    found = run_suite("paper-table-2", policies=names, episodes=7, first_seed=40, seeds_per_task=seeds_per_task)
    arguments = ["--policies", ",".join(names), "--seed", "40", "--episodes", "7", "--out", str(tmp_path)]
    command = [*find_command(), "run", "paper-table-2", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603
    assert found == (tmp_path / "result.json").read_bytes()
    local = evaluate("paper-table-2", names, episodes=7, first_seed=40, show_progress=False)
    assert json.loads(found)["settings"] == local["settings"]


def test_a_task_that_cannot_play_says_why(cluster: Cluster) -> None:
    with pytest.raises(MecgymError, match="invalidOption"):
        run_suite("paper-table-2", policies=["oracle"], episodes=0, first_seed=0, seeds_per_task=2)
    with pytest.raises(ServerError, match="unknownPolicy"):
        run_suite("paper-table-2", policies=["no-such-policy"], episodes=2, first_seed=0, seeds_per_task=2)


def test_rllib_sees_observations_with_masks_and_runners_play_episodes_of_their_own() -> None:
    def episode(config: dict[str, Any], runner: int) -> tuple[dict[str, Any], int]:
        env = make_env(EnvContext(config, worker_index=runner))
        observations, infos = env.reset()
        assert env.observation_space.contains(observations)
        env.close()
        return observations, infos["episode_seed"][0]

    address = {"address": None}
    plain, seed = episode({"scenario": MIXED, "seed": 3, "num_envs": 4, **address}, 1)
    again, same_seed = episode({"scenario": MIXED, "seed": 3, "num_envs": 4, "log1p": True, **address}, 1)
    _other, other_seed = episode({"scenario": MIXED, "seed": 3, "num_envs": 4, **address}, 2)
    assert seed == same_seed != other_seed
    np.testing.assert_array_equal(np.log1p(plain["observations"]), again["observations"])
    assert plain["action_mask"].shape == (4, 12)
    env = make_env({"scenario": MIXED, **address})
    observation, info = env.reset(seed=seed)
    np.testing.assert_array_equal(observation["observations"], plain["observations"][0])
    np.testing.assert_array_equal(observation["action_mask"], info["action_mask"])
    env.close()


def test_ppo_learns_on_both_nodes(cluster: Cluster) -> None:
    """Runs of this length end at about 4 slots; chance costs 57."""
    example = str(ROOT / "docs" / "examples" / "train_rllib.py")
    command = [sys.executable, "-W", "ignore", example, "6", cluster.address]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr[-4000:]
    assert "2 nodes with a server each" in done.stdout
    costs = {name: float(cost) for name, cost in re.findall(r"slots: (\w+) ([\d.]+)", done.stdout)}
    assert costs["trained"] < costs["random"] / 4
