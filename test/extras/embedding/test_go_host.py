"""The host in Go of docs/examples/embedding-go plays the golden trajectories with the digests of the file."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "embedding-go"
CORE = ROOT / "env" / "core" / "generated" / "core.wasm"
SCENARIO = ROOT / "env" / "scenario" / "frozen" / "paper-v1.json"
TRAJECTORIES = ROOT / "test" / "golden" / "trajectories.json"

#: The Go that the machine has, and no C compiler: Go would otherwise fetch a newer Go and compile its network with C.
ENVIRONMENT = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


def run(*words: str | Path, folder: Path = EXAMPLE) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(  # noqa: S603
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, encoding="utf-8", check=False, timeout=600
    )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host")
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no Go on this machine; with Go 1.25 or newer on the PATH this test runs")
    # asked outside of the example, whose go.mod an older Go refuses
    version = run(go, "env", "GOVERSION", folder=folder).stdout.strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < (1, 25):
        pytest.skip(f"the Go on this machine is {version}; this test needs 1.25 or newer")
    if run(go, "mod", "download").returncode != 0:
        pytest.skip("this machine reaches no place that has the Go module wazero")
    program = folder / ("host.exe" if os.name == "nt" else "host")
    # without optimisation, which shortens the first build; the module is compiled by wazero all the same
    built = run(go, "build", "-buildvcs=false", "-gcflags=all=-N -l", "-o", program, ".")
    assert built.returncode == 0, built.stderr
    return program


def test_every_golden_digest(host: Path) -> None:
    golden = json.loads(TRAJECTORIES.read_text(encoding="utf-8"))
    played = run(host, CORE, SCENARIO, TRAJECTORIES)
    assert played.returncode == 0, played.stdout + played.stderr
    lines = [line.split(" ")[:3] for line in played.stdout.splitlines()]
    assert lines == [[one["name"], one["digest"], str(one["numSteps"])] for one in golden]


def test_a_different_digest_is_an_error(host: Path, tmp_path: Path) -> None:
    golden = json.loads(TRAJECTORIES.read_text(encoding="utf-8"))[:2]
    digest = golden[1]["digest"]
    golden[1]["digest"] = "0" * 64
    changed = tmp_path / "trajectories.json"
    changed.write_text(json.dumps(golden), encoding="utf-8")
    played = run(host, CORE, SCENARIO, changed)
    assert played.returncode == 1
    assert played.stdout.splitlines()[1] == f"{golden[1]['name']} {digest} {golden[1]['numSteps']} DIFFERENT"
    assert played.stderr == "1 of 2 trajectories are different\n"


def test_a_wrong_scenario_is_refused(host: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "scenario.json"
    wrong.write_text(json.dumps({**json.loads(SCENARIO.read_text(encoding="utf-8")), "slotSeconds": 0}))
    played = run(host, CORE, wrong, TRAJECTORIES)
    assert played.returncode == 1
    assert played.stdout == ""
    assert played.stderr == "addScenario answered -6: slotSeconds -1 is 0, not 0.0001 to 100\n"
