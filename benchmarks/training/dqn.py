"""Deep Q-learning in plain PyTorch, masked for absent servers: ``dqn.py --out results/dqn``.

The baseline of the paper: a network from a vector of fixed size to a value for each action, a replay memory, a slowly
following target network, and random actions that become rarer. Scenarios with several numbers of servers are padded to
the largest; servers that do not exist are masked, in play and in the targets.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
import torch
from common import FIRST_SEED, Saver, add_common_options, interruptible, load_checkpoint, report, save_checkpoint
from torch import Tensor, nn
from tqdm import tqdm

import mecgym

TRIED_ON = {  # what is trained in, the suite in whose settings a policy is tried, and their scenarios
    "paper-v1": ("paper-table-2", {"episodic": "paper-v1"}),
    "paper-3-to-11-servers-v1": (
        "paper-table-4",
        {f"{count}-servers-episodic": f"paper-{count}-servers-v1" for count in (3, 5, 7, 9, 11)},
    ),
}
WORST_REWARD = -30.0  # queues of a bad policy grow without end; what they cost beyond this teaches nothing more
MEMORY_FIELDS = {  # of a transition
    "observation": torch.float32,
    "action": torch.int64,
    "reward": torch.float32,
    "next_observation": torch.float32,
    "next_mask": torch.bool,
}


class Memory:
    """The last transitions, in a ring buffer; those of all lanes are added together."""

    def __init__(self, capacity: int, observation_size: int, num_actions: int) -> None:
        widths = {"observation": (observation_size,), "next_observation": (observation_size,)}
        widths |= {"next_mask": (num_actions,)}
        self.rows = {
            name: torch.zeros((capacity, *widths.get(name, ())), dtype=dtype) for name, dtype in MEMORY_FIELDS.items()
        }
        self.capacity, self.written = capacity, 0

    def add(self, **transitions: np.ndarray) -> None:
        """Add transitions, as arrays whose first axis is the transition."""
        count = len(transitions["action"])
        at = torch.arange(self.written, self.written + count) % self.capacity
        for name, values in transitions.items():
            self.rows[name][at] = torch.from_numpy(values).to(MEMORY_FIELDS[name])
        self.written += count

    def sample(self, count: int) -> dict[str, Tensor]:
        """Draw transitions, with replacement."""
        at = torch.randint(min(self.written, self.capacity), (count,))
        return {name: values[at] for name, values in self.rows.items()}


def make_network(observation_size: int, num_actions: int, width: int) -> nn.Module:
    """Return the network; its inputs must be of the order of 1 (see `scale`)."""
    layers = [nn.Linear(observation_size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, num_actions))


def scale(observations: np.ndarray) -> np.ndarray:
    """Bring observations, which range from fractions to thousands when queues are long, to the order of 1."""
    return np.log1p(observations)


def greedy(network: nn.Module, observations: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the available action with the highest value."""
    with torch.no_grad():
        values = network(torch.from_numpy(scale(observations)))
    return values.masked_fill(~torch.from_numpy(masks), -torch.inf).argmax(dim=1).numpy()


