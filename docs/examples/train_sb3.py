"""Trains with Stable-Baselines3 and plays the result: ``train_sb3.py dqn|ppo|maskable-ppo STEPS [SCENARIO]``."""

import sys

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from mecgym import play_seeds, random_policy
from mecgym.sb3 import OffloadingVecEnv

algorithm, steps = sys.argv[1], int(sys.argv[2])
scenario = sys.argv[3] if len(sys.argv) > 3 else "paper-v1"
torch.set_num_threads(1)  # the networks are small

# one batch of 16 environments; queues grow long under bad policies, so observations are normalised and clipped
env = VecNormalize(VecMonitor(OffloadingVecEnv(16, scenario, seed=0)), norm_reward=False, clip_obs=5.0)

# a task is done within a few decisions, so a short horizon learns fastest
on_policy = {"n_steps": 128, "batch_size": 256, "n_epochs": 5, "gae_lambda": 0.9, "ent_coef": 0.003}
exploration = {"exploration_fraction": 0.5, "target_update_interval": 500, "learning_starts": 1000}
kinds = {"dqn": (DQN, {"train_freq": 1, "gradient_steps": 2, "batch_size": 128, "buffer_size": 50_000, **exploration})}
kinds |= {"ppo": (PPO, on_policy), "maskable-ppo": (MaskablePPO, on_policy)}
kind, settings = kinds[algorithm]
model = kind("MlpPolicy", env, seed=0, gamma=0.5, learning_rate=1e-3, **settings)


def act(observations, masks):
    """Choose as the network does; only one of the algorithms supports masks."""
    options = {"action_masks": masks} if algorithm == "maskable-ppo" else {}
    actions, _state = model.predict(env.normalize_obs(observations), deterministic=True, **options)
    return actions


held_out = range(1_000_000, 1_000_016)  # of the validation split
untrained = play_seeds(act, held_out, scenario)
model.learn(steps, progress_bar=True)
trained = play_seeds(act, held_out, scenario)
env.close()
random = play_seeds(random_policy(), held_out, scenario)
print(f"mean cost in slots: random {random.mean_cost_slots:.3f}")
print(f"mean cost in slots: untrained {untrained.mean_cost_slots:.3f}")
print(f"mean cost in slots: trained {trained.mean_cost_slots:.3f}")
