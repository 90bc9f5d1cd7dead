"""Minari data sets for offline learning: ``python -m mecgym.minari oracle rollout --episodes 100``.

Needs ``pip install 'mecgym[minari]'``. The server plays its own policies, and every step is recorded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import gymnasium
import minari
import numpy as np
from minari.data_collector import EpisodeBuffer
from numpy.typing import NDArray

from ..catalogue import describe
from ..checks import check_count, check_seed
from ..data.batch import FLAG_TRUNCATED, Batch
from ..data.scenarios import ScenarioInput, read_scenario
from ..envs.lanes import Lanes
from ..errors import MecgymError

__all__ = ["create_dataset", "record_episodes"]

#: Episodes that are played in parallel.
LANES = 64


def record_episodes(
    policy: str, episodes: int, *, scenario: ScenarioInput = "paper-v1", first_seed: int = 0, **options: Any
) -> list[EpisodeBuffer]:
    """Let the server play episodes with one of its policies, and record every step.

    Parameters
    ----------
    policy : str
        Name of a native policy.
    episodes : int
        How many; their seeds start at `first_seed`.
    scenario : str, path or dict
        As in `OffloadingEnv`.
    first_seed : int
        Seed of the first episode.
    **options
        Further arguments of `Lanes`, such as ``history`` or ``address``.

    Returns
    -------
    list of EpisodeBuffer
        With T actions and rewards, T + 1 observations, and the infos ``action_mask`` of all T + 1 decisions.

    Raises
    ------
    MecgymError
        ``unknownPolicy``, ``invalidOption``, ``invalidSeed``, and what `Lanes` raises.
    """
    episodes, first_seed = check_count(episodes, "episodes"), check_seed(first_seed, "first_seed")
    buffers: list[EpisodeBuffer] = []
    for start in range(0, episodes, LANES):
        count = min(LANES, episodes - start)
        buffers += _record(policy, count, first_seed + start, scenario, options)
    return buffers


def _record(
    policy: str, count: int, first_seed: int, scenario: ScenarioInput, options: dict[str, Any]
) -> list[EpisodeBuffer]:
    """Play one batch until each lane has ended once; what a lane plays after that is dropped."""
    with Lanes(count, scenario, **options) as lanes:
        first = lanes.reset(first_seed)
        observations, masks = [_observations(first)], [_masks(first)]
        actions, rewards = [], []
        ended_at = np.zeros(count, np.int64)
        while not ended_at.all():
            batch, _sums = lanes.run_policy(policy, 1)
            observations.append(_observations(batch))
            masks.append(_masks(batch))
            actions.append(batch.arrays["executedAction"].astype(np.int64))
            rewards.append(batch.arrays["reward"].astype(np.float64))
            has_ended = (batch.arrays["flags"] & FLAG_TRUNCATED) != 0
            ended_at[has_ended & (ended_at == 0)] = len(actions)
    return [
        _buffer(lane, first_seed + lane, int(ended_at[lane]), observations, masks, actions, rewards)
        for lane in range(count)
    ]


def _buffer(
    lane: int,
    seed: int,
    num_steps: int,
    observations: Sequence[NDArray[Any]],
    masks: Sequence[NDArray[Any]],
    actions: Sequence[NDArray[Any]],
    rewards: Sequence[NDArray[Any]],
) -> EpisodeBuffer:
    return EpisodeBuffer(
        seed=seed,
        observations=np.stack([row[lane] for row in observations[: num_steps + 1]]),
        actions=np.stack([row[lane] for row in actions[:num_steps]]),
        rewards=[float(row[lane]) for row in rewards[:num_steps]],
        terminations=[False] * num_steps,
        truncations=[step == num_steps - 1 for step in range(num_steps)],
        infos={"action_mask": np.stack([row[lane] for row in masks[: num_steps + 1]])},
    )


def _observations(batch: Batch) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = batch.arrays["observation"].astype(np.float32)
    return rows


def _masks(batch: Batch) -> NDArray[np.int8]:
    rows: NDArray[np.int8] = batch.arrays["actionMask"].astype(np.int8)
    return rows


def create_dataset(
    dataset_id: str,
    policy: str,
    episodes: int,
    *,
    scenario: ScenarioInput = "paper-v1",
    first_seed: int = 0,
    history: bool = False,
) -> minari.MinariDataset:
    """Record episodes, and store them among Minari's data sets.

    Parameters
    ----------
    dataset_id : str
        An id for Minari, such as ``"mecgym/paper/oracle-v0"``.
    policy, episodes, scenario, first_seed
        As in `record_episodes`.
    history : bool
        Whether observations end with the workload history.

    Raises
    ------
    MecgymError
        As in `record_episodes`; ``invalidOption`` if the data set exists.
    """
    scenario = read_scenario(scenario)
    if dataset_id in minari.list_local_datasets():
        raise MecgymError("invalidOption", path="dataset_id", expected="a data set that does not exist", got=dataset_id)
    played = describe(scenario).id
    buffers = record_episodes(policy, episodes, scenario=scenario, first_seed=first_seed, history=history)
    env = gymnasium.make("mecgym:mecgym/Offloading-v0", scenario=scenario, history=history)
    try:
        return minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            env=env,
            algorithm_name=policy,
            description=f"{episodes} episodes of {played}, from seed {first_seed} on, played by mecgym's {policy}.",
            data_format="arrow",
            requirements=["mecgym"],
        )
    finally:
        env.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a data set for each policy; return the exit code, 2 for bad input, with one line of explanation."""
    parser = argparse.ArgumentParser(prog="python -m mecgym.minari", description="Write Minari data sets.")
    parser.add_argument("policies", nargs="+", help="native policies, such as oracle and rollout")
    parser.add_argument("--scenario", default="paper-v1", help="id of a scenario, or a .json file of your own")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode")
    parser.add_argument("--history", action="store_true", help="observations with the workload history")
    parser.add_argument("--namespace", default="mecgym", help="what the data sets' ids begin with")
    options = parser.parse_args(arguments)
    for policy in options.policies:
        try:
            name = f"{options.namespace}/{describe(options.scenario).id}/{policy}-v0"
            dataset = create_dataset(
                name,
                policy,
                options.episodes,
                scenario=options.scenario,
                first_seed=options.seed,
                history=options.history,
            )
        except MecgymError as error:
            print(f"mecgym: {error}", file=sys.stderr)
            return 2
        print(f"{name}  {dataset.total_episodes} episodes  {dataset.total_steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
