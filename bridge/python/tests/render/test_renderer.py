"""Pictures of decisions: what they show, read from their pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics, RenderCollection
from numpy.typing import NDArray
from PIL import ImageColor

from mecgym import MecgymError, OffloadingEnv, OffloadingVectorEnv
from mecgym.render.picture import BLUE, HEIGHT, LATE, WIDTH, CostHistory, cells_of
from mecgym.render.scene import scene_of

MakeEnv = Callable[..., OffloadingEnv]
SMALL = {"numServers": 3, "episodeSlots": 8}
#: Tasks can hardly be in time.
LATE_WORLD = {"numServers": 3, "episodeSlots": 30, "deadlineSlots": 1}


def has_colour(picture: NDArray[np.uint8], colour: str, box: tuple[float, float, float, float]) -> bool:
    x0, y0, x1, y1 = (round(value) for value in box)
    wanted = np.asarray(ImageColor.getrgb(colour))
    return bool((np.abs(picture[y0:y1, x0:x1].astype(int) - wanted).sum(axis=2) < 12).any())


def framed(picture: NDArray[np.uint8], num_servers: int, colour: str) -> list[int]:
    """Return the servers whose frames, by their upper edges, have a colour."""
    places = enumerate(cells_of(num_servers), start=1)
    return [e for e, (x0, y0, x1, _y1) in places if has_colour(picture, colour, (x0 + 10, y0, x1 - 10, y0 + 2))]


@pytest.mark.parametrize("num_servers", [1, 3, 12, 13, 128])
def test_the_server_that_was_taken_is_framed(make_env: MakeEnv, num_servers: int) -> None:
    env = make_env({"numServers": num_servers, "episodeSlots": 8}, render_mode="rgb_array")
    env.reset(seed=1)
    first = env.render()
    assert (first.shape, first.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    frames = [framed(first, num_servers, BLUE)]
    for action in (1, num_servers, 0):
        env.step(action)
        frames.append(framed(env.render(), num_servers, BLUE))
    assert frames == [[], [1], [num_servers], []]


def test_late_tasks_have_another_colour(make_env: MakeEnv) -> None:
    env = make_env(LATE_WORLD, render_mode="rgb_array")
    env.reset(seed=1)
    assert env.step(2)[4]["is_late"]
    assert framed(env.render(), 3, LATE) == [2]


def test_drawing_changes_nothing(make_env: MakeEnv) -> None:
    drawn, other = make_env(SMALL, render_mode="rgb_array"), make_env(SMALL)
    for env in (drawn, other):
        env.reset(seed=2)
    truncated = False
    while not truncated:
        picture = drawn.render()
        np.testing.assert_array_equal(drawn.render(), picture)
        observation, reward, _, truncated, _ = drawn.step(1)
        expected = other.step(1)
        np.testing.assert_array_equal(observation, expected[0])
        assert reward == expected[1]
    assert drawn.render().shape == picture.shape


def test_every_lane_has_a_picture() -> None:
    envs = OffloadingVectorEnv(3, SMALL, render_mode="rgb_array")
    try:
        envs.reset(seed=1)
        envs.step([1, 2, 3])
        pictures = envs.render()
        assert pictures is not None
        assert [framed(picture, 3, BLUE) for picture in pictures] == [[1], [2], [3]]
    finally:
        envs.close()


def test_costs_of_an_episode_that_is_left_are_forgotten(make_env: MakeEnv) -> None:
    env, history = make_env(SMALL), CostHistory()

    def add() -> list[int]:
        assert env._batch is not None
        history.add(scene_of(env._session, env._batch))
        return [number for number, _cost, _late in history.costs]

    env.reset(seed=1)
    assert add() == []
    env.step(1)
    assert (add(), add()) == ([0], [0])
    env.step(0)
    assert add() == [0, 1]
    env.reset(seed=2)
    assert add() == []


def test_gymnasiums_wrappers_take_pictures() -> None:
    env = gymnasium.make("mecgym/Offloading-v0", scenario=SMALL, render_mode="rgb_array_list")
    try:
        env.reset(seed=1)
        env.step(1)
        frames: Any = env.render()
        assert [frame.shape for frame in frames] == [(HEIGHT, WIDTH, 3)] * 2
        assert any(isinstance(layer, RenderCollection) for layer in layers_of(env))
    finally:
        env.close()


def layers_of(env: Any) -> list[Any]:
    layers = [env]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers


def test_episode_statistics_are_those_of_the_rewards() -> None:
    env = RecordEpisodeStatistics(gymnasium.make("mecgym/Offloading-v0", scenario=SMALL))
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(
        gymnasium.make_vec("mecgym/Offloading-v0", num_envs=1, scenario=SMALL)
    )
    try:
        env.reset(seed=1)
        envs.reset(seed=1)
        rewards, truncated = [], False
        while not truncated:
            _, reward, _, truncated, info = env.step(1)
            _, _, _, truncations, infos = envs.step(np.asarray([1]))
            assert truncations[0] == truncated
            rewards.append(float(reward))
        assert info["episode"]["l"] == len(rewards)
        assert info["episode"]["r"] == pytest.approx(sum(rewards))
        assert infos["episode"]["l"].tolist() == [len(rewards)]
        assert infos["episode"]["r"][0] == pytest.approx(sum(rewards))
    finally:
        env.close()
        envs.close()


def test_without_pillow_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MecgymError, match=r"pip install 'mecgym\[render\]'") as caught:
        OffloadingEnv(SMALL, render_mode="rgb_array")
    assert caught.value.code == "missingPackage"
    OffloadingEnv(SMALL, render_mode="ansi").close()
