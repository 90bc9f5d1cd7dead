"""Wrappers that change the shape of observations, for single environments and for native batches.

Apply them in this order: `ScaledObservation`, `ServerTokens`, `ActionMaskObservation`. Each has a twin for batches,
whose name begins with ``Vector`` and which supports all three autoreset modes. Without wrappers, observations are flat.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..errors import MecgymError
from .branching import SessionEnv
from .transforms import ScaleTransform, TokenTransform

__all__ = [
    "ActionMaskObservation",
    "ScaledObservation",
    "ServerTokens",
    "VectorActionMaskObservation",
    "VectorScaledObservation",
    "VectorServerTokens",
]

Transform = ScaleTransform | TokenTransform


class _Transformed(gymnasium.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Applies a transform to the observations of an environment."""

    transform_type: ClassVar[type[Transform]]

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.ObservationWrapper.__init__(self, env)
        self.transform = self.transform_type(_base_of(env), env.observation_space)
        self.observation_space = self.transform.space

    def observation(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Transform one."""
        return self.transform(observation)


class ScaledObservation(_Transformed):
    """Observations of order 1; see `ScaleTransform` for what each number is divided by.

    Parameters
    ----------
    env : Env
        An environment whose observations are flat.
    """

    transform_type = ScaleTransform


class ServerTokens(_Transformed):
    """Observations as a matrix with a row for each action, for policies with attention over servers.

    Row 0 is the user's device, row e server e; `TokenTransform` says what the columns are, and ``transform.fields``
    names them. Float32, shape (max_servers + 1, number of fields); rows of servers that do not exist are zero except
    for the task.

    Parameters
    ----------
    env : Env
        An environment whose observations are flat.
    """

    transform_type = TokenTransform


class ActionMaskObservation(gymnasium.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Observations as a dict with the action mask, from the same source as ``info["action_mask"]``.

    Parameters
    ----------
    env : Env
        An environment with any observations.
    observation_key, mask_key : str
        Names in the dict. Ray RLlib's models look for ``"observations"`` and ``"action_mask"``.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], observation_key: str = "observation", mask_key: str = "action_mask"
    ) -> None:
        RecordConstructorArgs.__init__(self, observation_key=observation_key, mask_key=mask_key)
        gymnasium.ObservationWrapper.__init__(self, env)
        self._keys = (observation_key, mask_key)
        self._base = _base_of(env)
        self.observation_space = _masked_space(env.observation_space, self._base.max_servers, self._keys)

    def observation(self, observation: Any) -> dict[str, Any]:
        """Add the mask of the current decision, int8, shape (max_servers + 1,)."""
        return dict(zip(self._keys, (observation, self._base.action_masks().astype(np.int8)), strict=True))


class _VectorTransformed(VectorWrapper):
    """Applies a function to the observations of a batch, final observations included."""

    # in Gymnasium 1.2 this class takes no type arguments

    def __init__(self, env: VectorEnv[Any, Any, Any], space: spaces.Space[Any]) -> None:
        super().__init__(env)
        self.single_observation_space = space
        self.observation_space = batch_space(space, env.num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start episodes; see `OffloadingVectorEnv.reset`."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self.observations(observations), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Carry out one decision in each environment; see `OffloadingVectorEnv.step`."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        if "final_obs" in infos:
            final = np.empty(self.num_envs, dtype=object)
            for lane in np.flatnonzero(infos["_final_obs"]):
                mask = infos["final_info"]["action_mask"][lane]
                final[lane] = self.final_observation(infos["final_obs"][lane], mask)
            infos = {**infos, "final_obs": final}
        return self.observations(observations), rewards, terminations, truncations, infos

    def observations(self, observations: Any) -> Any:
        """Transform the observations of all n environments."""
        raise NotImplementedError

    def final_observation(self, observation: Any, mask: NDArray[np.int8]) -> Any:
        """Transform the last observation of an episode, which has this mask."""
        raise NotImplementedError


class _VectorShaped(_VectorTransformed):
    transform_type: ClassVar[type[Transform]]

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self.transform = self.transform_type(_base_of(env), env.single_observation_space)
        super().__init__(env, self.transform.space)

    def observations(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Transform the observations of all n environments, each of shape (n, ...)."""
        return self.transform(observations)

    def final_observation(self, observation: NDArray[np.float32], mask: NDArray[np.int8]) -> NDArray[np.float32]:
        """Transform the last observation of an episode."""
        return self.transform(observation)


class VectorScaledObservation(_VectorShaped):
    """`ScaledObservation` for a native batch."""

    transform_type = ScaleTransform


class VectorServerTokens(_VectorShaped):
    """`ServerTokens` for a native batch: float32, shape (n, max_servers + 1, number of fields)."""

    transform_type = TokenTransform


class VectorActionMaskObservation(_VectorTransformed):
    """`ActionMaskObservation` for a native batch: a dict of arrays of n rows each."""

    def __init__(
        self, env: VectorEnv[Any, Any, Any], observation_key: str = "observation", mask_key: str = "action_mask"
    ) -> None:
        self._keys = (observation_key, mask_key)
        self._base = _base_of(env)
        super().__init__(env, _masked_space(env.single_observation_space, self._base.max_servers, self._keys))

    def observations(self, observations: Any) -> dict[str, Any]:
        """Add the masks of the current decisions, int8, shape (n, max_servers + 1)."""
        return dict(zip(self._keys, (observations, self._base.action_masks().astype(np.int8)), strict=True))

    def final_observation(self, observation: Any, mask: NDArray[np.int8]) -> dict[str, Any]:
        """Add the mask of an episode's last decision."""
        return dict(zip(self._keys, (observation, mask.astype(np.int8)), strict=True))


def _masked_space(space: spaces.Space[Any], max_servers: int, keys: tuple[str, str]) -> spaces.Dict:
    mask = spaces.Box(0, 1, (max_servers + 1,), np.int8)
    # a list of pairs, because a dict would be sorted by its keys
    return spaces.Dict(list(zip(keys, (space, mask), strict=True)))


def _base_of(env: Any) -> Any:
    """Return the environment below all wrappers.

    Raises
    ------
    MecgymError
        ``invalidOption`` if it is not one of this package's.
    """
    base = env.unwrapped
    if not isinstance(base, SessionEnv):
        raise MecgymError("invalidOption", path="env", expected="an environment of mecgym", got=base)
    return base
