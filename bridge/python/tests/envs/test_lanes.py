"""Lanes: groups in flight together return what a vector environment returns step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from helpers import FaultyProxy, Frames, session_of
from mecgym import Lanes, MecgymError, OffloadingVectorEnv
from mecgym.data.batch import Batch
from mecgym.remote.transport.endpoints import connect
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}
NUM_STEPS = 40


def actions_of(step: int, num_lanes: int, first: int = 0) -> np.ndarray:
    return (np.arange(first, first + num_lanes) * 3 + step) % 4


def play_groups(lanes: Lanes) -> list[list[bytes]]:
    """Step all groups with all of them in flight; return each group's steps."""
    n = lanes.lanes_per_group
    found: list[list[bytes]] = [[] for _ in range(lanes.num_groups)]
    for group in range(lanes.num_groups):
        lanes.send_reset(100 + group * n, group=group)
    for step in range(NUM_STEPS):
        for group in range(lanes.num_groups):
            batch = lanes.receive(group)
            found[group].append(batch.arrays["costSlots"].tobytes() + batch.arrays["observation"].tobytes())
            lanes.send_step(actions_of(step, n, group * n), group)
    for group in range(lanes.num_groups):
        found[group].append(lanes.receive(group).arrays["costSlots"].tobytes())
    return found


@pytest.fixture(scope="module")
def straight() -> list[list[bytes]]:
    """Play the lanes of all groups as one batch, one step at a time."""
    env = OffloadingVectorEnv(8, SMALL)
    found: list[list[bytes]] = [[] for _ in range(4)]
    observations, _infos = env.reset(seed=100)
    costs = np.zeros(8)
    for step in range(NUM_STEPS + 1):
        for group in range(4):
            rows = slice(2 * group, 2 * group + 2)
            last = observations[rows].tobytes() if step < NUM_STEPS else b""
            found[group].append(costs[rows].tobytes() + last)
        observations, _rewards, _terminations, _truncations, infos = env.step(actions_of(step, 8))
        costs = infos.get("cost_slots", np.zeros(8))
    env.close()
    return found


def test_groups_in_flight_bring_what_single_steps_bring(straight: list[list[bytes]]) -> None:
    with Lanes(8, SMALL, groups=4) as lanes:
        assert (lanes.lanes_per_group, lanes.num_groups) == (2, 4)
        assert play_groups(lanes) == straight


def test_lost_replies_of_groups_are_asked_for_again_before_any_timer(straight: list[list[bytes]]) -> None:
    def lose(number: int, frames: Frames) -> Sequence[Frames]:
        return [] if number % 13 == 12 else [frames]

    with FaultyProxy(shared_server().address, reply=lose) as proxy:
        endpoint = connect(proxy.address)
        endpoint._timer.first = lambda: 5.0  # type: ignore[method-assign]
        start = time.monotonic()
        lanes = Lanes(8, SMALL, groups=4, address=proxy.address, timeout_seconds=20)
        assert play_groups(lanes) == straight
        assert endpoint.traffic.num_resent >= NUM_STEPS * 4 // 13
        # nothing follows the last replies that could overtake them
        assert time.monotonic() - start < 5.0 * 3
        lanes.close()
        endpoint.close()


def test_mixed_scenarios_play_each_its_own() -> None:
    other = {"numServers": 5, "episodeSlots": 6}
    with Lanes(4, [SMALL, other], lane_scenario=[0, 1, 1, 0]) as lanes, Lanes(2, other) as alone:
        batch = lanes.reset([5, 6, 7, 8])
        assert batch.arrays["numServers"].tolist() == [3, 5, 5, 3]
        batch = lanes.step([1, 4, 5, 2])
        alone.reset([6, 7])
        assert batch.arrays["costSlots"][1:3].tobytes() == alone.step([4, 5]).arrays["costSlots"].tobytes()


def test_requests_that_are_none_are_refused() -> None:
    with Lanes(4, SMALL, groups=2, backend="server") as lanes:
        with pytest.raises(MecgymError) as caught:
            lanes.receive()
        assert caught.value.code == "nothingInFlight"
        calls: list[Callable[[], Batch]] = [lambda: lanes.reset(1, group=2), lambda: lanes.receive(-1)]
        for call in calls:
            with pytest.raises(MecgymError) as caught:
                call()
            assert (caught.value.code, caught.value.path) == ("invalidOption", "group")
        with pytest.raises(MecgymError) as caught:
            lanes.reset([1, 2, 3])
        assert caught.value.code == "invalidSeed"
        with pytest.raises(MecgymError) as caught:
            lanes.step([1, 2, 3])
        assert caught.value.code == "invalidAction"
        with pytest.raises(MecgymError) as caught:
            lanes.step([1, 2])
        assert caught.value.code == "needsReset"
        lanes.reset(1)
        limit = session_of(lanes)._link.connection.max_in_flight
        for _ in range(limit):
            lanes.send_step([1, 2])
        with pytest.raises(MecgymError) as caught:
            lanes.send_step([1, 2])
        assert caught.value.code == "windowExceeded"
        for _ in range(limit):
            lanes.receive()


def test_a_refused_step_in_flight_changes_nothing() -> None:
    with Lanes(2, SMALL, autoreset="disabled") as lanes, Lanes(2, SMALL, autoreset="disabled") as other:
        for one in (lanes, other):
            one.reset(3)
        while not (lanes.step([1, 2]).arrays["flags"] & 1).any():
            pass
        lanes.send_step([1, 2])
        lanes.send_reset(3)
        with pytest.raises(MecgymError) as caught:
            lanes.receive()
        assert caught.value.code == "needsReset"
        lanes.receive()
        assert lanes.step([1, 1]).arrays.tobytes() == other.step([1, 1]).arrays.tobytes()


def test_look_aheads_of_given_actions_are_columns_of_all() -> None:
    with Lanes(3, SMALL) as lanes:
        lanes.reset(1)
        everything = lanes.look_ahead(num_samples=2)
        actions = np.array([0, 2, 3])
        for name in ("latency_slots", "cost_slots", "impact_slots", "reward"):
            column = getattr(lanes.look_ahead(actions=actions, num_samples=2), name)
            assert column.tobytes() == getattr(everything, name)[np.arange(3), actions].tobytes()
        with pytest.raises(MecgymError) as caught:
            lanes.look_ahead(samples=2)
        assert caught.value.code == "invalidOption"


def test_large_bodies_stay_where_they_came() -> None:
    with Lanes(600, SMALL, backend="server") as lanes:
        batch = lanes.reset(1)
        assert session_of(lanes)._link.connection.maps_bodies
        costs = lanes.step(np.zeros(600, np.int64)).arrays["costSlots"]
        assert not costs.flags.writeable
        assert not costs.flags.owndata
        kept = costs.copy()
        lanes.step(np.ones(600, np.int64))
        assert np.array_equal(costs, kept)  # the memory of a reply is never used for another
        assert batch.arrays["flags"].shape == (600,)
