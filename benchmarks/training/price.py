"""One learned price for all loads: ``price.py --seed 0 --out results/price-0``.

The policy takes the smallest J + price of `adaptive` + learned price (`price_policy.py`). It learns from forks: an
episode's world depends on its seed only, so lanes that are copies of one state and take different actions meet the same
future, and the difference of their costs is a paired sample of what an action costs more than another in the long run.
No value network and no sampled futures are needed; regression averages over futures. One network with shared weights
prices every server, at every load and number of servers that it is trained with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import (
    FIRST_SEED,
    Saver,
    add_common_options,
    interruptible,
    load_checkpoint,
    read_manifest,
    report,
    save_checkpoint,
    training_seeds,
)
from numpy.typing import NDArray
from price_policy import SHAPES, Constants, LearnedPrice, inputs, write_weights
from torch import Tensor, nn
from tqdm import tqdm

import mecgym

Array = NDArray[Any]

LANES = 4  # of a group: the cheapest action, the second cheapest, and two drawn ones
WINDOW_SLOTS = 16  # for which costs are added up after a fork
STEPS_PER_UPDATE = 2
HIDDEN_SLOTS = 8  # after different local decisions, equal observations say nothing for so long
DISCOUNT = 0.93  # of costs, each slot
LARGEST_LABEL = 15.0  # slots; what queues cost beyond it teaches nothing more
SAMPLE_FIELDS = ("server", "device", "shared", "base", "isThere", "actions", "labels", "setting")
#: Loads in which the trained policy is tried.
TRIED_IN = (
    "paper-v1",
    "load-18-users-v1",
    "load-24-users-v1",
    "load-30-users-v1",
    "size-6-mbit-v1",
    "bursty-v1",
)


def settings(lengths: tuple[int, ...] = (100, 300)) -> list[dict[str, Any]]:
    """Return the scenarios that are trained in; those with 6 servers come twice, because they are tried most."""
    bursts = {"process": "bursty", "busyProbability": 0.6, "quietProbability": 0.15}
    bursts |= {"meanBusySlots": 10, "meanQuietSlots": 20}
    six: list[dict[str, Any]] = [{"users": {"count": count}} for count in (12, 18, 24, 30)]
    six += [{"taskSizeMbit": {"min": low, "max": 6}} for low in (6, 4)]
    six += [{"arrivals": bursts}]
    heavy = [{"users": {"count": count}} for count in (36, 42)] + [{"taskSizeMbit": {"min": 7, "max": 7}}]
    others = [
        {"numServers": servers, "users": {"perServer": users}} for servers in (3, 4, 5, 7, 8) for users in (2, 3, 4, 5)
    ]
    return [{**one, "episodeSlots": slots} for slots in lengths for one in (*six, *six, *heavy, *others)]


class Network(nn.Module):
    """The learned price in float32: the same numbers as `price_policy.prices`, but for rounding."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        for name, shape in SHAPES.items():
            # what leads out starts at zero: the first policy is `adaptive`
            is_hidden = len(shape) == 2
            drawn = torch.randn(shape, generator=generator) / (shape[0] ** 0.5)
            self.weights[name] = nn.Parameter(drawn if is_hidden else torch.zeros(shape))

    def forward(self, server: Tensor, device: Tensor, shared: Tensor, is_there: Tensor) -> Tensor:
        """Return the learned price of every action, shape (n, E + 1)."""
        w = self.weights
        there = is_there.to(server.dtype)[..., None]
        count = there.sum(dim=1).clamp(min=1.0)
        common = shared @ w["shared1"] + w["bias1"]
        hidden1 = act(server @ w["server1"] + common[:, None])
        mean1 = (hidden1 * there).sum(dim=1) / count
        common = mean1 @ w["mean2"] + shared @ w["shared2"] + w["bias2"]
        hidden2 = act(hidden1 @ w["server2"] + common[:, None])
        offset = shared @ w["sharedSkip"] + w["biasOut"]
        servers = hidden2 @ w["serverOut"] + server @ w["serverSkip"] + offset[:, None]
        hidden = act(device @ w["device1"] + shared @ w["deviceShared1"] + mean1 @ w["deviceMean1"] + w["deviceBias1"])
        own = hidden @ w["deviceOut"] + device @ w["deviceSkip"] + shared @ w["deviceSharedSkip"] + w["deviceBiasOut"]
        return torch.cat([own[:, None], servers], dim=1)


def act(values: Tensor) -> Tensor:
    """Return x·(1 + x/(1 + |x|))/2; see `price_policy.act`."""
    if torch.is_grad_enabled():
        return values * (values / (values.abs() + 1.0) + 1.0) * 0.5
    # the same without copies, which take most of the time of playing
    gate = values.abs().add_(1.0)
    return torch.div(values, gate, out=gate).add_(1.0).mul_(values).mul_(0.5)


