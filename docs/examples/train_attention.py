"""PPO with a policy that takes any number of servers, in one file: ``train_attention.py STEPS [--seed S]``.

The policy sees the actions as tokens, one for the user's device and one for each server, lets them attend to each
other, and gives each a score. It has no weight that belongs to a server, so it trains on episodes with 3, 6 or 9
servers and plays others with 5, 11 or 32.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from tqdm import tqdm

import mecgym

TASK_FIELDS, SERVER_FIELDS = 6, 4  # of an observation without history: the task's, then those of each server
TRAINED_ON, TRIED_ON = [3, 6, 9], [5, 11, 32]
NUM_ENVS, NUM_STEPS, NUM_EPOCHS, NUM_BATCHES = 64, 64, 4, 8
GAMMA, LAMBDA, CLIP, ENTROPY = 0.5, 0.9, 0.2, 0.003
WORST_REWARD = -30.0  # queues of a bad policy grow without end; costs beyond this teach nothing more


class Policy(nn.Module):
    """Scores of actions and a value, from tokens."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed_device = nn.Linear(TASK_FIELDS, width)
        self.embed_server = nn.Linear(TASK_FIELDS + SERVER_FIELDS, width)
        self.mix = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.score = nn.Linear(width, 1)
        self.value = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, observations: Tensor, masks: Tensor) -> tuple[Categorical, Tensor]:
        """Take float32 (n, size) and bool (n, servers + 1); return n distributions over actions and n values."""
        # numbers range from fractions to thousands, if queues are long
        fields = torch.log1p(observations)
        task, servers = fields[:, :TASK_FIELDS], fields[:, TASK_FIELDS:].unflatten(1, (-1, SERVER_FIELDS))
        task_again = task[:, None].expand(-1, servers.shape[1], -1)
        device = self.embed_device(task)[:, None]
        tokens = torch.cat([device, self.embed_server(torch.cat([task_again, servers], dim=2))], dim=1)
        mixed = self.mix(tokens, src_key_padding_mask=~masks)
        weights = masks.float()[..., None]
        pooled = (mixed * weights).sum(1) / weights.sum(1)
        scores = self.score(mixed)[..., 0].masked_fill(~masks, -1e9)
        return Categorical(logits=scores, validate_args=False), self.value(pooled)[:, 0]


def play(policy: Policy, num_servers: int, seeds: range) -> float:
    """Return the mean cost of a decision in slots, in episodes with this many servers."""

    def act(observations: np.ndarray, masks: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            actions, _value = policy(torch.from_numpy(observations), torch.from_numpy(masks))
        return actions.logits.argmax(dim=1).numpy()

    return mecgym.play_seeds(act, seeds, {"numServers": num_servers}).mean_cost_slots


def rollouts(env: mecgym.OffloadingVectorEnv, policy: Policy, seed: int) -> Iterator[dict[str, Tensor]]:
    """Play without end; yield the data of every NUM_STEPS steps, tensors of shape (NUM_STEPS, NUM_ENVS, ...)."""
    observations, _infos = env.reset(seed=seed)
    while True:
        steps = []
        for _ in range(NUM_STEPS):
            seen, masks = torch.from_numpy(observations), torch.from_numpy(env.action_masks())
            with torch.no_grad():
                actions, values = policy(seen, masks)
                chosen = actions.sample()
            observations, rewards, _terminations, ends, infos = env.step(chosen.numpy())
            # an episode is cut off, not over: its future is worth the policy's value of the last observation
            final_values = torch.zeros(NUM_ENVS)
            if ends.any():
                lanes = np.flatnonzero(ends)
                last = torch.from_numpy(np.stack(list(infos["final_obs"][lanes])))
                with torch.no_grad():
                    last_masks = torch.from_numpy(infos["final_info"]["action_mask"][lanes] > 0)
                    final_values[lanes] = policy(last, last_masks)[1]
            steps.append(
                {
                    "observations": seen,
                    "masks": masks,
                    "actions": chosen,
                    "log_probs": actions.log_prob(chosen),
                    "values": values,
                    "rewards": torch.from_numpy(rewards).float().clamp(min=WORST_REWARD),
                    "ends": torch.from_numpy(ends),
                    "final_values": final_values,
                }
            )
        with torch.no_grad():
            _actions, next_values = policy(torch.from_numpy(observations), torch.from_numpy(env.action_masks()))
        data = {name: torch.stack([step[name] for step in steps]) for name in steps[0]}
        following = torch.cat([data["values"][1:], next_values[None]])
        following = torch.where(data["ends"], data["final_values"], following)
        errors = data["rewards"] + GAMMA * following - data["values"]
        advantages = torch.zeros_like(errors)
        after = torch.zeros(NUM_ENVS)
        for t in reversed(range(NUM_STEPS)):
            after = errors[t] + GAMMA * LAMBDA * after * ~data["ends"][t]
            advantages[t] = after
        yield data | {"advantages": advantages, "returns": advantages + data["values"]}


def update(policy: Policy, optimizer: torch.optim.Optimizer, data: dict[str, Tensor]) -> None:
    """Learn from a rollout (clipped objective)."""
    flat = {name: tensor.flatten(0, 1) for name, tensor in data.items()}
    for _ in range(NUM_EPOCHS):
        for part in torch.randperm(NUM_ENVS * NUM_STEPS).chunk(NUM_BATCHES):
            batch = {name: tensor[part] for name, tensor in flat.items()}
            actions, values = policy(batch["observations"], batch["masks"])
            ratio = (actions.log_prob(batch["actions"]) - batch["log_probs"]).exp()
            gain = (batch["advantages"] - batch["advantages"].mean()) / (batch["advantages"].std() + 1e-8)
            policy_loss = -torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            value_loss = (values - batch["returns"]).square().mean()
            loss = policy_loss + 0.5 * value_loss - ENTROPY * actions.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            optimizer.step()


def main() -> None:
    """Train, then play held-out episodes with numbers of servers that training never saw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)  # the networks are small

    env = mecgym.OffloadingVectorEnv(NUM_ENVS, {"numServers": TRAINED_ON}, autoreset_mode="SameStep")
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3, eps=1e-5)
    start = time.perf_counter()
    experience = rollouts(env, policy, options.seed)
    for _ in tqdm(range(options.steps // (NUM_ENVS * NUM_STEPS)), unit_scale=NUM_ENVS * NUM_STEPS, unit="step"):
        update(policy, optimizer, next(experience))
    print(f"trained on {TRAINED_ON} servers in {time.perf_counter() - start:.0f} s")
    env.close()

    seeds = range(1_000_000, 1_000_010)  # of the validation split
    for num_servers in TRAINED_ON + TRIED_ON:
        chance = mecgym.play_seeds(mecgym.random_policy(), seeds, {"numServers": num_servers}).mean_cost_slots
        cost = play(policy, num_servers, seeds)
        print(f"{num_servers} servers, mean cost in slots: random {chance:.3f} trained {cost:.3f}")


if __name__ == "__main__":
    main()
