"""The policy that `price.py` trains: the smallest J + the price of `adaptive` + a learned price, in NumPy.

A decision depends on the observation with facts and on the scenario, and on nothing else. `prices` computes it in
float64 with exactly rounded operations in a fixed order, so that `benchmarks/policies/learned-price.ts`, which does the
same, decides alike to the bit; whoever changes one of the two changes the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Numbers that begin an observation, of each server, of the facts, and of the facts of each server.
NUM_HEADER, NUM_SERVER, NUM_FACTS, NUM_SERVER_FACTS = 6, 4, 4, 2
#: Inputs of the network: of each server, of the device, and of the whole decision.
NUM_SERVER_INPUTS, NUM_DEVICE_INPUTS, NUM_SHARED_INPUTS = 13, 4, 12
WIDTH = 32

#: What `adaptive` takes the load to be before it has seen anything.
PRIOR_TASKS, PRIOR_SIZE_MBIT, PRIOR_SLOTS, PRIOR_TASKS_PER_SERVER_SLOT = 10.0, 3.5, 10.0, 0.6
#: e^(-1/4): how the input that tells of the end of the episode falls with each slot before it.
END_DECAY = 0.7788007830714049
END_SLOTS = 40
MEAN_CPU_GHZ = 34.0

#: Sizes of the network's weights. A layer's rows are its inputs.
SHAPES = {
    "server1": (NUM_SERVER_INPUTS, WIDTH),
    "shared1": (NUM_SHARED_INPUTS, WIDTH),
    "bias1": (WIDTH,),
    "server2": (WIDTH, WIDTH),
    "mean2": (WIDTH, WIDTH),
    "shared2": (NUM_SHARED_INPUTS, WIDTH),
    "bias2": (WIDTH,),
    "serverOut": (WIDTH,),
    "serverSkip": (NUM_SERVER_INPUTS,),
    "sharedSkip": (NUM_SHARED_INPUTS,),
    "biasOut": (1,),
    "device1": (NUM_DEVICE_INPUTS, WIDTH),
    "deviceShared1": (NUM_SHARED_INPUTS, WIDTH),
    "deviceMean1": (WIDTH, WIDTH),
    "deviceBias1": (WIDTH,),
    "deviceOut": (WIDTH,),
    "deviceSkip": (NUM_DEVICE_INPUTS,),
    "deviceSharedSkip": (NUM_SHARED_INPUTS,),
    "deviceBiasOut": (1,),
}


@dataclass(frozen=True)
class Constants:
    """What the scenario of each decision says, one row each: arrays of shape (n,)."""

    slot_seconds: Array
    penalty_slots: Array
    episode_slots: Array

    @classmethod
    def of(cls, scenarios: list[Mapping[str, Any]]) -> Constants:
        """Return those of a list of complete scenarios."""
        names = ("slotSeconds", "deadlinePenaltySlots", "episodeSlots")
        return cls(*(np.array([float(one[name]) for one in scenarios]) for name in names))

    def take(self, rows: Array) -> Constants:
        """Return some of the rows."""
        return Constants(self.slot_seconds[rows], self.penalty_slots[rows], self.episode_slots[rows])


@dataclass(frozen=True)
class Inputs:
    """What a price is computed from, for n decisions and E servers.

    Attributes
    ----------
    server, device, shared : arrays of shape (n, E, 13), (n, 4), (n, 12)
        Inputs of the network, of the order of 1.
    base : array of shape (n, E + 1)
        J and the price of `adaptive`, slots; infinite for an absent server.
    is_there : array of bool, shape (n, E)
    """

    server: Array
    device: Array
    shared: Array
    base: Array
    is_there: Array


def inputs(
    observations: Array,
    constants: Constants,
    adaptive: Array,
    max_servers: int,
    log: Callable[[Array], Array] = np.log,
    dtype: type = np.float64,
) -> Inputs:
    """Return the inputs for observations with facts, of shape (n, size).

    Parameters
    ----------
    adaptive : array of shape (23,)
        The weights of `adaptive`.
    log : callable
        The logarithm; `exact_log` for the same bits on every machine.
    dtype : type
        float64 for decisions, float32 for a training that is to be fast.
    """
    o = observations.astype(dtype)
    n, end = len(o), NUM_HEADER + NUM_SERVER * max_servers
    size, density, deadline, user, local_ghz, local_wait = o[:, :NUM_HEADER].T
    rate, ghz, tasks, work_waiting = np.moveaxis(o[:, NUM_HEADER:end].reshape(n, max_servers, NUM_SERVER), 2, 0)
    facts_at = o.shape[1] - NUM_FACTS - NUM_SERVER_FACTS * max_servers
    users_left, slot, decisions, mean_size = o[:, facts_at : facts_at + NUM_FACTS].T
    assigned_tasks, assigned_mbit = np.moveaxis(
        o[:, facts_at + NUM_FACTS :].reshape(n, max_servers, NUM_SERVER_FACTS), 2, 0
    )
    slot_seconds, penalty, episode_slots = (
        values.astype(dtype) for values in (constants.slot_seconds, constants.penalty_slots, constants.episode_slots)
    )
    one, zero = dtype(1), dtype(0)

    def total(values: Array) -> Array:
        """Sum over the servers there are, in their order."""
        summed = np.zeros(n, dtype)
        for e in range(max_servers):
            summed = summed + np.where(is_there[:, e], values[:, e], zero)
        return summed

    is_there = rate > 0
    safe_rate, safe_ghz = np.where(is_there, rate, one), np.where(is_there, ghz, one)
    count = total(np.ones_like(rate))
    there = np.where(count > 0, count, one)
    slots_ghz_per_mbit = density / slot_seconds
    slots_per_mbit = slots_ghz_per_mbit[:, None] / safe_ghz
    device_slots_per_mbit = slots_ghz_per_mbit / local_ghz
    work = size[:, None] * slots_per_mbit
    device_work = size * device_slots_per_mbit
    queue = work_waiting * slots_per_mbit
    wait = queue * (tasks + one)
    upload = size[:, None] / safe_rate / slot_seconds[:, None]
    assigned_work = assigned_mbit * slots_per_mbit
    mean = total(tasks) / there
    sum_ghz = total(safe_ghz)
    seen = decisions + one
    mean_seen = (dtype(PRIOR_TASKS * PRIOR_SIZE_MBIT) + mean_size * seen) / (dtype(PRIOR_TASKS) + seen)
    tasks_per_slot = (decisions / there + dtype(PRIOR_SLOTS * PRIOR_TASKS_PER_SERVER_SLOT)) / (
        slot + dtype(PRIOR_SLOTS)
    )
    load = tasks_per_slot * mean_seen * slots_ghz_per_mbit * there / np.where(count > 0, sum_ghz, one)

    # J and the price of `adaptive`; see benchmarks/policies/adaptive.ts
    w = adaptive.astype(dtype)
    late = deadline[:, None]
    latency = np.concatenate([(local_wait + device_work)[:, None], upload + wait + work * (tasks + one)], axis=1)
    base = np.where(latency > late, latency + penalty[:, None], latency)
    base[:, 0] = base[:, 0] + (
        local_wait * (w[15] + w[16] * load + w[17] * mean)
        + device_work * w[18] * load
        + w[19] * mean
        + load * (w[20] + w[21] * mean + w[22] * load)
    )
    per_task = (w[0] + w[4] * mean + load * (w[5] + w[9] * load + w[11] * mean))[:, None]
    per_task_squared = (w[1] + w[8] * mean + load * (w[6] + w[10] * load))[:, None]
    per_task_work = (w[3] + w[7] * load)[:, None]
    per_work = (w[12] * mean + w[13] * load)[:, None]
    per_wait = (w[14] * load)[:, None]
    added = (
        tasks * (per_task + tasks * per_task_squared + w[2] * wait + work * per_task_work)
        + work * per_work
        + wait * per_wait
    )
    base[:, 1:] = np.where(is_there, base[:, 1:] + added, np.inf)

    def log1p(values: Array) -> Array:
        return log(values + one)

    server = np.stack(
        [
            tasks,
            tasks * load[:, None],
            tasks * tasks * dtype(0.3),
            log1p(wait),
            log1p(wait * tasks),
            work * dtype(3),
            tasks * work * dtype(2),
            assigned_tasks,
            assigned_work * dtype(3),
            upload * dtype(0.3),
            queue * dtype(2),
            dtype(MEAN_CPU_GHZ) / safe_ghz - one,
            load[:, None] * work * dtype(3),
        ],
        axis=2,
    )
    server = np.where(is_there[:, :, None], server, zero)
    device = np.stack(
        [log1p(local_wait), device_work * dtype(0.3), load * device_work * dtype(0.3), local_wait * dtype(0.1)], axis=1
    )
    to_end = np.clip(episode_slots - slot, 0, END_SLOTS).astype(np.int64)
    per_server_left = users_left / there
    shared = np.stack(
        [
            mean,
            mean * load,
            load,
            log1p(total(wait) / there),
            per_server_left,
            per_server_left * load,
            total(assigned_tasks) / there,
            total(assigned_work) * dtype(3) / there,
            log1p(local_wait),
            end_ramp().astype(dtype)[to_end],
            size * dtype(0.3),
            user / (user + users_left + one),
        ],
        axis=1,
    )
    return Inputs(server, device, shared, base, is_there)


def end_ramp() -> Array:
    """Return e^(-k/4) for k slots to the end, by repeated multiplication."""
    ramp = np.ones(END_SLOTS + 1)
    for k in range(1, END_SLOTS + 1):
        ramp[k] = ramp[k - 1] * END_DECAY
    ramp[END_SLOTS] = 0.0
    return ramp


def act(values: Array) -> Array:
    """Return x·(1 + x/(1 + |x|))/2: like SiLU, of operations that round alike everywhere."""
    return values * (values / (np.abs(values) + 1.0) + 1.0) * 0.5


def prices(given: Inputs, weights: Mapping[str, Array]) -> Array:
    """Return the price of every action, float64 of shape (n, E + 1), slots; infinite for an absent server."""
    is_there = given.is_there
    num_servers = is_there.shape[1]
    count = is_there.sum(axis=1)
    there = np.where(count > 0, count, 1).astype(np.float64)[:, None]

    def times(values: Array, matrix: Array) -> Array:
        """Product, summed from the first input to the last."""
        summed = values[..., :1] * matrix[0]
        for k in range(1, len(matrix)):
            summed = summed + values[..., k : k + 1] * matrix[k]
        return summed

    def dot(values: Array, vector: Array) -> Array:
        return times(values, vector[:, None])[..., 0]

    def mean_of(hidden: Array) -> Array:
        summed = np.zeros((len(hidden), WIDTH))
        for e in range(num_servers):
            summed = summed + np.where(is_there[:, e, None], hidden[:, e], 0.0)
        return summed / there

    w = weights
    common1 = times(given.shared, w["shared1"]) + w["bias1"]
    hidden1 = act(times(given.server, w["server1"]) + common1[:, None])
    mean1 = mean_of(hidden1)
    common2 = times(mean1, w["mean2"]) + times(given.shared, w["shared2"]) + w["bias2"]
    hidden2 = act(times(hidden1, w["server2"]) + common2[:, None])
    offset = dot(given.shared, w["sharedSkip"]) + w["biasOut"]
    learned = dot(hidden2, w["serverOut"]) + dot(given.server, w["serverSkip"]) + offset[:, None]
    hidden = act(
        times(given.device, w["device1"])
        + times(given.shared, w["deviceShared1"])
        + times(mean1, w["deviceMean1"])
        + w["deviceBias1"]
    )
    device = (
        dot(hidden, w["deviceOut"])
        + dot(given.device, w["deviceSkip"])
        + dot(given.shared, w["deviceSharedSkip"])
        + w["deviceBiasOut"]
    )
    priced = given.base.copy()
    priced[:, 0] = priced[:, 0] + device
    priced[:, 1:] = np.where(is_there, priced[:, 1:] + learned, np.inf)
    return priced


LN2_HIGH, LN2_LOW = 6.9314718036912381649e-1, 1.90821492927058770002e-10


def exact_log(values: Array) -> Array:
    """Return natural logarithms of doubles from 1 on, with the bits of `ln` in env/math.ts (fdlibm's)."""
    x = np.ascontiguousarray(values, np.float64)
    high = (x.view(np.int64) >> 32).astype(np.int64)
    mantissa = high & 0xFFFFF
    biased = (high + 0x95F64) >> 20
    k = (biased - 1023).astype(np.float64)
    f = np.ldexp(x, (1023 - biased).astype(np.int32)) - 1.0
    short = f * f * (0.5 - 0.3333333333333333 * f)
    near_one = np.where(f == 0, k * LN2_HIGH + k * LN2_LOW, k * LN2_HIGH - (short - k * LN2_LOW - f))
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1))
    even = z * (
        6.66666666666673513e-1
        + w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1))
    )
    r = even + odd
    half = 0.5 * f * f
    wide = k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f)
    narrow = k * LN2_HIGH - (s * (f - r) - k * LN2_LOW - f)
    is_wide = ((mantissa - 0x6147A) | (0x6B851 - mantissa)) > 0
    return np.where(((2 + mantissa) & 0xFFFFF) < 3, near_one, np.where(is_wide, wide, narrow))


