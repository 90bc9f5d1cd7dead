"""A Ray cluster of two nodes on this machine, each with processes, a store of objects and a core of its own."""

# ruff: noqa: D103

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["RAY_AUTH_MODE"] = "disabled"  # else Ray writes a token into the home folder
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest
import ray
from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    two = Cluster(initialize_head=True, connect=False, head_node_args={**NODE, "include_dashboard": False})
    try:
        two.add_node(**NODE)
        two.wait_for_nodes()
        ray.init(address=two.address, log_to_driver=False)
        yield two
    finally:
        ray.shutdown()
        two.shutdown()
