"""Bodies: the arrays that each reply must have, and texts as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MecgymError, malformed

__all__ = ["Expected", "final_expected", "pack_texts", "policy_expected", "split_texts", "step_expected"]

#: Dtype and shape of each array of a layout.
Expected = dict[str, tuple[str, tuple[int, ...]]]


def step_expected(num_envs: int, observation_size: int, max_servers: int) -> Expected:
    """Return the arrays a step's reply must have."""
    n = (num_envs,)
    return {
        "observation": ("float32", (num_envs, observation_size)),
        **dict.fromkeys(("reward", "latencySlots", "costSlots"), ("float64", n)),
        **dict.fromkeys(("executedAction", "decisionIndex", "slot", "numServers"), ("int32", n)),
        **dict.fromkeys(("lostTasks", "lostOnTimeTasks"), ("int32", n)),
        "episodeSeed": ("uint64", n),
        "flags": ("uint8", n),
        "actionMask": ("uint8", (num_envs, max_servers + 1)),
    }


def final_expected(num_final: int, num_stats: int, observation_size: int | None) -> Expected:
    """Return the arrays that describe ended episodes; only same-step autoreset has observations."""
    expected: Expected = {
        "finalLane": ("int32", (num_final,)),
        "finalStats": ("float64", (num_final, num_stats)),
        "finalSlot": ("int32", (num_final,)),
    }
    if observation_size is not None:
        expected["finalObservation"] = ("float32", (num_final, observation_size))
    return expected


def policy_expected(num_envs: int) -> Expected:
    """Return the arrays that every reply to `policy` has after a step's."""
    n = (num_envs,)
    return {"costSumSlots": ("float64", n), "decisions": ("int32", n), "invalidActions": ("int32", n)}


def pack_texts(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Return the pair of arrays `…Offsets`, `…Bytes` of some texts; unpaired surrogates become question marks."""
    offsets: NDArray[np.int64] = np.zeros(len(texts) + 1, dtype=np.int64)
    whole = "".join(texts)
    if whole.isascii():
        # one byte for each character, so no text needs to be encoded by itself
        data = whole.encode()
        lengths = map(len, texts)
    else:
        pieces = [text.encode("utf-8", "replace") for text in texts]
        data = b"".join(pieces)
        lengths = map(len, pieces)
    np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(texts)), out=offsets[1:])
    if offsets[-1] >= 2**31:
        raise MecgymError("invalidOption", path="answers", expected="less than 2 GiB of text", got=int(offsets[-1]))
    return offsets.astype(np.uint32), np.frombuffer(data, dtype=np.uint8)


def split_texts(offsets: NDArray[Any], data: NDArray[Any]) -> list[str]:
    """Return the texts of a pair of arrays `…Offsets` and `…Bytes`.

    Raises
    ------
    ServerError
        ``malformedReply`` if they do not belong together.
    """
    bounds = offsets.tolist()
    if any(end < start for start, end in pairwise(bounds)) or bounds[-1] > len(data):
        malformed("offsets", f"growing numbers up to {len(data)}", bounds[:8])
    whole = data.tobytes()
    return [whole[start:end].decode("utf-8") for start, end in pairwise(bounds)]
