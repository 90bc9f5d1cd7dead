"""What a step brings: arrays over the module's memory that nobody overwrites while somebody holds them."""

# A batch of a few lanes is copied: that costs less than anything else. A large one writes into one of several sets of
# outputs in turn. A set is free again once nobody holds an array over it. If all are held, the step writes into set 0,
# which is copied. So results never change behind the back of who has them, and are seldom copied.

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calls import Call
from .core import Core
from .memory import MemoryBlock

__all__ = ["Outputs", "num_output_sets"]

#: Outputs up to this size are copied, bytes.
COPIED_BYTES = 16 * 1024
#: Outputs beyond this size have no spare sets, bytes.
MAX_LENT_BYTES = 64 * 2**20
NUM_SETS = 4
PREFIX = "outputs."


def num_output_sets(num_lanes: int, observation_size: int, max_servers: int) -> int:
    """Return how many sets of outputs a batch should have."""
    num_bytes = num_lanes * (4 * observation_size + max_servers + 66)
    return NUM_SETS if COPIED_BYTES < num_bytes <= MAX_LENT_BYTES else 1


class Outputs:
    """The sets of outputs of a batch.

    Parameters
    ----------
    core : Core
        The batch.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        sets: list[dict[str, Any]] = []
        while PREFIX + "reward" + _suffix(len(sets)) in core.fields:
            sets.append({name: core.fields[PREFIX + name + _suffix(len(sets))] for name in _names(core)})
        firsts = [min(field.address for field in fields.values()) for fields in sets]
        end = max(field.address + field.num_bytes for field in sets[0].values())
        self._num_bytes = end - firsts[0]
        self._dtype = np.dtype(
            {
                "names": list(sets[0]),
                "formats": [(field.dtype, field.shape) for field in sets[0].values()],
                "offsets": [field.address - firsts[0] for field in sets[0].values()],
                "itemsize": self._num_bytes,
            }
        )
        #: Where each set begins in this process.
        self._addresses = [core.base + first for first in firsts]
        self._scratch = core.bytes_at(firsts[0], self._num_bytes)
        self._use_outputs: Call = core.fast("useOutputs")
        self._current = 0
        self._use_outputs(0)
        #: For each set, what is alive while somebody holds an array over it.
        self._lent: list[weakref.ref[NDArray[np.uint8]] | None] = [None] * len(sets)

    def prepare(self) -> None:
        """Before a step: have it write where nobody looks."""
        if len(self._addresses) == 1:
            return
        free = (i for i in range(1, len(self._addresses)) if (lent := self._lent[i]) is None or lent() is None)
        chosen = next(free, 0)
        if chosen != self._current:
            self._use_outputs(chosen)
            self._current = chosen

    def take(self) -> NDArray[Any]:
        """After a step: give what it brought, by name, read-only."""
        if self._current == 0:
            data = self._scratch.copy()
        else:
            data = MemoryBlock(self._addresses[self._current], self._num_bytes, self._core.store).array()
            self._lent[self._current] = weakref.ref(data)
        data.flags.writeable = False
        arrays: NDArray[Any] = np.ndarray((), self._dtype, data)
        return arrays


def _names(core: Core) -> list[str]:
    return [name[len(PREFIX) :] for name in core.fields if name.startswith(PREFIX) and "#" not in name]


def _suffix(index: int) -> str:
    return f"#{index}" if index else ""
