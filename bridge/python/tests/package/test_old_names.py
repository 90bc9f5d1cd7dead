"""Import paths of earlier versions: each still leads to the same objects, for imports, pickles and registrations."""

from __future__ import annotations

import importlib
import pickle

import gymnasium
import pytest

import mecgym

#: Old module, a name in it, and where it lives now. Adapters of other libraries are tested with those.
NAMES = [
    ("branching", "EnvSnapshot", "envs.branching"),
    ("command_line", "main", "cli.main"),
    ("demo", "play", "cli.demo"),
    ("env", "OffloadingEnv", "envs.numeric"),
    ("lanes", "Lanes", "envs.lanes"),
    ("look_ahead", "LookAhead", "data.look_ahead"),
    ("playing", "Played", "bench.play"),
    ("recovery", "Recovery", "remote.session.recovery"),
    ("scenarios", "ScenarioInfo", "data.scenarios"),
    ("scenarios", "list_scenarios", "catalogue"),
    ("scoring", "Scores", "data.scores"),
    ("scoring", "score", "bench.score"),
    ("snapshots", "Snapshots", "data.snapshots"),
    ("text_env", "OffloadingTextEnv", "envs.text"),
    ("turns", "OffloadingTurns", "integrations.turns"),
    ("vector_env", "OffloadingVectorEnv", "envs.vector"),
    ("wrappers", "ServerTokens", "envs.wrappers"),
]


@pytest.mark.parametrize(("module", "name", "home"), NAMES)
def test_old_paths_give_the_same_objects(module: str, name: str, home: str) -> None:
    old = getattr(importlib.import_module(f"mecgym.{module}"), name)
    assert old is getattr(importlib.import_module(f"mecgym.{home}"), name)


def test_pickles_that_name_old_paths_are_read() -> None:
    # protocol 0 is text: the paths are as an earlier version wrote them
    recovery = pickle.dumps(mecgym.Recovery(max_attempts=3), 0).replace(
        b"mecgym.remote.session.recovery", b"mecgym.recovery"
    )
    assert pickle.loads(recovery) == mecgym.Recovery(max_attempts=3)  # noqa: S301
    env = mecgym.OffloadingEnv({"numServers": 3, "episodeSlots": 6}, seed=4)
    written = pickle.dumps(env, 0)
    assert b"mecgym.envs.branching" in written
    old = written.replace(b"mecgym.envs.branching", b"mecgym.branching").replace(b"mecgym.envs.numeric", b"mecgym.env")
    again = pickle.loads(old)  # noqa: S301
    assert type(again) is mecgym.OffloadingEnv
    assert again.scenario_hash == env.scenario_hash
    for one in (env, again):
        one.close()


def test_registrations_name_paths_that_data_sets_of_earlier_versions_have() -> None:
    specs = [gymnasium.spec(name) for name in (mecgym.ENV_ID, mecgym.TEXT_ENV_ID)]
    assert [spec.entry_point for spec in specs] == ["mecgym.env:OffloadingEnv", "mecgym.text_env:OffloadingTextEnv"]
