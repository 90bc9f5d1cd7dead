"""Gymnasium's RecordVideo writes films of episodes; the range of supported versions is what the package says."""

# ruff: noqa: D103

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.wrappers import RecordVideo
from moviepy import VideoFileClip

import mecgym  # noqa: F401 - its import registers the environments

SMALL = {"numServers": 3, "episodeSlots": 4}


def test_this_is_the_oldest_version_that_is_supported() -> None:
    assert f"gymnasium<2,>={gymnasium.__version__}" in (requires("mecgym") or [])


def check_film(folder: Path, num_frames: int, size: list[int]) -> None:
    (file,) = folder.glob("films/*.mp4")
    with VideoFileClip(str(file)) as film:
        assert film.size == size
        assert film.n_frames == num_frames
        # the first frame is the start of an episode: dark text on light paper
        frame = film.get_frame(0)
        assert 200 < np.median(frame) <= 255
        assert frame.min() < 80


def test_an_episode_becomes_a_film(tmp_path: Path) -> None:
    env = RecordVideo(
        gymnasium.make("mecgym/Offloading-v0", scenario=SMALL, render_mode="rgb_array"),
        str(tmp_path / "films"),
        episode_trigger=lambda episode: episode == 0,
    )
    env.reset(seed=1)
    num_frames, truncated = 1, False
    while not truncated:
        truncated = env.step(1)[3]
        num_frames += 1
    env.close()
    check_film(tmp_path, num_frames, [960, 544])


def test_a_batch_becomes_one_film(tmp_path: Path) -> None:
    envs = gymnasium.wrappers.vector.RecordVideo(
        gymnasium.make_vec("mecgym/Offloading-v0", num_envs=2, scenario=SMALL, render_mode="rgb_array"),
        str(tmp_path / "films"),
        step_trigger=lambda step: step == 0,
        video_length=5,
        video_aspect_ratio=(1, 1),
    )
    envs.reset(seed=1)
    for _ in range(8):
        envs.step(np.asarray([1, 2]))
    envs.close()
    # side by side; the frame after the last step is recorded too
    check_film(tmp_path, 6, [2 * 960, 544])
