"""Environments for Ray RLlib: observations with masks, one batch for each env runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorObservationWrapper
from numpy.typing import NDArray
from ray.rllib.env.env_context import EnvContext

from ..envs.numeric import OffloadingEnv
from ..envs.vector import OffloadingVectorEnv
from .ray import node_address

__all__ = ["make_env"]


def make_env(config: Mapping[str, Any]) -> gymnasium.Env[Any, Any] | gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Make an environment, or a batch of them, from RLlib's ``env_config``.

    ``ray.tune.registry.register_env("mecgym", make_env)`` registers it, and
    ``env_runners(gym_env_vectorize_mode="vector_entry_point")`` gives each env runner one native batch. If
    `mecgym.ray.NodeServers` run, it plays on its node's server.

    Parameters
    ----------
    config : dict
        Arguments of `OffloadingEnv`. With a ``seed``, each env runner has that seed plus its index. ``log1p`` (False)
        takes ln(1 + x) of each number, which helps networks to learn, because queues grow long.

    Returns
    -------
    Env or VectorEnv
        Observations are dicts: ``observations``, float32 of shape (observation_size,), and ``action_mask``, float32 of
        shape (max_servers + 1,), 1 for actions that are available.
    """
    options = dict(config)
    num_envs = options.pop("num_envs", None)
    takes_logarithm = bool(options.pop("log1p", False))
    if options.get("seed") is not None and isinstance(config, EnvContext):
        options["seed"] += config.worker_index
    options.setdefault("address", node_address())
    if num_envs is None:
        return _MaskedEnv(OffloadingEnv(**options), takes_logarithm)
    return _MaskedVectorEnv(OffloadingVectorEnv(num_envs, **options), takes_logarithm)


def _space(observation: spaces.Space[Any], num_actions: int, takes_logarithm: bool) -> spaces.Dict:
    assert isinstance(observation, spaces.Box)
    high = np.log1p(observation.high) if takes_logarithm else observation.high
    mask = spaces.Box(0.0, 1.0, (num_actions,), np.float32)
    return spaces.Dict({"observations": spaces.Box(observation.low, high, dtype=np.float32), "action_mask": mask})


def _observe(values: NDArray[np.float32], mask: NDArray[np.bool_], takes_logarithm: bool) -> dict[str, Any]:
    observations = np.log1p(values) if takes_logarithm else values
    return {"observations": observations, "action_mask": mask.astype(np.float32)}


class _MaskedEnv(gymnasium.ObservationWrapper[Any, Any, Any]):
    def __init__(self, env: OffloadingEnv, takes_logarithm: bool) -> None:
        super().__init__(env)
        self._takes_logarithm = takes_logarithm
        self._offloading = env
        self.observation_space = _space(env.observation_space, env.max_servers + 1, takes_logarithm)

    def observation(self, observation: NDArray[np.float32]) -> dict[str, Any]:
        return _observe(observation, self._offloading.action_masks(), self._takes_logarithm)


class _MaskedVectorEnv(VectorObservationWrapper):
    def __init__(self, env: OffloadingVectorEnv, takes_logarithm: bool) -> None:
        super().__init__(env)
        self._takes_logarithm = takes_logarithm
        self._offloading = env
        self.single_observation_space = _space(env.single_observation_space, env.max_servers + 1, takes_logarithm)
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, env.num_envs)

    def observations(self, observations: NDArray[np.float32]) -> dict[str, Any]:
        return _observe(observations, self._offloading.action_masks(), self._takes_logarithm)