class Learner:
    """Everything that training changes, and that a checkpoint must hold."""

    def __init__(self, options: argparse.Namespace, observation_size: int, num_actions: int) -> None:
        self.options = options
        self.network = make_network(observation_size, num_actions, options.width)
        self.target = make_network(observation_size, num_actions, options.width)
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=options.learning_rate)
        self.memory = Memory(options.memory, observation_size, num_actions)
        self.generator = np.random.default_rng(options.seed)
        self.steps_done = 0  # decisions of all lanes

    def act(self, observations: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Explore with random available actions, which become rarer."""
        progress = min(1.0, self.steps_done / (self.options.explore_share * self.options.steps))
        is_random = self.generator.random(len(masks)) < 1 - 0.95 * progress
        draws = np.where(masks, self.generator.random(masks.shape), -1.0).argmax(axis=1)
        return np.where(is_random, draws, greedy(self.network, observations, masks))

    def learn(self) -> None:
        """Take one step towards the targets, which the target network computes from the next decisions."""
        batch = self.memory.sample(self.options.batch)
        with torch.no_grad():
            after = self.target(batch["next_observation"]).masked_fill(~batch["next_mask"], -torch.inf).amax(dim=1)
            # an episode is truncated, not terminated: more decisions would follow its last one
            wanted = batch["reward"] + self.options.discount * after
        values = self.network(batch["observation"]).gather(1, batch["action"][:, None])[:, 0]
        loss = nn.functional.smooth_l1_loss(values, wanted)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        for slow, fast in zip(self.target.parameters(), self.network.parameters(), strict=True):
            slow.data.lerp_(fast.data, 0.01)

    def state(self) -> dict[str, object]:
        """Return the whole state, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "memory": self.memory.rows,
            "written": self.memory.written,
            "generator": self.generator.bit_generator.state,
            "torch": torch.get_rng_state(),
            "steps_done": self.steps_done,
        }

    def restore(self, state: dict) -> None:
        """Resume from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.memory.rows, self.memory.written = state["memory"], state["written"]
        self.generator.bit_generator.state = state["generator"]
        torch.set_rng_state(state["torch"])
        self.steps_done = state["steps_done"]


def train(learner: Learner, env: mecgym.OffloadingVectorEnv, saved: dict | None) -> float:
    """Play and learn to the end; return the share of the time that was spent in the environment."""
    options, environment_seconds = learner.options, 0.0
    checkpoint = options.out / "checkpoint.pt"
    if saved is None:
        observations, _infos = env.reset(seed=options.seed)
    else:
        learner.restore(saved["learner"])
        observations, _infos = env.restore(saved["env"])
    masks = env.action_masks()
    start = time.perf_counter()

    def save() -> None:
        save_checkpoint(checkpoint, {"learner": learner.state(), "env": env.snapshot()}, options)

    saver = Saver(save, options.checkpoint_seconds)
    with (
        interruptible(saver.stop),
        tqdm(total=options.steps, initial=learner.steps_done, desc="dqn", unit="step") as bar,
    ):
        while learner.steps_done < options.steps:
            actions = learner.act(observations, masks)
            before = time.perf_counter()
            following, rewards, _terminations, truncations, infos = env.step(actions)
            next_masks = env.action_masks()
            environment_seconds += time.perf_counter() - before
            seen, seen_masks = following, next_masks
            if truncations.any():  # those lanes show a new episode already
                lanes = np.flatnonzero(truncations)
                seen, seen_masks = following.copy(), next_masks.copy()
                seen[lanes] = np.stack(list(infos["final_obs"][lanes]))
                seen_masks[lanes] = infos["final_info"]["action_mask"][lanes] > 0
            learner.memory.add(
                observation=scale(observations),
                action=actions,
                reward=np.maximum(rewards, WORST_REWARD),
                next_observation=scale(seen),
                next_mask=seen_masks,
            )
            observations, masks = following, next_masks
            learner.steps_done += env.num_envs
            bar.update(env.num_envs)
            if learner.memory.written >= options.warm_up:
                for _ in range(options.updates):
                    learner.learn()
            saver.check()
        save()
    return environment_seconds / (time.perf_counter() - start)


def main() -> None:
    """Train, then compare with a random policy and with the one-step oracle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--scenario", choices=sorted(TRIED_ON), default="paper-v1", help="what is trained in")
    parser.add_argument("--steps", type=int, default=60_000, help="decisions to learn from")
    parser.add_argument("--envs", type=int, default=64, help="lanes that are played at once")
    parser.add_argument("--updates", type=int, default=16, help="steps of learning after a step of all lanes")
    parser.add_argument("--batch", type=int, default=128, help="transitions of a step of learning")
    parser.add_argument("--memory", type=int, default=50_000, help="transitions that are kept")
    parser.add_argument("--warm-up", type=int, default=1_000, help="transitions before the first step of learning")
    parser.add_argument("--width", type=int, default=128, help="width of the two hidden layers")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of Adam")
    parser.add_argument("--discount", type=float, default=0.5, help="the paper has 0.99; what follows is far noisier")
    parser.add_argument("--explore-share", type=float, default=0.4, help="part of the steps until 5 %% are random")
    parser.add_argument("--checkpoint-seconds", type=float, default=30.0, help="time between two checkpoints")
    parser.add_argument("--episodes", type=int, default=20, help="validation episodes that are played in the end")
    add_common_options(parser, "results/dqn")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)  # the networks are small
    options.out.mkdir(parents=True, exist_ok=True)

    env = mecgym.OffloadingVectorEnv(options.envs, options.scenario, autoreset_mode="SameStep")
    max_servers = env.max_servers
    learner = Learner(options, env.single_observation_space.shape[0], max_servers + 1)
    share = train(learner, env, load_checkpoint(options.out / "checkpoint.pt", options))
    env.close()
    print(f"environment: {100 * share:.1f} % of the time of this run")

    suite, settings = TRIED_ON[options.scenario]
    seeds = range(FIRST_SEED, FIRST_SEED + options.episodes)
    actions = {}
    for setting, scenario in settings.items():
        played = mecgym.play_seeds(partial(greedy, learner.network), seeds, scenario, max_servers=max_servers)
        actions[setting] = played.actions
    report(options.out, "dqn", suite, actions, FIRST_SEED, {"steps": options.steps, "seed": options.seed})


if __name__ == "__main__":
    main()
