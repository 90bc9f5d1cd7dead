"""`verifiers` plays an OpenEnv server of mecgym with its own task set; a script takes the place of the model."""

# ruff: noqa: D102, D103

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from verifiers.v1.tasksets.openenv.taskset import OpenEnvConfig, OpenEnvEnv, OpenEnvTaskset

from mecgym import OffloadingEnv

# these libraries call deprecated functions of each other
pytestmark = pytest.mark.filterwarnings("ignore")


class Script:
    """Answers as a model would, always with the last available server, and keeps what is recorded."""

    def __init__(self) -> None:
        self.decisions: list[int] = []
        self.rewards: dict[str, float] = {}
        self.trace = SimpleNamespace(record_reward=self.rewards.__setitem__)

    def interaction(self, _task: Any) -> Script:
        return self

    async def __aenter__(self) -> Script:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        pass

    async def turn(self, message: str) -> Any:
        asked = json.loads(message)
        assert "server" in asked["action_schema"]["properties"]
        self.decisions.append(asked["observation"]["actions"][-1])
        return SimpleNamespace(terminated=False, last_reply=json.dumps({"server": self.decisions[-1]}))


@pytest.fixture
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "mecgym.openenv", "--scenario", "churn-v1", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    yield re.search(r"http://\S+", process.stdout.readline())[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()


def test_an_episode_has_the_rewards_of_the_simulator(address: str) -> None:
    tasks = list(OpenEnvTaskset(OpenEnvConfig(base_url=address, resets=[{"seed": 12}, {"seed": 13}])).load())
    for task, seed in zip(tasks, (12, 13), strict=True):
        script = Script()
        engine = OpenEnvEnv.__new__(OpenEnvEnv)  # its agents would ask a model
        asyncio.run(asyncio.wait_for(engine.run(task, SimpleNamespace(player=script)), 120))
        env = OffloadingEnv("churn-v1")
        env.reset(seed=seed)
        steps = [env.step(action) for action in script.decisions]
        env.close()
        assert steps[-1][3]
        assert script.rewards == {"openenv_reward": sum(step[1] for step in steps)}
