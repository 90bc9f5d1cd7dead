"""Draws a decision of an episode into a file: ``picture.py FILE``; needs ``pip install 'mecgym[render]'``."""

import sys

import gymnasium
from PIL import Image

import mecgym  # noqa: F401 - its import registers the environments

env = gymnasium.make("mecgym/Offloading-v0", scenario="load-24-users-v1", render_mode="rgb_array")
env.reset(seed=7)
for decision in range(139):
    # every fourth task takes the actions in turn, so some tasks are late
    cheapest = env.unwrapped.look_ahead().cost_slots.argmin()
    env.step(cheapest if decision % 4 else decision % 7)
Image.fromarray(env.render()).save(sys.argv[1], optimize=True)
env.close()
