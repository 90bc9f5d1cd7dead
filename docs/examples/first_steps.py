"""Plays one episode, then looks ahead at its first decision."""

import gymnasium

import mecgym  # noqa: F401 - its import registers the environments

env = gymnasium.make("mecgym/Offloading-v0", scenario="paper-v1")

# play one episode, always with the action that costs least now: every step is one task
observation, info = env.reset(seed=7)
decisions = 0
cost_slots = 0.0
truncated = False
while not truncated:
    action = env.unwrapped.look_ahead().cost_slots.argmin()
    observation, reward, terminated, truncated, info = env.step(action)
    decisions += 1
    cost_slots += info["cost_slots"]
print(f"{decisions} decisions, mean cost {cost_slots / decisions:.3f} slots")

# the same episode again: what would each action of its first decision cost, and what would it leave behind?
env.reset(seed=7)
look_ahead = env.unwrapped.look_ahead()
for action, cost in enumerate(look_ahead.cost_slots):
    print(f"action {action}: cost {cost:.3f}, reward {look_ahead.reward[action]:.3f}")
env.close()
