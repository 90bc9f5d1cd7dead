"""Steps with as little Python around the call as there can be: what the caller keeps is copied, the rest waits."""

# A step of one lane takes about a microsecond. Every array that NumPy makes costs a fifth of that, and so do a lock or
# an object of a class written in Python. So these are closures over views that were made once. They copy the
# observations and rewards, which every caller wants, and the bytes of everything else in one piece: a `Batch` makes
# arrays of them when somebody asks.

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.batch import Batch
from ..data.infos import LaneInfo, LaneState
from ..errors import MecgymError
from .calls import FastCall, trapped
from .core import Core
from .outputs import Outputs

__all__ = ["DirectSteps"]

StepLane = Callable[[int], "tuple[NDArray[np.float32], float, bool, bool, LaneInfo] | None"]
StepBatch = Callable[[NDArray[Any]], "tuple[NDArray[np.float32], NDArray[np.float64], Batch]"]


class SteppedBatch(Protocol):
    """What is needed of an `EngineBatch`."""

    core: Core
    outputs: Outputs
    num_lanes: int
    stats_fields: Sequence[str]
    call_step: Callable[[], int]

    def call_step_again(self) -> int:
        """Repeat a step that did not happen, with the room that it needs."""

    def final_rows(self, num_final: int) -> NDArray[Any]:
        """Return what is told of the episodes that ended in the last step."""


class DirectSteps:
    """The steps of a batch of few lanes, whose outputs are copied.

    Parameters
    ----------
    batch : SteppedBatch
        The batch.
    prepared : FastCall
        A call of the module's `step`.
    """

    def __init__(self, batch: SteppedBatch, prepared: FastCall) -> None:
        self._batch = batch
        self._prepared = prepared

    def of_lane(self, lane: LaneState, in_use: threading.RLock) -> StepLane:
        """Return a step of lane 0, as `Env.step` returns it; None while another thread is in the environment.

        The step takes an action that is known to be an integer. If it is one beyond 32 bits, it raises ``ValueError``
        before anything changes.
        """
        batch, outputs = self._batch, self._batch.outputs
        core, call_again, final_rows = batch.core, batch.call_step_again, batch.final_rows
        function, arguments, trap, integers = self._prepared
        context, address, buffer, length, trap_address = arguments
        result, acquire, release = integers[0], in_use.acquire, in_use.release
        actions = core.view("actions").data
        copy_observation = core.view("outputs.observation")[0].copy
        reward = ctypes.c_double.from_buffer(core.view("outputs.reward").data)
        flags = ctypes.c_ubyte.from_buffer(core.view("outputs.flags").data)
        copy_outputs, layout = outputs.copy_scratch, outputs.layout

        def step(action: int) -> tuple[NDArray[np.float32], float, bool, bool, LaneInfo] | None:
            if not acquire(False):
                return None
            try:
                # a signal handler that comes in between finds no episode
                lane.is_running = False
                actions[0] = action
                if function(context, address, buffer, length, trap_address) is not None or trap:
                    raise trapped()
                final = None
                if result.value:
                    num_final = call_again() if result.value < 0 else result.value
                    final = final_rows(num_final) if num_final else None
                info = LaneInfo()
                info._step = lane.latest = copy_outputs(), layout, final
                truncated = flags.value & 1 != 0
                lane.is_running = not truncated
                return copy_observation(), reward.value, False, truncated, info
            except (MecgymError, ValueError):
                # nothing has changed
                lane.is_running = True
                raise
            except BaseException:
                lane.latest = None
                raise
            finally:
                release()

        return step

    def of_batch(self) -> StepBatch:
        """Return a step of all lanes, which gives observations, rewards and the batch.

        The caller holds the environment's lock. The step takes actions that are int32 or int64. If one is beyond 32
        bits, it raises ``struct.error`` before anything changes.
        """
        batch, outputs = self._batch, self._batch.outputs
        core, call_again, final_rows = batch.core, batch.call_step_again, batch.final_rows
        call, stats_fields = batch.call_step, batch.stats_fields
        actions = core.view("actions")
        copy_observations, copy_rewards = core.view("outputs.observation").copy, core.view("outputs.reward").copy
        copy_outputs, layout = outputs.copy_scratch, outputs.layout
        int32, pack = actions.dtype, struct.Struct(f"={batch.num_lanes}i").pack_into

        def step(wanted: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float64], Batch]:
            if wanted.dtype is int32:
                actions[:] = wanted
            else:
                # unlike NumPy it refuses what does not fit
                pack(actions.data, 0, *wanted.tolist())
            num_final = call()
            final = None
            if num_final:
                if num_final < 0:
                    num_final = call_again()
                final = final_rows(num_final) if num_final else None
            return copy_observations(), copy_rewards(), Batch(copy_outputs(), final, stats_fields, None, layout)

        return step
