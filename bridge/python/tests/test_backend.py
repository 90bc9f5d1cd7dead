"""The contract of a backend, run over every implementation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mecgym import MecgymError
from mecgym.backend import Backend, SessionOptions, open_backend, words_of
from mecgym.checks import NEXT_EPISODE
from mecgym.data.batch import FLAG_INVALID_ACTION, FLAG_RESET, FLAG_TRUNCATED, Batch

SMALL: dict[str, Any] = {"numServers": 3, "episodeSlots": 6}
OTHER: dict[str, Any] = {"numServers": 5, "episodeSlots": 6}

#: Opens a backend with further fields of the protocol's `open`.
Open = Callable[..., Backend]
Make = Callable[[SessionOptions, dict[str, Any]], Backend]


def opener(name: str) -> Make:
    return lambda options, fields: open_backend(replace(options, backend=name), fields)


#: Each implementation, as a function of options and fields.
IMPLEMENTATIONS: dict[str, Make] = {name: opener(name) for name in ("engine", "server")}


@pytest.fixture(params=IMPLEMENTATIONS)
def open_one(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open backends of one implementation, which are closed after the test."""
    opened: list[Backend] = []

    def make(
        num_envs: int = 3, scenario: Any = SMALL, *, options: dict[str, Any] | None = None, **fields: Any
    ) -> Backend:
        backend = IMPLEMENTATIONS[request.param](
            SessionOptions(scenario, **{"seed": 1, **(options or {})}), {"numEnvs": num_envs, **fields}
        )
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close()


def seeds(*values: int) -> np.ndarray:
    return np.asarray(values, np.uint64)


def actions(*values: int) -> np.ndarray:
    return np.asarray(values, np.int32)


def bytes_of(batch: Batch) -> bytes:
    return batch.arrays.tobytes()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(MecgymError) as caught:
        call()
    return caught.value.code


def test_it_says_what_it_plays(open_one: Open) -> None:
    one = open_one(4, groups=2)
    assert (one.num_envs, one.num_groups, one.lanes_per_group) == (4, 2, 2)
    assert (one.max_servers, one.history_slots) == (3, 0)
    size = len(one.observation_header) + one.max_servers * len(one.observation_server_fields)
    assert one.observation_size == size == one.reset(seeds(1, 2)).arrays["observation"].shape[1]
    assert one.scenarios[0]["scenario"]["episodeSlots"] == 6
    assert one.max_users >= 1
    assert "numDecisions" in one.episode_stats_fields


def test_history_lengthens_observations(open_one: Open) -> None:
    plain, long = open_one(1), open_one(1, options={"history": True})
    assert long.history_slots > 0
    assert long.observation_size == plain.observation_size + long.history_slots * long.max_servers


def test_a_seed_plays_an_episode_wherever_it_is(open_one: Open) -> None:
    one, two = open_one(3), open_one(2)
    first, second = one.reset(seeds(5, 6, 7)), two.reset(seeds(7, 5))
    assert first.arrays["episodeSeed"].tolist() == [5, 6, 7]
    for _ in range(5):
        np.testing.assert_array_equal(first.arrays["observation"][[2, 0]], second.arrays["observation"])
        first, second = one.step(actions(1, 2, 3)), two.step(actions(3, 1))


def test_resets_without_seeds_draw_from_the_split(open_one: Open) -> None:
    one, same, other = open_one(2), open_one(2), open_one(2, options={"seed": 2})
    drawn = one.reset()
    assert bytes_of(drawn) == bytes_of(same.reset(seeds(NEXT_EPISODE, NEXT_EPISODE)))
    assert drawn.arrays["episodeSeed"].tolist() != other.reset().arrays["episodeSeed"].tolist()


def test_a_mask_resets_its_lanes_only(open_one: Open) -> None:
    one = open_one(2)
    one.reset(seeds(5, 6))
    before = one.step(actions(1, 1))
    after = one.reset(seeds(9, 9), np.asarray([0, 1], np.uint8))
    assert after.arrays["episodeSeed"].tolist() == [5, 9]
    assert after.arrays["decisionIndex"].tolist() == [1, 0]
    np.testing.assert_array_equal(before.arrays["observation"][0], after.arrays["observation"][0])


