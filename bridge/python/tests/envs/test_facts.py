"""Facts at the end of observations: the numbers, where they stand, and who has them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import mecgym
from mecgym import OffloadingEnv
from mecgym.envs.transforms import TokenTransform
from mecgym.wrappers import ScaledObservation, ServerTokens

FACTS = ["usersLeft", "slot", "decisionIndex", "meanSizeMbit"]
SERVER_FACTS = ["assignedTasks", "assignedMbit"]

#: Two servers, and three users who all have a task of 4 Mbit in every slot.
CERTAIN: dict[str, Any] = {
    "numServers": 2,
    "users": {"count": 3},
    "taskSizeMbit": {"min": 4, "max": 4},
    "arrivals": {"process": "bernoulli", "probability": 1},
    "episodeSlots": 3,
}


def test_facts_by_hand() -> None:
    env = gymnasium.make("mecgym/Offloading-v0", scenario=CERTAIN, facts=True, backend="engine")
    own = env.unwrapped
    assert isinstance(own, OffloadingEnv)
    assert (own.observation_facts, own.observation_server_facts) == (FACTS, SERVER_FACTS)
    observation, _info = env.reset(seed=5)
    assert observation.shape == env.observation_space.shape == (6 + 2 * 4 + 4 + 2 * 2,)
    assert observation[14:].tolist() == [2, 0, 0, 4, 0, 0, 0, 0]
    assert env.step(2)[0][14:].tolist() == [1, 0, 1, 4, 0, 0, 1, 4]
    assert env.step(2)[0][14:].tolist() == [0, 0, 2, 4, 0, 0, 2, 8]
    assert env.step(1)[0][14:].tolist() == [2, 1, 3, 4, 0, 0, 0, 0]
    assert env.step(0)[0][14:].tolist() == [1, 1, 4, 4, 0, 0, 0, 0]
    env.close()


@pytest.mark.parametrize("history", [False, True])
def test_facts_follow_an_observation_that_is_as_without_them(history: bool) -> None:
    options: dict[str, Any] = {"scenario": "churn-v1", "history": history, "backend": "engine"}
    plain = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=5, **options)
    facts = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=5, facts=True, **options)
    before, after = plain.reset(seed=3)[0], facts.reset(seed=3)[0]
    generator = np.random.default_rng(1)
    for _ in range(60):
        assert before.tobytes() == np.ascontiguousarray(after[:, : before.shape[1]]).tobytes()
        assert facts.observation_space.contains(after)
        actions = generator.integers(0, 7, 5)
        before, after = plain.step(actions)[0], facts.step(actions)[0]
    plain.close()
    facts.close()


def test_facts_are_what_a_policy_can_remember() -> None:
    """They tell nothing new: a policy that remembers its observations and knows the scenario has them all."""
    with mecgym.Lanes(1, "load-24-users-v1", facts=True, seed=1, backend="engine", autoreset="disabled") as lanes:
        row = lanes.reset(seed=11).arrays["observation"][0]
        generator = np.random.default_rng(2)
        slot, given = -1, np.zeros((6, 2), np.float64)
        sizes: list[float] = []
        for decision in range(300):
            users_left, now, index, mean = row[30:34].tolist()
            sizes.append(float(row[0]))
            if now != slot:
                slot, given = now, np.zeros((6, 2))
            assert (users_left, index) == (24 - 1 - row[3], decision)
            assert mean == pytest.approx(np.mean(sizes), rel=1e-6)
            np.testing.assert_allclose(row[34:].reshape(6, 2), given, rtol=1e-6)
            action = int(generator.integers(0, 7))
            if action > 0:
                given[action - 1] += (1, row[0])
            row = lanes.step([action]).arrays["observation"][0]


def test_restored_and_copied_lanes_have_their_facts() -> None:
    options: dict[str, Any] = {"facts": True, "seed": 1, "backend": "engine"}
    with mecgym.Lanes(3, "load-24-users-v1", **options) as one, mecgym.Lanes(3, "load-24-users-v1", **options) as other:
        one.reset(seed=4)
        other.reset(seed=9)
        for step in range(50):
            batch = one.step([step % 7, 1, 2])
        found = other.restore(one.snapshot()).arrays["observation"]
        assert found.tobytes() == batch.arrays["observation"].tobytes()
        found = other.session.fork_lanes([0], [2]).arrays["observation"]
        assert found[2].tobytes() == found[0].tobytes()


def test_wrappers_put_facts_into_rows() -> None:
    env = gymnasium.make("mecgym/Offloading-v0", scenario=CERTAIN, facts=True, history=True, backend="engine")
    tokens = ServerTokens(env)
    assert isinstance(tokens.transform, TokenTransform)
    assert tokens.transform.fields[-7:] == [*FACTS, *SERVER_FACTS, "isDevice"]
    tokens.reset(seed=5)
    rows = tokens.step(2)[0]
    assert rows[:, -7:].tolist() == [[1, 0, 1, 4, 0, 0, 1], [1, 0, 1, 4, 0, 0, 0], [1, 0, 1, 4, 1, 4, 0]]
    assert tokens.observation_space.contains(rows)
    scaled = ScaledObservation(env)
    assert scaled.reset(seed=5)[0][-8:].tolist() == pytest.approx([2 / 3, 0, 0, 1, 0, 0, 0, 0])


def test_a_server_does_not_know_facts() -> None:
    with pytest.raises(mecgym.MecgymError) as caught:
        mecgym.OffloadingEnv("paper-v1", facts=True, backend="server")
    assert (caught.value.code, caught.value.path, caught.value.got) == ("invalidOption", "facts", "server")


def test_played_seeds_can_show_facts() -> None:
    def emptiest(observations: Any, _masks: Any) -> Any:
        """Take the server that was given the fewest tasks in this slot."""
        return 1 + observations[:, 34::2].argmin(axis=1)

    played = mecgym.play_seeds(emptiest, [7, 8], "paper-v1", facts=True)
    assert min(map(len, played.actions)) > 300
    assert set(played.actions[0]) == {1, 2, 3, 4, 5, 6}
