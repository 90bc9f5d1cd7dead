"""`OffloadingVecEnv`: one native batch as Stable-Baselines3's VecEnv; needs ``pip install 'mecgym[sb3]'``.

Stable-Baselines3 does not accept Gymnasium's vector environments, and its own would open one session for each
environment. This one steps all of them in one round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from ..data.look_ahead import LookAhead
from ..data.scenarios import ScenarioInput
from ..envs.vector import OffloadingVectorEnv
from ..errors import MecgymError

__all__ = ["OffloadingVecEnv"]

Indices = None | int | Iterable[int]
#: Attributes of a batch that each lane has, too.
SHARED_ATTRIBUTES = ("max_servers", "metadata", "render_mode", "scenario", "scenario_hash", "spec")


class OffloadingVecEnv(VecEnv):  # type: ignore[misc] # the library is not installed when types are checked
    """`num_envs` environments for the algorithms of Stable-Baselines3 and sb3-contrib.

    Parameters
    ----------
    num_envs : int
        How many environments, n.
    scenario : str, path or dict
        As in `OffloadingEnv`.
    **options
        Further arguments of `OffloadingVectorEnv`; the autoreset mode is always ``"SameStep"``, which is what this
        library expects.

    Notes
    -----
    Rewards are float32, as in the library's own environments. ``infos`` is a list of n dicts with the fields of
    `OffloadingEnv.step`; if an episode ended, they are those of its last step, with ``terminal_observation`` and
    ``episode_stats``, and ``TimeLimit.truncated`` is True. `seed` sets the seeds of the next reset, lane i plays
    episode seed + i; episodes after it are drawn from the split.
    """

    def __init__(self, num_envs: int = 8, scenario: ScenarioInput = "paper-v1", **options: Any) -> None:
        if "autoreset_mode" in options:
            raise MecgymError(
                "invalidOption",
                path="autoreset_mode",
                expected="nothing: it is SameStep",
                got=options["autoreset_mode"],
            )
        self.batch = OffloadingVectorEnv(num_envs, scenario, autoreset_mode=AutoresetMode.SAME_STEP, **options)
        self._actions: NDArray[Any] | None = None
        super().__init__(num_envs, self.batch.single_observation_space, self.batch.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Start an episode in every environment; the observations, array of float32, shape (n, observation_size)."""
        if any(self._options):
            raise MecgymError("invalidOption", path="options", expected="no options of a reset", got=self._options)
        observations, infos = self.batch.reset(seed=self._seeds)
        self.reset_infos = _rows(infos, self.num_envs)
        self._reset_seeds()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions, array of int, shape (n,), for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Carry the actions out.

        Returns
        -------
        observations : array of float32, shape (n, observation_size)
            If an episode ended, the first of the next one.
        rewards : array of float32, shape (n,)
            −J, slots.
        dones : array of bool, shape (n,)
        infos : list of n dicts
        """
        assert self._actions is not None, "step_wait comes after step_async"
        observations, rewards, _terminations, dones, infos = self.batch.step(self._actions)
        self._actions = None
        ended = infos.pop("final_info", None)
        final_observations = infos.pop("final_obs", None)
        rows = _rows(infos, self.num_envs)
        finals = _rows(ended, self.num_envs) if ended is not None else []
        for lane in np.flatnonzero(dones).tolist():
            # the row already shows the next episode's first decision
            self.reset_infos[lane] = rows[lane]
            rows[lane] = {
                **finals[lane],
                "terminal_observation": final_observations[lane],
                "TimeLimit.truncated": True,
            }
        for lane in np.flatnonzero(~dones).tolist():
            rows[lane]["TimeLimit.truncated"] = False
        return observations, rewards.astype(np.float32), dones, rows

    def close(self) -> None:
        """Free the environment on the server; may be called again."""
        self.batch.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture of each environment, if the render mode is ``"rgb_array"``."""
        images: Sequence[Any] | None = self.batch.render() if self.render_mode == "rgb_array" else None
        return [None] * self.num_envs if images is None else list(images)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions exist and are available, array of bool, shape (n, max_servers + 1)."""
        return self.batch.action_masks()

    def has_attr(self, attr_name: str) -> bool:
        """Whether each environment has an attribute or a method."""
        return attr_name in SHARED_ATTRIBUTES or attr_name in ("action_masks", "look_ahead")

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of some environments.

        Raises
        ------
        AttributeError
            There is nothing of that name.
        """
        if attr_name not in SHARED_ATTRIBUTES:
            raise AttributeError(f"the environments of an OffloadingVecEnv have no attribute {attr_name!r}")
        return [getattr(self.batch, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refuse: the environments are lanes of one batch, and have no attributes of their own to set.

        Raises
        ------
        AttributeError
            Always.
        """
        raise AttributeError(f"cannot set {attr_name!r}: the environments of an OffloadingVecEnv are lanes of a batch")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of some environments: ``action_masks``, ``look_ahead`` or ``render``.

        Raises
        ------
        AttributeError
            There is nothing of that name.
        """
        if method_name not in ("action_masks", "look_ahead", "render"):
            raise AttributeError(f"the environments of an OffloadingVecEnv have no method {method_name!r}")
        result = getattr(self.batch, method_name)(*method_args, **method_kwargs)
        lanes = self._get_indices(indices)
        if isinstance(result, LookAhead):
            return [_lane_of(result, lane) for lane in lanes]
        return [None if result is None else result[lane] for lane in lanes]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """Whether some environments are wrapped: never, because wrappers go around the batch."""
        return [False for _ in self._get_indices(indices)]


def _rows(infos: dict[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """Return infos of arrays as one dict for each row, with the row's values as Python numbers."""
    names = [name for name in infos if not name.startswith("_")]
    columns = {name: _column(infos[name], num_envs) for name in names}
    everywhere = [name for name in names if infos[f"_{name}"].all()]
    rows = [
        dict(zip(everywhere, values, strict=True))
        for values in zip(*(columns[name] for name in everywhere), strict=True)
    ] or [{} for _ in range(num_envs)]
    for name in names:
        if name not in everywhere:
            column = columns[name]
            for lane in np.flatnonzero(infos[f"_{name}"]).tolist():
                rows[lane][name] = column[lane]
    return rows


def _column(values: Any, num_envs: int) -> Sequence[Any]:
    if isinstance(values, dict):
        return _rows(values, num_envs)
    return list(values) if values.ndim > 1 else values.tolist()


def _lane_of(look_ahead: LookAhead, lane: int) -> LookAhead:
    """Return the look-ahead of one lane, without the actions that do not exist."""
    # an absent server costs infinity too, but it has an impact
    exists = np.isfinite(look_ahead.impact_slots[lane])
    arrays = (look_ahead.latency_slots, look_ahead.cost_slots, look_ahead.impact_slots, look_ahead.reward)
    return LookAhead(*(array[lane][exists] for array in arrays))