def test_an_action_that_does_not_exist_costs_as_the_costliest(open_one: Open) -> None:
    one = open_one(1)
    one.reset(seeds(5))
    costs = one.look_ahead({})[1][0]
    arrays = one.step(actions(99)).arrays
    assert arrays["flags"][0] & FLAG_INVALID_ACTION
    assert arrays["costSlots"][0] == costs.max()
    assert arrays["executedAction"][0] == costs.argmax()


@pytest.mark.parametrize("mode", ["next-step", "same-step", "disabled"])
def test_ended_episodes_go_on_as_the_mode_says(open_one: Open, mode: str) -> None:
    one = open_one(1, autoreset=mode)
    one.reset(seeds(5))
    num_decisions = 0
    while True:
        batch = one.step(actions(1))
        num_decisions += 1
        if batch.arrays["flags"][0] & FLAG_TRUNCATED:
            break
        assert batch.final is None
    assert batch.ended_lanes() == [0]
    assert batch.episode_stats(0)["num_decisions"] == num_decisions
    is_next = batch.arrays["episodeSeed"][0] != 5
    assert is_next == (mode == "same-step")
    assert batch.final is not None
    assert ("finalObservation" in (batch.final.dtype.names or ())) == (mode == "same-step")
    if mode == "disabled":
        assert code_of(lambda: one.step(actions(1))) == "needsReset"
    if mode == "next-step":
        batch = one.step(actions(1))
        assert batch.arrays["flags"][0] & FLAG_RESET
        assert (batch.arrays["reward"][0], batch.arrays["decisionIndex"][0]) == (0, 0)


def test_groups_started_together_bring_what_single_calls_bring(open_one: Open) -> None:
    together, single = open_one(4, groups=2), open_one(4, groups=2)
    for group in range(2):
        together.send_reset(seeds(3, 4), group=group)
        together.send_step(actions(1, 2), group=group)
    for group in range(2):
        assert bytes_of(together.receive(group)) == bytes_of(single.reset(seeds(3, 4), group=group))
        assert bytes_of(together.receive(group)) == bytes_of(single.step(actions(1, 2), group=group))
    assert code_of(lambda: together.receive(0)) == "nothingInFlight"
    assert code_of(lambda: together.receive(2)) == "invalidOption"


def test_looking_ahead_tells_the_costs_and_changes_nothing(open_one: Open) -> None:
    one = open_one(2)
    one.reset(seeds(5, 6))
    latency, cost, impact, reward = one.look_ahead({"numSamples": 2})
    assert latency.shape == cost.shape == impact.shape == reward.shape == (2, one.max_servers + 1)
    chosen = actions(1, 3)
    for whole, some in zip((latency, cost, impact, reward), one.look_ahead({"numSamples": 2}, chosen), strict=True):
        assert some.tobytes() == whole[[0, 1], chosen].tobytes()
    batch = one.step(chosen, {"numSamples": 2})
    np.testing.assert_array_equal(batch.arrays["costSlots"], cost[[0, 1], chosen])
    again = one.look_ahead({"numSamples": 2})
    assert [array.tobytes() for array in again] == [array.tobytes() for array in one.look_ahead({"numSamples": 2})]


def test_actions_that_no_lane_has_are_not_a_number(open_one: Open) -> None:
    one = open_one(2, [SMALL, OTHER], laneScenario=[0, 1])
    one.reset(seeds(5, 6))
    costs = one.look_ahead({})[1]
    assert np.isnan(costs).sum(axis=1).tolist() == [2, 0]


def test_snapshots_bring_back_every_bit(open_one: Open) -> None:
    one, other = open_one(2), open_one(3)
    one.reset(seeds(5, 6))
    one.step(actions(1, 2))
    taken = one.snapshot()
    ahead = [bytes_of(one.step(actions(3, 0))) for _ in range(3)]
    one.restore(taken)
    assert one.snapshot().state_hashes() == taken.state_hashes()
    assert [bytes_of(one.step(actions(3, 0))) for _ in range(3)] == ahead
    other.reset(seeds(1, 2, 3))
    one.restore(taken)
    other.restore(taken, [2, 0])
    expected, found = one.step(actions(3, 0)), other.step(actions(0, 1, 3))
    for name in ("observation", "costSlots", "episodeSeed"):
        np.testing.assert_array_equal(found.arrays[name][[2, 0]], expected.arrays[name])
    assert one.snapshot(np.asarray([0, 1], np.uint8)).lanes.tolist() == [1]
    assert code_of(lambda: one.restore(taken, [0])) == "invalidOption"