class LearnedPrice:
    """The policy of a weights file, for `mecgym.play_seeds` with ``facts=True``: observations and masks to actions.

    Parameters
    ----------
    file : path
        Weights, as `write_weights` writes them.
    scenario : dict
        The complete scenario of every lane.
    """

    def __init__(self, file: Path, scenario: Mapping[str, Any]) -> None:
        kept = json.loads(file.read_text(encoding="utf-8"))
        self.adaptive = np.array(kept["adaptive"])
        self.weights = {name: np.array(kept["weights"][name]).reshape(shape) for name, shape in SHAPES.items()}
        self._scenario = scenario

    def prices(self, observations: Array, max_servers: int) -> Array:
        """Return the price of every action, shape (n, max_servers + 1)."""
        constants = Constants.of([self._scenario] * len(observations))
        return prices(inputs(observations, constants, self.adaptive, max_servers, exact_log), self.weights)

    def __call__(self, observations: Array, masks: Array) -> Array:
        """Return the cheapest action of each decision, ties to the lowest index."""
        return self.prices(observations, masks.shape[1] - 1).argmin(axis=1)


def write_weights(file: Path, weights: Mapping[str, Array], adaptive: Array, about: Mapping[str, Any]) -> None:
    """Write a weights file: the shortest decimals that give the float32 numbers back."""
    numbers = {name: [float(str(np.float32(x))) for x in np.ravel(weights[name])] for name in SHAPES}
    kept = {"about": dict(about), "adaptive": [float(x) for x in adaptive], "weights": numbers}
    file.write_text(json.dumps(kept) + "\n", encoding="utf-8")
