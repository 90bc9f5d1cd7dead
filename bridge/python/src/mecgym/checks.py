"""Checks of what users pass, before anything is sent: what is refused here has changed nothing."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MecgymError

__all__ = [
    "MAX_SEED",
    "NEXT_EPISODE",
    "check_action",
    "check_actions",
    "check_count",
    "check_lanes",
    "check_reset_mask",
    "check_seed",
    "check_timeout",
    "random_seed",
]

#: Largest seed: 2^53 − 1, which every language represents exactly.
MAX_SEED = 2**53 - 1
#: The seed that stands for the next episode of the split.
NEXT_EPISODE = 2**64 - 1
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
ACTION_EXPECTED = "an integer: 0 for local execution, e for server e"


def check_action(action: Any) -> int:
    """Return an action as a Python integer.

    Raises
    ------
    MecgymError
        ``invalidAction`` unless it is a Python or NumPy integer that fits 32 bits.
    """
    if isinstance(action, np.ndarray) and action.ndim == 0:
        action = action[()]
    if not isinstance(action, (int, np.integer)) or isinstance(action, bool):
        raise MecgymError("invalidAction", path="action", expected=ACTION_EXPECTED, got=action)
    if not INT32_MIN <= action <= INT32_MAX:
        raise MecgymError("invalidAction", path="action", expected=f"{ACTION_EXPECTED}, of 32 bits", got=int(action))
    return int(action)


def check_actions(actions: Any, num_envs: int) -> NDArray[np.int32]:
    """Return one action for each of `num_envs` lanes as an array of int32, shape (num_envs,).

    Raises
    ------
    MecgymError
        ``invalidAction`` unless it is that many integers that fit 32 bits.
    """
    expected = f"{num_envs} integers, one for each environment"
    try:
        array = np.asarray(actions)
    except (ValueError, OverflowError) as error:
        raise MecgymError("invalidAction", path="actions", expected=expected, got=str(error)) from error
    if array.dtype.kind not in "iu":
        raise MecgymError("invalidAction", path="actions", expected=expected, got=f"an array of {array.dtype}")
    if array.shape != (num_envs,):
        raise MecgymError("invalidAction", path="actions", expected=expected, got=f"an array of shape {array.shape}")
    if array.dtype != np.int32:
        wide = (array < INT32_MIN) | (array > INT32_MAX)
        if wide.any():
            lane = int(wide.argmax())
            raise MecgymError(
                "invalidAction", path=f"actions/{lane}", expected=f"{ACTION_EXPECTED}, of 32 bits", got=int(array[lane])
            )
    return array.astype(np.int32)


def check_seed(seed: Any, path: str = "seed") -> int:
    """Return a seed as a Python integer.

    Raises
    ------
    MecgymError
        ``invalidSeed`` unless it is a Python or NumPy integer from 0 to 2^53 − 1.
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise MecgymError("invalidSeed", path=path, expected="an integer from 0 to 2^53 − 1", got=seed)
    return int(seed)


def check_reset_mask(mask: Any, num_envs: int) -> NDArray[np.bool_]:
    """Return which environments to reset, an array of bool, shape (num_envs,); all of them if `mask` is None.

    Raises
    ------
    MecgymError
        ``invalidOption`` unless it is such an array with at least one True.
    """
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,) or not mask.any():
        expected = f"an array of bool, shape ({num_envs},), with at least one True"
        raise MecgymError("invalidOption", path="options/reset_mask", expected=expected, got=mask)
    return mask


def check_lanes(lanes: Any, num_envs: int, path: str) -> NDArray[np.intp]:
    """Return indices of environments, all different, as an array.

    Raises
    ------
    MecgymError
        ``invalidOption``.
    """
    array = np.asarray(lanes)
    is_good = array.ndim == 1 and array.dtype.kind in "iu" and len(array) > 0
    if not is_good or array.min() < 0 or array.max() >= num_envs or len(np.unique(array)) < len(array):
        expected = f"indices of environments, 0 to {num_envs - 1}, none twice"
        raise MecgymError("invalidOption", path=path, expected=expected, got=lanes)
    return array.astype(np.intp)


def check_count(value: Any, path: str) -> int:
    """Return a count as a Python integer.

    Raises
    ------
    MecgymError
        ``invalidOption`` unless it is an integer of at least 1.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise MecgymError("invalidOption", path=path, expected="an integer of at least 1", got=value)
    return int(value)


def check_timeout(value: Any) -> float:
    """Return a waiting time in seconds.

    Raises
    ------
    MecgymError
        ``invalidOption`` unless it is a number above 0, of at most a day.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not is_number or not 0 < value <= 86_400:
        raise MecgymError("invalidOption", path="timeout_seconds", expected="seconds above 0, at most a day", got=value)
    return float(value)


def random_seed() -> int:
    """Return a seed nobody has chosen."""
    return secrets.randbits(53)
