"""One's own scenario, wherever a scenario is taken: as a map, a file or a list, copied when it is given."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import mecgym
from mecgym import MecgymError, evaluate, make_dataset, play_seeds, scenario_hash, verify
from mecgym.data.plain import without_nulls

pytestmark = pytest.mark.limit_seconds(600)

OWN: dict[str, Any] = {"id": "campus", "numServers": 3, "users": {"count": 4}, "episodeSlots": 30}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the relative path of a file with the scenario."""
    monkeypatch.chdir(tmp_path)
    Path("campus.json").write_text(json.dumps(OWN), encoding="utf-8")
    return "campus.json"


@pytest.mark.parametrize("backend", ["engine", "server"])
def test_a_map_is_copied_when_it_is_given(backend: str) -> None:
    fields = {**copy.deepcopy(OWN), "arrivals": {"process": "bernoulli", "probability": 0.3}}
    env: Any = gymnasium.make(mecgym.ENV_ID, scenario=fields, backend=backend)
    expected = env.unwrapped.scenario_hash
    fields["arrivals"]["probability"] = 0.9
    fields["users"] = {"count": 9}
    assert env.spec.kwargs["scenario"]["arrivals"]["probability"] == 0.3
    again: Any = gymnasium.make(env.spec)
    assert again.unwrapped.scenario_hash == expected
    copied = pickle.loads(pickle.dumps(env.unwrapped))  # noqa: S301
    assert copied.scenario_hash == expected
    for one in (env, again, copied):
        one.close()


def test_a_file_is_read_when_it_is_given(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env: Any = gymnasium.make(mecgym.ENV_ID, scenario=file)
    envs: Any = gymnasium.make_vec(mecgym.ENV_ID, num_envs=2, scenario=Path(file))
    Path(file).write_text("{}", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    expected = scenario_hash(OWN)
    assert gymnasium.make(env.spec).unwrapped.scenario_hash == expected  # type: ignore[attr-defined]
    assert gymnasium.make_vec(envs.spec).unwrapped.scenario_hash == expected  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(env.unwrapped)).scenario_hash == expected  # noqa: S301
    env.close()
    envs.close()


def test_numpy_numbers_and_arrays_are_numbers() -> None:
    fields = {
        "numServers": np.int64(3),
        "serverCpuGHz": np.array([20.0, 30.0, 40.5]),
        "users": {"count": np.uint8(4)},
        "deadlineSlots": np.float32(10),
    }
    plain = {"numServers": 3, "serverCpuGHz": [20, 30, 40.5], "users": {"count": 4}, "deadlineSlots": 10}
    assert scenario_hash(fields) == scenario_hash(plain)


def test_suites_of_scenarios(file: str) -> None:
    options: dict[str, Any] = {"policies": ["oracle", "adaptive"], "episodes": 2, "show_progress": False}
    by_file = evaluate(file, **options)
    assert by_file == evaluate(OWN, **options) == evaluate(scenario=[OWN], **options)
    assert by_file["suite"] == "own"
    scenario = by_file["settings"][0]["scenario"]
    assert scenario["hash"] == scenario_hash(OWN)
    assert OWN.items() <= scenario["fields"].items()
    assert verify(by_file)["problems"] == []
    both = evaluate([file, "paper-3-servers-v1"], **options)
    assert [setting["id"] for setting in both["settings"]] == ["campus", "paper-3-servers-v1"]
    assert both["settings"][0] == by_file["settings"][0]


def test_suites_of_scenarios_with_external_policies() -> None:
    played = play_seeds("oracle", range(2_000_000, 2_000_002), OWN)
    result = evaluate(OWN, ["oracle"], episodes=2, external={"mine": {"campus": played.actions}}, show_progress=False)
    oracle, mine = result["settings"][0]["policies"]
    assert mine["actions"] == oracle["actions"]
    assert verify(result, show_progress=False)["problems"] == []


@pytest.mark.parametrize(("arguments", "path"), [((None,), "suite"), (("paper-table-2",), "suite")])
def test_either_a_suite_or_a_scenario(arguments: tuple[Any, ...], path: str) -> None:
    more: dict[str, Any] = {} if arguments[0] is None else {"scenario": OWN}
    with pytest.raises(MecgymError, match="either a suite or a scenario") as caught:
        evaluate(arguments[0], ["oracle"], **more)
    assert caught.value.path == path


def test_data_sets(file: str) -> None:
    options: dict[str, Any] = {"count": 4, "show_progress": False}
    records = make_dataset("grpo", scenario=file, **options)
    assert records == make_dataset("grpo", scenario=OWN, **options)
    assert {(one["scenarioId"], one["scenarioHash"]) for one in records} == {("campus", scenario_hash(OWN))}
    mixed = make_dataset("grpo", scenario=[OWN, "paper-v1"], **options)
    assert [one["scenarioId"] for one in mixed] == ["campus", "paper-v1", "campus", "paper-v1"]
    assert mixed[2] == records[2]


def test_native_policies_by_name() -> None:
    seeds = [5, 6, 9]
    played = play_seeds("oracle", seeds, OWN)
    cheapest = mecgym.OffloadingEnv(OWN)
    for i, seed in enumerate(seeds):
        cheapest.reset(seed=seed)
        actions: list[int] = []
        truncated = False
        while not truncated:
            actions.append(int(cheapest.look_ahead().cost_slots.argmin()))
            *_, truncated, _info = cheapest.step(actions[-1])
        assert played.actions[i] == actions
    cheapest.close()
    with pytest.raises(MecgymError, match="unknownPolicy"):
        play_seeds("orakel", seeds, OWN)
    with pytest.raises(MecgymError, match="a function or the name of a policy"):
        play_seeds(3, seeds, OWN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scenario", "hint"),
    [
        ({"num_servers": 4}, "did you mean numServers?"),
        ({"users": 24}, 'did you mean {"count":24}?'),
        ({"serverCpuGHz": 30}, 'did you mean {"min":30,"max":30}?'),
        ({"id": "my_scenario"}, 'did you mean "my-scenario"?'),
        ("Paper-v1", "did you mean paper-v1?"),
    ],
)
def test_near_misses_are_named(scenario: Any, hint: str) -> None:
    for make in (mecgym.OffloadingEnv, lambda one: make_dataset("grpo", scenario=one, count=1, show_progress=False)):
        with pytest.raises(MecgymError) as caught:
            make(scenario)
        assert hint in str(caught.value)


def test_none_is_absence() -> None:
    record = {
        "prompt": "a",
        "messages": None,
        "state": {"isAvailable": None, "costSlots": [1.0, None]},
        "list": [{"a": None}],
    }
    assert without_nulls(record) == {"prompt": "a", "state": {"costSlots": [1.0, None]}, "list": [{}]}
