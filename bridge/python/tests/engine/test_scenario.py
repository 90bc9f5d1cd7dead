"""Scenarios without a server: completed, hashed and refused as a server does it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mecgym
from mecgym.engine.refusals import describe_value
from mecgym.engine.scenario import describe_scenario, frozen_ids, max_servers_of, max_users_of, resolve_scenario
from mecgym.errors import MecgymError
from mecgym.remote.queries.scenarios import ask_scenarios
from mecgym.remote.transport.endpoints import connect
from scenario_strategy import scenarios

pytestmark = pytest.mark.limit_seconds(600)


def ask(scenario: Any) -> Any:
    return connect(None, None).request("scenarios", {"scenario": scenario})["scenarios"][0]


def test_frozen_scenarios_are_those_of_the_server() -> None:
    infos = ask_scenarios()
    assert mecgym.list_scenarios() == infos
    assert frozen_ids() == tuple(info.id for info in infos)
    for info in infos:
        found = describe_scenario(info.id)
        assert found == info


@settings(max_examples=1000)
@given(scenarios())
def test_hashes_and_defaults_are_those_of_the_server(scenario: dict[str, Any]) -> None:
    before = copy.deepcopy(scenario)
    found, expected = describe_scenario(scenario), ask(scenario)
    assert scenario == before
    assert found.hash == expected["hash"]
    assert found.scenario == expected["scenario"]
    assert (found.id, found.description) == (expected["id"], expected["description"])


#: What may stand in the place of any part of a scenario.
strange = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5000),
    st.floats(),
    st.sampled_from([1e21, 5e-324, 0.1, -0.0, 2.5]),
    st.text(max_size=4).filter(str.isascii),
    st.lists(st.integers(-1, 3), max_size=3),
    st.sampled_from([{}, {"min": 3, "max": 2}, {"min": 1}, {"count": 2, "more": 1}, {"process": "poisson"}]),
    st.sampled_from([{"process": "cauchy", "probability": 1}, {"perServer": 0}, "x\n", "A", "a" * 401]),
)


def places(value: Any) -> list[tuple[Any, ...]]:
    """Give the paths of all parts of a value."""
    found: list[tuple[Any, ...]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += [(key,), *((key, *path) for path in places(one))]
    return found


@st.composite
def spoiled_scenarios(draw: st.DrawFn) -> dict[str, Any]:
    scenario = copy.deepcopy(draw(scenarios()))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(scenario) or [("colour",)]))
        parent: Any = scenario
        for key in path[:-1]:
            parent = parent[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "replace" or isinstance(parent, list):
            parent[path[-1]] = copy.deepcopy(draw(strange))
        elif what == "remove":
            parent.pop(path[-1], None)
        else:
            name = draw(st.sampled_from(["colour", "min", "count", "churn", "numServers"]))
            parent[name] = copy.deepcopy(draw(strange))
    return scenario


@settings(max_examples=1500)
@example({"numServers": [0, 0]})
@example({"numServers": [1, 1]})
@example({"numServers": [4, 2, 3, 2, 4, 2]})
@example({"numServers": [True, True]})
@given(spoiled_scenarios())
def test_wrong_scenarios_are_refused_alike(scenario: dict[str, Any]) -> None:
    try:
        expected = ask(scenario)
    except MecgymError as error:
        with pytest.raises(MecgymError) as found:
            describe_scenario(scenario)
        assert (found.value.code, found.value.path) == (error.code, error.path)
        assert found.value.expected == error.expected
        assert found.value.got == error.got
    else:
        assert describe_scenario(scenario).hash == expected["hash"]


def test_unknown_scenario() -> None:
    with pytest.raises(MecgymError) as expected:
        ask("paper-v2")
    with pytest.raises(MecgymError) as found:
        resolve_scenario("paper-v2")
    assert (found.value.code, found.value.message) == (expected.value.code, expected.value.message)


def test_sizes() -> None:
    assert max_servers_of(resolve_scenario("paper-3-to-11-servers-v1")) == 11
    assert max_users_of(resolve_scenario("paper-3-to-11-servers-v1")) == 22
    assert max_servers_of(resolve_scenario({"numServers": [2, 9, 4]})) == 9
    assert max_users_of(resolve_scenario({"users": {"count": 7}})) == 7


def test_values_in_words() -> None:
    values = [0.1, 1e21, -0.0, float("nan"), "a", None, True, [1, 2.5], {"min": 1}, "x" * 200]
    found = [describe_value(value) for value in values]
    assert found == ["0.1", "1e+21", "-0", "NaN", '"a"', "null", "true", "[1,2.5]", '{"min":1}', '"' + "x" * 116 + "…"]
