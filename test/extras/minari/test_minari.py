"""Data sets of native play, written and read by Minari itself."""

# ruff: noqa: D103

from __future__ import annotations

from pathlib import Path

import minari
import numpy as np
import pytest

from mecgym import MecgymError, OffloadingEnv
from mecgym.minari import create_dataset, main, record_episodes

SEED = 7
# the library writes arrays of its own kind in a way that its own dependency calls deprecated
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def test_episodes_are_those_that_an_environment_plays() -> None:
    buffers = record_episodes("oracle", 3, first_seed=SEED)
    env = OffloadingEnv("paper-v1")
    for number, buffer in enumerate(buffers):
        observation, info = env.reset(seed=SEED + number)
        assert buffer.seed == SEED + number
        num_steps = len(buffer.rewards)
        assert buffer.observations.shape[0] == buffer.infos["action_mask"].shape[0] == num_steps + 1
        for step in range(num_steps):
            np.testing.assert_array_equal(buffer.observations[step], observation)
            np.testing.assert_array_equal(buffer.infos["action_mask"][step], info["action_mask"])
            action = int(env.look_ahead().cost_slots.argmin())
            assert buffer.actions[step] == action
            observation, reward, _terminated, truncated, info = env.step(action)
            assert buffer.rewards[step] == reward
            assert buffer.truncations[step] == truncated
        np.testing.assert_array_equal(buffer.observations[num_steps], observation)
    env.close()


def test_one_command_writes_data_sets_that_minari_reads(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["oracle", "rollout", "--scenario", "paper-3-servers-v1", "--episodes", "2", "--seed", "3"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.count(" 2 episodes ") == 2
    costs = {}
    for policy in ("oracle", "rollout"):
        dataset = minari.load_dataset(f"mecgym/paper-3-servers-v1/{policy}-v0")
        assert dataset.total_episodes == 2
        episodes = list(dataset.iterate_episodes())
        costs[policy] = -sum(episode.rewards.sum() for episode in episodes) / dataset.total_steps
        assert episodes[0].observations.shape == (len(episodes[0].rewards) + 1, 18)
        env = dataset.recover_environment()
        observation, _info = env.reset(seed=3)
        np.testing.assert_array_equal(observation, episodes[0].observations[0])
        env.close()
    assert costs["oracle"] != costs["rollout"]
    assert main(arguments) == 2
    assert "a data set that does not exist" in capsys.readouterr().err


def test_what_cannot_be_played_is_refused(place: Path) -> None:
    with pytest.raises(MecgymError) as caught:
        create_dataset("mecgym/none-v0", "no-such-policy", 1)
    assert caught.value.code == "unknownPolicy"
    assert not list(place.iterdir())
