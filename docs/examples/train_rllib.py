"""Trains with Ray RLlib's PPO, with masks and a server on every node: ``train_rllib.py ITERATIONS [ADDRESS]``."""

import os
import sys

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # otherwise Ray writes a token into the home folder

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

from mecgym import play_seeds, random_policy
from mecgym.ray import NodeServers
from mecgym.rllib import make_env

SCENARIO = "paper-3-to-11-servers-v1"  # episodes with fewer servers than 11 have actions that do not exist
iterations = int(sys.argv[1])
ray.init(address=sys.argv[2] if len(sys.argv) > 2 else None, include_dashboard=False, log_to_driver=False)
register_env("mecgym", make_env)

config = (
    PPOConfig()
    .environment("mecgym", env_config={"scenario": SCENARIO, "seed": 0, "log1p": True})
    .env_runners(
        num_env_runners=2,
        num_envs_per_env_runner=16,
        gym_env_vectorize_mode="vector_entry_point",  # one batch in each env runner
        rollout_fragment_length=128,
    )
    .rl_module(rl_module_spec=RLModuleSpec(module_class=ActionMaskingTorchRLModule))
    .training(lr=1e-3, gamma=0.5, lambda_=0.9, train_batch_size=4096, minibatch_size=512, num_epochs=6)
    .training(grad_clip=0.5, vf_clip_param=1000.0, entropy_coeff=0.003)
    .debugging(seed=0)
)


def cost_of(algorithm, seeds):
    """Return the mean cost of a decision in slots, always with the likeliest action."""
    module = algorithm.get_module()

    def act(observations, masks):
        inputs = {"observations": np.log1p(observations), "action_mask": masks.astype(np.float32)}
        with torch.no_grad():
            outputs = module.forward_inference({"obs": {name: torch.from_numpy(x) for name, x in inputs.items()}})
        return outputs["action_dist_inputs"].argmax(dim=1).numpy()

    return play_seeds(act, seeds, SCENARIO).mean_cost_slots


with NodeServers() as servers:
    print(f"{len(servers.addresses)} nodes with a server each")
    algorithm = config.build_algo()
    for iteration in range(1, iterations + 1):
        result = algorithm.train()
        mean = result["env_runners"].get("episode_return_mean", float("nan"))  # missing until an episode has ended
        print(f"iteration {iteration} of {iterations}: mean return of an episode {mean:.0f} slots", file=sys.stderr)
    held_out = range(1_000_000, 1_000_016)  # of the validation split
    print(f"mean cost in slots: random {play_seeds(random_policy(), held_out, SCENARIO).mean_cost_slots:.3f}")
    print(f"mean cost in slots: trained {cost_of(algorithm, held_out):.3f}")
    algorithm.stop()
ray.shutdown()
