"""Who plays: the core by default, a server where one is asked for, and states that cross between the two."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from helpers import assert_equal
from mecgym import Lanes, MecgymError, OffloadingEnv, OffloadingTextEnv, OffloadingVectorEnv, ServerNotFound
from mecgym.backend import BACKEND_VARIABLE
from mecgym.engine.session import EngineSession
from mecgym.remote.session.session import Session
from mecgym.remote.transport.command import ADDRESS_VARIABLE
from mecgym.remote.transport.endpoints import connect

SMALL: dict[str, Any] = {"numServers": 3, "episodeSlots": 6}


def test_the_core_plays_by_default() -> None:
    for env in (OffloadingEnv(SMALL), OffloadingVectorEnv(2, SMALL)):
        assert type(env._session) is EngineSession
        env.close()
    with Lanes(4, SMALL) as lanes:
        assert type(lanes.session) is EngineSession


def test_a_server_plays_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    address = connect().address
    several: list[dict[str, Any]] = [{"backend": "server"}, {"address": address}]
    for options in several:
        env = OffloadingEnv(SMALL, **options)
        assert type(env._session) is Session
        env.close()
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    assert type(OffloadingEnv(SMALL)._session) is Session
    assert type(OffloadingEnv(SMALL, backend="engine")._session) is EngineSession
    monkeypatch.delenv(ADDRESS_VARIABLE)
    monkeypatch.setenv(BACKEND_VARIABLE, "server")
    assert type(OffloadingEnv(SMALL)._session) is Session
    monkeypatch.delenv(BACKEND_VARIABLE)
    assert type(OffloadingTextEnv(SMALL)._session) is Session


@pytest.mark.parametrize(
    ("options", "path"),
    [({"backend": "abacus"}, "backend"), ({"backend": "engine", "address": "tcp://127.0.0.1:1"}, "address")],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], path: str) -> None:
    with pytest.raises(MecgymError) as caught:
        OffloadingEnv(SMALL, **options)
    assert (caught.value.code, caught.value.path) == ("invalidOption", path)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("history", [False, True])
def test_environments_say_the_same_of_both(mode: str, history: bool) -> None:
    scenario = {**SMALL, "numServers": [2, 4], "churn": {"leaveProbability": 0.2, "returnProbability": 0.3}}
    envs = [
        OffloadingVectorEnv(3, scenario, backend=backend, autoreset_mode=mode, history=history)
        for backend in ("engine", "server")
    ]
    assert envs[0].observation_space == envs[1].observation_space
    assert_equal(envs[0].scenario, envs[1].scenario)
    results: list[tuple[Any, ...]] = [env.reset(seed=5) for env in envs]
    generator = np.random.default_rng(1)
    for _ in range(60):
        assert_equal(dict(enumerate(results[0])), dict(enumerate(results[1])))
        if mode == "Disabled" and envs[0]._has_ended.any():
            mask = {"reset_mask": envs[0]._has_ended.copy()}
            results = [env.reset(options=mask) for env in envs]
        else:
            actions = generator.integers(-1, 7, 3)
            results = [env.step(actions) for env in envs]
    for env in envs:
        env.close()


def test_a_trajectory_changes_its_backend_in_the_middle() -> None:
    engine, server, alone = (OffloadingEnv(SMALL, backend=name) for name in ("engine", "server", "engine"))
    alone.reset(seed=3)
    engine.reset(seed=3)
    now, other = engine, server
    truncated = False
    while not truncated:
        wanted = alone.step(1)
        found = now.step(1)
        assert_equal(dict(enumerate(found)), dict(enumerate(wanted)))
        truncated = wanted[3]
        other.restore(pickle.loads(pickle.dumps(now.snapshot())))  # noqa: S301
        now, other = other, now
    for env in (engine, server, alone):
        env.close()


@pytest.mark.parametrize("make", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])  # noqa: S301
def test_copies_go_on_from_where_they_were_made(make: Any) -> None:
    env = OffloadingVectorEnv(3, SMALL, seed=4)
    unplayed = make(env)
    assert_equal(dict(enumerate(unplayed.reset())), dict(enumerate(env.reset())))
    env.step([1, 2, 3])
    other = make(env)
    for _ in range(20):
        assert_equal(dict(enumerate(other.step([3, 0, 1]))), dict(enumerate(env.step([3, 0, 1]))))
    env.close()
    assert other.step([0, 0, 0])[0].shape == env.observation_space.shape
    again = make(other)
    other.close()
    with pytest.raises(MecgymError, match="closed"):
        copy.deepcopy(other)
    again.close()


def test_policies_that_the_core_lacks_are_played_by_a_server() -> None:
    with Lanes(3, SMALL, groups=1, seed=4) as engine, Lanes(3, SMALL, seed=4, backend="server") as server:
        for lanes in (engine, server):
            lanes.reset()
        (found, sums), (wanted, wanted_sums) = (lanes.run_policy("round-robin", 9) for lanes in (engine, server))
        assert found.arrays.tobytes() == wanted.arrays.tobytes()
        assert sums.tobytes() == wanted_sums.tobytes()
        for _ in range(9):
            assert_same_lanes(engine, server)
        with pytest.raises(MecgymError) as caught:
            engine.run_policy("no-such-policy", 1)
        assert caught.value.code == "unknownPolicy"


def assert_same_lanes(engine: Lanes, server: Lanes) -> None:
    found, wanted = (lanes.step([1, 2, 3]) for lanes in (engine, server))
    for name in wanted.arrays.dtype.names or ():
        assert found.arrays[name].tobytes() == wanted.arrays[name].tobytes(), name


def test_without_a_server_what_needs_one_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import os, sys
os.environ["PATH"] = ""
from mecgym import Lanes, MecgymError, OffloadingTextEnv
lanes = Lanes(2)
lanes.reset()
for call in (OffloadingTextEnv, lambda: lanes.run_policy("random", 1)):
    try:
        call()
    except MecgymError as error:
        print(error.code, "mecgym[node]" in str(error))
lanes.run_policy("lacs", 3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == ("nodeNotFound True\n" * 2, "")
    assert issubclass(ServerNotFound, MecgymError)


def test_without_wasmtime_a_server_plays_and_that_is_said_once() -> None:
    code = """
import sys, warnings
sys.modules["wasmtime"] = None
import mecgym
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    envs = [mecgym.OffloadingEnv({"episodeSlots": 5}) for _ in range(2)]
print([type(env._session).__name__ for env in envs], len(caught), "server" in str(caught[0].message))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == ("['Session', 'Session'] 1 True\n", "")