def test_a_snapshot_that_is_spoilt_changes_nothing(open_one: Open) -> None:
    one = open_one(1)
    one.reset(seeds(5))
    taken = one.snapshot()
    spoilt = copy.deepcopy(taken)
    spoilt.data.setflags(write=True)
    spoilt.data[20] ^= 1
    assert code_of(lambda: one.restore(spoilt)) == "invalidSnapshot"
    assert one.snapshot().state_hashes() == taken.state_hashes()


def test_forked_lanes_are_as_their_sources(open_one: Open) -> None:
    one = open_one(3)
    one.reset(seeds(5, 6, 7))
    one.step(actions(1, 2, 3))
    one.fork_lanes([2], [0])
    hashes = one.snapshot().state_hashes()
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_fork_goes_its_own_way(open_one: Open) -> None:
    one = open_one(2)
    one.reset(seeds(5, 6))
    other = one.fork()
    assert other.num_envs == 2
    before = one.snapshot().state_hashes()
    ahead = bytes_of(other.step(actions(1, 2)))
    assert one.snapshot().state_hashes() == before
    assert bytes_of(one.step(actions(1, 2))) == ahead
    other.close()
    assert bytes_of(one.reset(seeds(5, 6)))


def test_policies_play_what_their_choices_play(open_one: Open) -> None:
    one, two = open_one(2), open_one(2)
    for backend in (one, two):
        backend.reset(seeds(5, 6))
    cost = 0.0
    for _ in range(4):
        chosen = two.look_ahead({})[1].argmin(axis=1).astype(np.int32)
        last = two.step(chosen)
        cost += last.arrays["costSlots"].sum()
    batch, sums = one.run_policy("oracle", 4)
    assert bytes_of(batch) == bytes_of(last)
    assert sums["decisions"].tolist() == [4, 4]
    assert sums["costSumSlots"].sum() == pytest.approx(cost, rel=1e-12)
    assert code_of(lambda: one.run_policy("no-such-policy", 1)) == "unknownPolicy"


def test_words_are_an_option(open_one: Open) -> None:
    one = words_of(open_one(1, observation="text"))
    batch = one.reset(seeds(5))
    lanes, (text,), system = one.prompts({"system": True})
    assert lanes == [0]
    assert batch.texts is not None
    assert list(batch.texts) == [text]
    assert system is None or system
    assert one.read_answer("Server 2", 3) == (2, "none")
    assert one.read_answer("", 3) == (None, "empty")


def test_what_has_no_words_says_so() -> None:
    with pytest.raises(MecgymError, match="in words"):
        words_of(object())  # type: ignore[arg-type]


def test_nothing_is_played_before_a_reset_or_after_the_end(open_one: Open) -> None:
    one = open_one(1)
    for call in (lambda: one.step(actions(1)), one.snapshot, lambda: one.look_ahead({})):
        assert code_of(call) == "needsReset"
    assert one.without_reset("env").code == "needsReset"
    assert one.occupied("step").code == "inUse"
    assert not one.is_unanswered
    one.reset(seeds(5))
    one.close()
    one.close()
    calls = (lambda: one.step(actions(1)), one.snapshot, one.reset, one.fork, lambda: one.check_open("env"))
    for closed in calls:
        assert code_of(closed) == "closed"


@pytest.mark.parametrize(
    ("options", "fields", "code"),
    [
        ({"scenario": "no-such-scenario"}, {}, "unknownScenario"),
        ({"scenario": {"numServers": -1}}, {}, "invalidScenario"),
        ({"seed": -1}, {}, "invalidSeed"),
        ({"max_servers": 0}, {}, "invalidOption"),
        ({"split": "elsewhere"}, {}, "invalidRequest"),
        ({}, {"autoreset": "sometimes"}, "invalidRequest"),
    ],
)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_bad_options_are_refused(name: str, options: dict[str, Any], fields: dict[str, Any], code: str) -> None:
    with pytest.raises(MecgymError) as caught:
        IMPLEMENTATIONS[name](SessionOptions(**{"scenario": SMALL, **options}), {"numEnvs": 1, **fields})
    assert caught.value.code == code
