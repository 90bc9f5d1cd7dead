"""The demo: one line of JSON, the golden digest, and arguments that are checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from golden.test_trajectories import GOLDEN
from helpers import play
from mecgym import OffloadingEnv
from mecgym.cli.demo import main


def run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    return subprocess.run(
        [sys.executable, "-m", "mecgym.demo", *arguments], capture_output=True, text=True, timeout=25, env=environment
    )


def test_the_demo_gives_the_golden_digest() -> None:
    golden = next(entry for entry in GOLDEN if entry["name"] == "paper/cheapest")
    done = run("--episodes", str(len(golden["seeds"])), "--seed", str(golden["seeds"][0]), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert (outcome["digest"], outcome["decisions"]) == (golden["digest"], golden["numSteps"])
    assert outcome["scenario"] == "paper-v1"
    assert (outcome["episodes"], outcome["seed"]) == (3, golden["seeds"][0])
    assert 2 < outcome["averageLatencySlots"] < 4
    assert outcome["stepsPerSecond"] > 0


def test_the_demo_runs_in_this_process_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--episodes", "1", "--seed", "5", "--json"]) == 0
    env = OffloadingEnv("paper-v1")
    assert json.loads(capsys.readouterr().out)["digest"] == play(env, [5], "cheapest")[0]
    env.close()


@pytest.mark.parametrize("arguments", [["--episodes", "0"], ["--seed", "-1"], ["--seed", "x"], ["--seed", str(2**53)]])
def test_bad_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "expected an integer" in capsys.readouterr().err


def test_without_node_the_demo_plays() -> None:
    done = run("--episodes", "1", "--json", path="")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["decisions"] > 0


def test_without_a_server_the_demo_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MECGYM_BACKEND", "server")
    done = run("--episodes", "1", path="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs Node 20 or newer" in done.stderr
    assert "Traceback" not in done.stderr
