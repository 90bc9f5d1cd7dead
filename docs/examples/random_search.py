"""Trains a rule with one weight for each field of a server, by random search on a batch of environments."""

import gymnasium
import numpy as np

import mecgym  # noqa: F401 - its import registers the environments

ENVS, STEPS, ROUNDS = 64, 100, 30
envs = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=ENVS, scenario="paper-v1")
num_servers = envs.unwrapped.max_servers
fields = ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"]
random = np.random.default_rng(0)


def mean_reward(choose, seed):
    """Play STEPS decisions in every environment."""
    observations, infos = envs.reset(seed=seed)
    total = 0.0
    for _ in range(STEPS):
        observations, rewards, _, _, infos = envs.step(choose(observations, infos))
        total += rewards.mean()
    return total / STEPS


def rule(weights):
    """Take the server with the highest weighted sum, never the user's device."""

    def choose(observations, infos):
        servers = observations[:, -num_servers * len(fields) :].reshape(ENVS, num_servers, len(fields))
        return 1 + np.argmax(servers @ weights, axis=1)

    return choose


def at_random(observations, infos):
    """Take any action that is available."""
    return [random.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]]


weights, best = np.zeros(len(fields)), -np.inf
for _ in range(ROUNDS):
    candidate = weights + random.normal(size=len(fields))
    reward = mean_reward(rule(candidate), seed=0)
    if reward > best:
        weights, best = candidate, reward

# seeds that the search has never seen
before, after = mean_reward(at_random, seed=1000), mean_reward(rule(weights), seed=1000)
print(f"mean reward of a task, slots: at random {before:.3f}, trained {after:.3f}")
envs.close()
