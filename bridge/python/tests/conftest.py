"""Shared fixtures: a time limit on every test, environments that are closed, and servers that tests may kill."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import mecgym
from mecgym.backend import BACKEND_VARIABLE
from mecgym.remote.transport.command import ADDRESS_VARIABLE, COMMAND_VARIABLE

#: Catches hangs only: a busy machine may need minutes.
LIMIT_SECONDS = 240

settings.register_profile(
    "mecgym",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mecgym")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> None:
    """Let the tests find the server, whatever the shell's variables say."""
    for name in (ADDRESS_VARIABLE, BACKEND_VARIABLE, COMMAND_VARIABLE):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test that hangs."""
    marker = request.node.get_closest_marker("limit_seconds")
    seconds = LIMIT_SECONDS if marker is None else int(marker.args[0])

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def make_env() -> Iterator[Callable[..., mecgym.OffloadingEnv]]:
    """Make environments that are closed after the test."""
    envs: list[mecgym.OffloadingEnv] = []

    def make(*args: Any, **kwargs: Any) -> mecgym.OffloadingEnv:
        env = mecgym.OffloadingEnv(*args, **kwargs)
        envs.append(env)
        return env

    yield make
    for env in envs:
        env.close()


@pytest.fixture
def own_server() -> Iterator[mecgym.LocalServer]:
    """Start a server that a test may stop or kill."""
    server = mecgym.LocalServer()
    yield server
    if server.is_alive():
        os.kill(server.pid, signal.SIGCONT)
    server.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "package.json").exists():
            return folder
    raise FileNotFoundError("package.json")
