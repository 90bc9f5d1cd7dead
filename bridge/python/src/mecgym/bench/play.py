"""`play_seeds`: plays a policy on given episodes, all in one batch, each from its seed to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..checks import MAX_SEED, check_seed
from ..data.scenarios import ScenarioInput, read_scenario
from ..envs.vector import OffloadingVectorEnv
from ..errors import MecgymError
from .evaluate import evaluate

__all__ = ["Played", "Policy", "play_seeds", "random_policy"]

#: Given observations, float32 of shape (n, observation_size), and masks, bool of shape (n, max_servers + 1): n actions.
Policy = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[Any]]


@dataclass(frozen=True)
class Played:
    """Results of some episodes.

    Attributes
    ----------
    seeds : array of int64, shape (n,)
        Their seeds.
    num_decisions : array of int64, shape (n,)
        Decisions in each.
    returns_slots : array of float64, shape (n,)
        Sum of the rewards of each, slots: minus the costs of its tasks.
    actions : list of list of int
        Executed actions of each, for `mecgym.evaluate`.
    failures : list of dict
        The actions that could not be taken, for `mecgym.evaluate`; the costliest ones were executed in their place.
    """

    seeds: NDArray[np.int64]
    num_decisions: NDArray[np.int64]
    returns_slots: NDArray[np.float64]
    actions: list[list[int]] = field(default_factory=list, repr=False)
    failures: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def mean_cost_slots(self) -> float:
        """Cost of a decision, slots, averaged over the decisions of all episodes."""
        return float(-self.returns_slots.sum() / self.num_decisions.sum())


def play_seeds(
    policy: Policy | str, seeds: Sequence[int], scenario: ScenarioInput = "paper-v1", **options: Any
) -> Played:
    """Play one episode for each seed.

    Parameters
    ----------
    policy : callable, or str
        The name of a native policy, which decides as in ``mecgym run``. Or a function that takes observations, array
        of float32, shape (n, observation_size), and masks, array of bool, shape (n, max_servers + 1), and returns n
        actions. It is called with every lane at every step, also with those whose episode has ended; their actions do
        not count. If it has a method ``reset``, that is called with n before the first step, so that a policy that
        remembers starts afresh.
    seeds : sequence of int
        Seeds of the n episodes. Those of the validation split are 1,000,000 to 1,009,999.
    scenario : str, path or dict
        As in `OffloadingEnv`.
    **options
        Further arguments of `OffloadingVectorEnv`, such as ``history``, ``max_servers`` or ``address``.

    Raises
    ------
    MecgymError
        ``invalidSeed``, ``invalidAction``, and what making an environment raises.
    """
    num_envs = len(seeds)
    scenario = read_scenario(scenario)
    if isinstance(policy, str):
        policy = _replayed(_native_actions(policy, [check_seed(seed) for seed in seeds], scenario, options))
    elif not callable(policy):
        raise MecgymError("invalidOption", path="policy", expected="a function or the name of a policy", got=policy)
    env = OffloadingVectorEnv(num_envs, scenario, autoreset_mode=AutoresetMode.SAME_STEP, **options)
    try:
        observations, _infos = env.reset(seed=seeds)
        num_decisions = np.zeros(num_envs, np.int64)
        returns_slots = np.zeros(num_envs, np.float64)
        is_running = np.ones(num_envs, np.bool_)
        executed: list[NDArray[Any]] = []
        failures: list[dict[str, Any]] = []
        reset = getattr(policy, "reset", None)
        if callable(reset):
            reset(num_envs)
        while is_running.any():
            actions = policy(observations, env.action_masks())
            observations, rewards, _terminations, truncations, infos = env.step(actions)
            # if all episodes end there are only final infos; if none ends there are no final infos
            ended, others = (one.get("executed_action", 0) for one in (infos.get("final_info", {}), infos))
            executed.append(np.where(truncations, ended, others))
            final = infos.get("final_info", {}).get("invalid_action", False)
            is_invalid = np.where(truncations, final, infos.get("invalid_action", False)) & is_running
            decision = len(executed) - 1
            failures += [
                {"unit": lane, "decision": decision, "failure": "invalidAction", "action": int(actions[lane])}
                for lane in np.flatnonzero(is_invalid).tolist()
            ]
            num_decisions += is_running
            returns_slots[is_running] += rewards[is_running]
            is_running &= ~truncations
    finally:
        env.close()
    failures.sort(key=lambda failed: (failed["unit"], failed["decision"]))
    # a lane plays its own episode first, so that episode's decisions are its first ones
    logs = [done[:count].tolist() for done, count in zip(np.transpose(executed), num_decisions, strict=True)]
    return Played(np.asarray(seeds, np.int64), num_decisions, returns_slots, logs, failures)


def random_policy(seed: int = 0) -> Policy:
    """Return a policy that draws each action from those that exist, as a baseline."""
    generator = np.random.default_rng(seed)

    def choose(_observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        draws = generator.random(masks.shape)
        chosen: NDArray[np.int64] = np.where(masks, draws, -1.0).argmax(axis=1)
        return chosen

    return choose


def _native_actions(
    name: str, seeds: Sequence[int], scenario: str | dict[str, Any], options: dict[str, Any]
) -> list[list[int]]:
    """Return what a native policy does in each episode, played by a server as ``mecgym run`` plays it."""
    where = {key: options[key] for key in ("address", "keys") if key in options}
    actions: dict[int, list[int]] = {}
    for first, count in _runs(sorted(set(seeds))):
        # a run has two episodes or more
        start = min(first, MAX_SEED - 1)
        result = evaluate(
            scenario=scenario,
            policies=[name],
            first_seed=start,
            episodes=max(count, 2),
            show_progress=False,
            **where,
        )
        (played,) = result["settings"][0]["policies"]
        actions.update(zip(range(start, start + max(count, 2)), played["actions"], strict=True))
    return [actions[seed] for seed in seeds]


def _runs(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Return first seed and length of each run of consecutive seeds."""
    runs: list[tuple[int, int]] = []
    for seed in seeds:
        if runs and seed == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((seed, 1))
    return runs


def _replayed(actions: Sequence[Sequence[int]]) -> Policy:
    """Return the policy that takes these actions, one list for each lane; ended lanes run locally."""
    step = 0

    def choose(observations: NDArray[np.float32], _masks: NDArray[np.bool_]) -> NDArray[Any]:
        nonlocal step
        chosen = np.asarray([one[step] if step < len(one) else 0 for one in actions], np.int64)
        step += 1
        assert len(chosen) == len(observations)
        return chosen

    return choose