class Samples:
    """The labelled states of the last forks, in a ring buffer."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.written = capacity, 0
        self.rows: dict[str, Array] = {}

    def add(self, **rows: Array) -> None:
        """Add states, as arrays whose first axis is the state."""
        count = len(rows["setting"])
        if not self.rows:
            self.rows = {name: np.zeros((self.capacity, *rows[name].shape[1:]), rows[name].dtype) for name in rows}
        at = np.arange(self.written, self.written + count) % self.capacity
        for name, values in rows.items():
            self.rows[name][at] = values
        self.written += count

    def draw(self, count: int, generator: np.random.Generator) -> dict[str, Tensor]:
        """Draw states, with replacement."""
        at = generator.integers(0, min(self.written, self.capacity), count)
        return {name: torch.from_numpy(values[at]) for name, values in self.rows.items()}

    def state(self) -> dict[str, Any]:
        """Return what is kept, for a checkpoint."""
        count = min(self.written, self.capacity)
        return {"written": self.written, "rows": {name: values[:count].copy() for name, values in self.rows.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.written = 0
        if state["rows"]:
            self.add(**state["rows"])
        self.written = state["written"]


class Forks:
    """Groups of four lanes that start from one state, take different actions and then play alike."""

    def __init__(self, num_groups: int, scenarios: list[dict[str, Any]], generator: np.random.Generator) -> None:
        self.setting = np.arange(num_groups) % len(scenarios)
        self._generator = generator
        self.lanes = mecgym.Lanes(
            num_groups * LANES, scenarios, lane_scenario=np.repeat(self.setting, LANES).tolist(), autoreset="disabled",
            facts=True, seed=0, backend="engine",
        )  # fmt: skip
        complete = [entry["scenario"] for entry in self.lanes.scenarios]
        self.constants = Constants.of(complete).take(np.repeat(self.setting, LANES))
        self.num_groups = num_groups
        #: Slot of the running fork of each group; -1 if there is none.
        self.slot = np.full(num_groups, -1)
        self.actions = np.zeros((num_groups, LANES), np.int64)
        self.costs = np.zeros((num_groups, LANES))
        self.states: dict[str, Array] = {}
        self.observations = np.zeros((0,))
        self._slot_at = self.lanes.observation_size - (3 + 2 * self.lanes.max_servers)

    def start(self) -> None:
        """Start the first episodes."""
        seeds = np.repeat(training_seeds(self._generator, self.num_groups), LANES)
        self._take(self.lanes.session.reset(seeds.astype(np.uint64)))

    def _take(self, batch: Any) -> None:
        self.observations = batch.arrays["observation"]

    @property
    def slots(self) -> Array:
        """The slot of each group's decision."""
        return self.observations[::LANES, self._slot_at].astype(np.int64)

    def choose(self, prices: Array, given: Mapping[str, Array]) -> Array:
        """Return the action of each lane: the cheapest, or in groups without a fork four to compare."""
        actions = prices.argmin(axis=1).reshape(self.num_groups, LANES)
        fresh = np.flatnonzero(self.slot < 0)
        if len(fresh) == 0:
            return actions.reshape(-1)
        first = prices[fresh * LANES]
        tried = np.empty((len(fresh), LANES), np.int64)
        tried[:, :2] = np.argsort(first, axis=1, kind="stable")[:, :2]
        # the largest of price noise of Gumbel's distribution: a draw from the softmax at temperature 1
        noise = self._generator.gumbel(size=(2, *first.shape))
        tried[:, 2:] = (noise - first).argmax(axis=2).T
        actions[fresh] = tried
        if not self.states:
            self.states = {name: np.zeros_like(values[::LANES]) for name, values in given.items()}
        for name, values in given.items():
            self.states[name][fresh] = values[fresh * LANES]
        self.slot[fresh] = self.slots[fresh]
        self.actions[fresh], self.costs[fresh] = tried, 0.0
        return actions.reshape(-1)

    def play(self, actions: Array) -> dict[str, Array] | None:
        """Carry out a decision in each lane; return the states of the forks that have come to their ends."""
        slots = self.slots
        batch = self.lanes.step(actions)
        costs = batch.arrays["costSlots"].reshape(self.num_groups, LANES)
        self.costs += costs * (DISCOUNT ** (slots - self.slot))[:, None]
        has_ended = (batch.arrays["flags"][::LANES] & 1) != 0
        self._take(batch)
        passed = self.slots - self.slot
        rows = self.observations.reshape(self.num_groups, LANES, -1)
        have_met = (rows == rows[:, :1]).all(axis=(1, 2))
        is_hidden = (self.actions == 0).any(axis=1) & ~(self.actions == 0).all(axis=1)
        is_done = has_ended | (passed >= WINDOW_SLOTS) | (have_met & (~is_hidden | (passed >= HIDDEN_SLOTS)))
        if not is_done.any():
            return None
        done = np.flatnonzero(is_done)
        labels = np.clip(self.costs[done] - self.costs[done, :1], -LARGEST_LABEL, LARGEST_LABEL)
        found = {name: values[done] for name, values in self.states.items()}
        found |= {"actions": self.actions[done], "labels": labels.astype(np.float32), "setting": self.setting[done]}
        self.slot[done] = -1
        self._join(np.flatnonzero(is_done & ~has_ended))
        self._restart(np.flatnonzero(has_ended))
        return found

    def _join(self, groups: Array) -> None:
        """Copy one lane of each group, drawn at random, onto the others."""
        if len(groups) == 0:
            return
        chosen = self._generator.integers(0, LANES, len(groups))
        sources, targets = [], []
        for group, own in zip(groups.tolist(), chosen.tolist(), strict=True):
            others = [lane for lane in range(LANES) if lane != own]
            sources += [group * LANES + own] * len(others)
            targets += [group * LANES + lane for lane in others]
        self._take(self.lanes.session.fork_lanes(sources, targets))

    def _restart(self, groups: Array) -> None:
        """Start new episodes, the same for the lanes of a group."""
        if len(groups) == 0:
            return
        seeds, mask = np.zeros((2, self.num_groups, LANES), np.uint64)
        seeds[groups] = training_seeds(self._generator, len(groups))[:, None]
        mask[groups] = 1
        self._take(self.lanes.session.reset(seeds.reshape(-1), mask.reshape(-1).astype(np.uint8)))

    def state(self) -> dict[str, Any]:
        """Return the whole state, for a checkpoint."""
        kept = {name: getattr(self, name).copy() for name in ("slot", "actions", "costs")}
        states = {name: values.copy() for name, values in self.states.items()}
        return {**kept, "states": states, "lanes": self.lanes.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        for name in ("slot", "actions", "costs", "states"):
            setattr(self, name, state[name])
        self._take(self.lanes.restore(state["lanes"]))


class Learner:
    """Everything that training changes, and that a checkpoint must hold."""

    def __init__(self, options: argparse.Namespace, scenarios: list[dict[str, Any]], adaptive: Array) -> None:
        self.options, self.adaptive = options, adaptive
        self.generator = np.random.default_rng(options.seed)
        self.network, self.averaged = Network(options.seed), Network(options.seed)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=options.learning_rate)
        self.samples = Samples(options.memory)
        self.forks = Forks(options.groups, scenarios, self.generator)
        #: Variance of labels around their predictions, of each setting.
        self.variance = torch.full((len(scenarios),), 4.0)
        self.steps_done = 0  # of all lanes together

    def step(self) -> None:
        """Play one decision in every lane, and learn in every second step."""
        forks = self.forks
        found = inputs(forks.observations, forks.constants, self.adaptive, forks.lanes.max_servers, dtype=np.float32)
        given = {"server": found.server, "device": found.device, "shared": found.shared, "isThere": found.is_there}
        with torch.no_grad():
            learned = self.network(*(torch.from_numpy(values) for values in given.values())).numpy()
        labelled = forks.play(forks.choose(found.base + learned, {**given, "base": found.base}))
        if labelled is not None:
            self.samples.add(**labelled)
        self.steps_done += 1
        if self.steps_done % STEPS_PER_UPDATE == 0 and self.samples.written >= self.options.warm_up:
            self.learn()

    def learn(self) -> None:
        """Take one step towards the labels."""
        progress = self.steps_done / self.options.steps
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * (1 - 0.95 * progress)
        batch = self.samples.draw(self.options.batch, self.generator)
        learned = self.network(batch["server"], batch["device"], batch["shared"], batch["isThere"])
        priced = (learned + batch["base"]).gather(1, batch["actions"])
        gaps = priced[:, 1:] - priced[:, :1]
        is_other = batch["actions"][:, 1:] != batch["actions"][:, :1]
        errors = torch.where(is_other, gaps - batch["labels"][:, 1:], torch.zeros(()))
        setting = batch["setting"]
        weights = is_other / (1.0 + (gaps.detach() / 2.0) ** 2) / self.variance[setting][:, None]
        loss = (weights * errors**2).sum() / weights.sum()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, self.options.averaging)
            counts = torch.zeros_like(self.variance).index_add_(0, setting, is_other.sum(dim=1).float())
            sums = torch.zeros_like(self.variance).index_add_(0, setting, (errors**2).sum(dim=1))
            seen = counts > 0
            self.variance[seen] += 0.02 * (sums[seen] / counts[seen] - self.variance[seen])
            self.variance.clamp_(min=0.25)

    def state(self) -> dict[str, Any]:
        """Return the whole state, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "samples": self.samples.state(),
            "forks": self.forks.state(),
            "variance": self.variance,
            "generator": self.generator.bit_generator.state,
            "steps_done": self.steps_done,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.samples.restore(state["samples"])
        self.forks.restore(state["forks"])
        self.variance = state["variance"]
        self.generator.bit_generator.state = state["generator"]
        self.steps_done = state["steps_done"]

    def weights(self) -> dict[str, Array]:
        """Return the averaged weights."""
        return {name: values.detach().numpy() for name, values in self.averaged.weights.items()}


def train(learner: Learner, saved: Mapping[str, Any] | None) -> None:
    """Play and learn to the end."""
    options = learner.options
    checkpoint = options.out / "checkpoint.pt"
    if saved is None:
        learner.forks.start()
    else:
        learner.restore(saved)
    saver = Saver(lambda: save_checkpoint(checkpoint, learner.state(), options), options.checkpoint_seconds)
    with (
        interruptible(saver.stop),
        tqdm(total=options.steps, initial=learner.steps_done, desc="price", unit="step") as bar,
    ):
        while learner.steps_done < options.steps:
            learner.step()
            bar.update(1)
            saver.check()
    save_checkpoint(checkpoint, learner.state(), options)


def compare(file: Path, episodes: int) -> list[list[int]]:
    """Print costs on validation seeds beside those of `adaptive`; return the actions at the default load."""
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    logs: dict[str, list[list[int]]] = {}
    print("scenario | learned price, slots | minus adaptive, paired, ± 1.96 standard errors\n--- | --- | ---")
    for name in TRIED_IN:
        with mecgym.Lanes(1, name, seed=0) as lanes:
            scenario = lanes.scenarios[0]["scenario"]
        learned, start = LearnedPrice(file, scenario), LearnedPrice(file, scenario)
        start.weights = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        played, before = (mecgym.play_seeds(policy, seeds, name, facts=True) for policy in (learned, start))
        own, other = (-one.returns_slots / one.num_decisions for one in (played, before))
        error = 1.96 * np.std(own - other, ddof=1) / np.sqrt(episodes)
        print(f"{name} | {played.mean_cost_slots:.3f} | {np.mean(own - other):+.3f} ± {error:.3f}", flush=True)
        logs[name] = played.actions
    return logs["paper-v1"]


def main() -> None:
    """Train, then compare with a random policy, the oracle and `adaptive` on validation seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--steps", type=int, default=6_000, help="decisions of every lane")
    parser.add_argument("--groups", type=int, default=308, help=f"forks at once, each of {LANES} lanes")
    parser.add_argument("--batch", type=int, default=384, help="states of a step of learning")
    parser.add_argument("--memory", type=int, default=150_000, help="states that are kept")
    parser.add_argument("--warm-up", type=int, default=2_000, help="states before learning begins")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="at first; it falls to 5 %% of that")
    parser.add_argument("--averaging", type=float, default=0.004, help="share of the newest weights in the averaged")
    parser.add_argument("--checkpoint-seconds", type=float, default=60.0, help="time between two checkpoints")
    parser.add_argument("--episodes", type=int, default=40, help="validation episodes that are played in the end")
    add_common_options(parser, "results/price")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the network is small
    options.out.mkdir(parents=True, exist_ok=True)
    learner = Learner(options, settings(), np.array(list(read_manifest()["adaptive"]["weights"].values())))
    lanes, size = options.groups * LANES, sum(values.numel() for values in learner.network.parameters())
    minutes = options.steps * lanes / 1.2e7 * 10
    print(
        f"{options.steps} decisions of {lanes} lanes, {size} weights: about {minutes:.1f} minutes on one core",
        flush=True,
    )
    start = time.perf_counter()
    train(learner, load_checkpoint(options.out / "checkpoint.pt", options))
    print(f"{learner.samples.written} labelled states, {(time.perf_counter() - start) / 60:.1f} minutes in this run")
    file = options.out / "weights.json"
    about = {"method": "price", "seed": options.seed, "steps": options.steps, "groups": options.groups}
    write_weights(file, learner.weights(), learner.adaptive, about)
    print(f"wrote {file}")
    if options.episodes > 1:
        actions = {"episodic": compare(file, options.episodes)}
        parameters = {"seed": options.seed, "steps": options.steps}
        report(options.out, "price", "paper-table-2", actions, FIRST_SEED, parameters, ["random", "oracle", "adaptive"])


if __name__ == "__main__":
    main()
