"""A client written from the protocol's page only: its trajectories are the golden ones, to the last bit."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mecgym import LocalServer

ROOT = Path(__file__).resolve().parents[4]
CLIENT = ROOT / "docs" / "examples" / "raw_client.py"
GOLDEN: list[dict[str, Any]] = json.loads((ROOT / "test" / "golden" / "trajectories.json").read_text(encoding="utf-8"))
NAMES = ["paper/cheapest", "random-size/cycle", "churn/cheapest", "overload/cycle"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # -I: no package of this checkout is found by chance
    return subprocess.run([sys.executable, "-I", str(CLIENT), *arguments], capture_output=True, text=True, timeout=25)


@pytest.mark.parametrize("name", NAMES)
def test_golden_trajectories(name: str, own_server: LocalServer) -> None:
    golden = next(one for one in GOLDEN if one["name"] == name)
    scenario = golden["scenario"] if isinstance(golden["scenario"], str) else json.dumps(golden["scenario"])
    seeds = [str(seed) for seed in golden["seeds"]]
    done = run(own_server.address, "--scenario", scenario, "--rule", golden["rule"], "--seeds", *seeds)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"digest": golden["digest"], "numSteps": golden["numSteps"]}


def test_refusals_come_through(own_server: LocalServer) -> None:
    done = run(own_server.address, "--scenario", "nowhere")
    assert done.returncode == 1
    assert "unknownScenario" in done.stderr


def test_it_needs_nothing_of_the_package() -> None:
    text = CLIENT.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
    tree = ast.parse(text)
    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    parts = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    standard = {"argparse", "hashlib", "json", "secrets", "struct", "typing", "__future__"}
    assert plain | parts == standard | {"msgpack", "zmq"}
