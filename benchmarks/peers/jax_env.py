"""The model of docs/model.md written by hand in JAX, for `jit` and `lax.scan`: every operation covers all lanes.

Like `numpy_env.py`, it is a peer of the speed benchmark for scenarios with Bernoulli arrivals, shared-rate service and
a fixed number of servers. It has the kernel's costs up to rounding (1e-9), but not to the bit: a task takes the first
free place of its queue, so sums of residuals have another order. What makes it fast:

- Lanes are the last axis everywhere, so that every operation runs over contiguous numbers.
- A lane whose next task is some slots away serves one slot in each step of the scan. A lane whose episode has ended
  begins the next one in a step of its own. Neither takes a decision, and such steps are not counted.
- A gap between two Bernoulli arrivals is geometric, so one draw finds the next task instead of one draw for each user.
- Random bits come from XLA's own generator (`unsafe_rbg`), which is several times as fast as the default.

Arrays have fixed sizes in JAX, so a queue has room for `max_tasks` tasks, and every pass over it pays for all of them.
`State.most_tasks` is the length of the longest queue: if it exceeds `max_tasks`, the run is invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from numpy_env import HEADER, RESIDUAL_TOLERANCE_MBIT, Parameters

jax.config.update("jax_enable_x64", True)

TWO_TO_MINUS_32 = 2.0**-32


class Tasks(NamedTuple):
    """The next task of every lane, and the servers it would find if a new episode began with it."""

    gap: Array
    """Users asked until one has a task, [lanes]; 1 if the next user, or at the start the first user, has one."""
    size_mbit: Array
    rate_mbps: Array
    """[E, lanes]."""
    cpu_ghz: Array
    """F_e of a new episode, GHz, [E, lanes]."""


class State(NamedTuple):
    """The state of all lanes; the last axis is the lane."""

    world: Any
    slot: Array
    end_slot: Array
    user: Array
    slots_to_serve: Array
    """Slots between now and the current task, which can be decided at 0."""
    has_ended: Array
    """Whether the next step begins a new episode."""
    size_mbit: Array
    rate_mbps: Array
    cpu_ghz: Array
    residual_mbit: Array
    """[max_tasks, E, lanes], 0 in a free place."""
    is_served: Array
    """Whether a task was there when the slot began, [max_tasks, E, lanes]."""
    workload_mbit: Array
    active_tasks: Array
    backlog_mbit: Array
    """The backlog when the slot began, [U, lanes]."""
    added_mbit: Array
    observation: Array
    """float32 [6 + 4·E, lanes] as in docs/model.md."""
    most_tasks: Array


class Step(NamedTuple):
    """What a step of the scan did in each lane."""

    is_decision: Array
    action: Array
    cost_slots: Array
    truncated: Array
    observation: Array
    """The observation before the decision."""


World = Callable[[Any, Array], tuple[Any, Tasks]]
"""The next tasks of the lanes that take one, [lanes]; the tasks of other lanes are not used."""
Policy = Callable[[Any, Array], tuple[Any, Array]]
"""Maps the world's state and the costs of all actions, [E + 1, lanes], to actions [lanes]."""


def drawn_world(num_lanes: int, p: Parameters) -> World:
    """Tasks drawn from the key that is the world's state."""

    def draw(key: Array, _takes: Array) -> tuple[Array, Tasks]:
        key, subkey = jax.random.split(key)
        uniform = _uniforms(subkey, (2 + 2 * p.num_servers, num_lanes))
        # above 0, where the logarithm is not defined
        positive = uniform + 0.5 * TWO_TO_MINUS_32
        fading = -jnp.log(positive[2 : 2 + p.num_servers])  # |h|² of Rayleigh fading
        rate = jnp.maximum(p.rate_scale_mbps * jnp.log1p(p.snr_ratio * fading), p.min_rate_mbps)
        gap = 1 + jnp.floor(jnp.log(positive[0]) / jnp.log(1 - p.arrival_probability)).astype(jnp.int32)
        size = p.min_size_mbit + p.size_span_mbit * uniform[1]
        return key, Tasks(gap, size, rate, p.min_cpu_ghz + p.cpu_span_ghz * uniform[2 + p.num_servers :])

    return draw


def _uniforms(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.bits(key, shape, jnp.uint32).astype(jnp.float64) * TWO_TO_MINUS_32


def greedy(world: Any, costs: Array) -> tuple[Any, Array]:
    """Return the action with the smallest cost in every lane, ties to the lowest index."""
    return world, jnp.argmin(costs, axis=0).astype(jnp.int32)


def uniform(key: Array, costs: Array) -> tuple[Array, Array]:
    """Return an action drawn uniformly from {0, …, E} in every lane; the world is `drawn_world`'s."""
    key, subkey = jax.random.split(key)
    return key, jnp.floor(_uniforms(subkey, costs.shape[1:]) * costs.shape[0]).astype(jnp.int32)


def start(num_lanes: int, max_tasks: int, p: Parameters, world: Any) -> State:
    """Return lanes whose first step begins their first episode."""
    servers, n = p.num_servers, num_lanes
    return State(
        world=world,
        slot=jnp.zeros(n, jnp.int32),
        end_slot=jnp.zeros(n, jnp.int32),
        user=jnp.zeros(n, jnp.int32),
        slots_to_serve=jnp.zeros(n, jnp.int32),
        has_ended=jnp.ones(n, bool),
        size_mbit=jnp.zeros(n),
        rate_mbps=jnp.ones((servers, n)),
        cpu_ghz=jnp.ones((servers, n)),
        residual_mbit=jnp.zeros((max_tasks, servers, n)),
        is_served=jnp.zeros((max_tasks, servers, n), bool),
        workload_mbit=jnp.zeros((servers, n)),
        active_tasks=jnp.zeros((servers, n), jnp.int32),
        backlog_mbit=jnp.zeros((p.num_users, n)),
        added_mbit=jnp.zeros((p.num_users, n)),
        observation=jnp.zeros((HEADER + 4 * servers, n), jnp.float32),
        most_tasks=jnp.zeros((), jnp.int32),
    )


def step(state: State, p: Parameters, draw: World, act: Policy) -> tuple[State, Step]:
    """Play one step of the scan in all lanes."""
    is_decision = ~state.has_ended & (state.slots_to_serve == 0)
    cost_of_action = costs(state, p)
    world, action = act(state.world, cost_of_action)
    actions = jnp.arange(p.num_servers + 1)[:, None]
    cost = jnp.sum(jnp.where(actions == action, cost_of_action, 0), axis=0)
    played = Step(is_decision, action, cost, jnp.zeros_like(is_decision), state.observation)
    state = _assign(state, is_decision, action)

    takes = is_decision | state.has_ended
    world, tasks = draw(world, takes)
    state = _take(state._replace(world=world), takes, tasks, p)
    state = _serve_slot(state, p)
    truncated = (state.slots_to_serve == 0) & (state.slot >= state.end_slot)
    state = state._replace(has_ended=truncated, observation=_observe(state, p))
    return state, played._replace(truncated=truncated)


def _local_backlog(state: State) -> Array:
    users = jnp.arange(state.backlog_mbit.shape[0])[:, None]
    return jnp.sum(jnp.where(users == state.user, state.backlog_mbit + state.added_mbit, 0), axis=0)


def costs(state: State, p: Parameters) -> Array:
    """J of every action, [E + 1, lanes] (eq. 2-8, 11)."""
    gamma, size = p.density_gcycles_per_mbit, state.size_mbit
    local = (_local_backlog(state) * gamma / p.local_cpu_ghz + size * gamma / p.local_cpu_ghz) / p.slot_seconds
    sharers = state.active_tasks + 1.0
    edge = size / state.rate_mbps + state.workload_mbit * gamma * sharers / state.cpu_ghz
    edge = (edge + size * gamma * sharers / state.cpu_ghz) / p.slot_seconds
    latency = jnp.concatenate([local[None], edge])
    return latency + p.penalty_slots * (latency > p.deadline_slots)


def _assign(state: State, is_decision: Array, action: Array) -> State:
    size = state.size_mbit
    users = jnp.arange(state.added_mbit.shape[0])[:, None]
    is_local = (users == state.user) & (is_decision & (action == 0))
    max_tasks, servers, _ = state.residual_mbit.shape
    is_chosen = (jnp.arange(1, servers + 1)[:, None] == action) & is_decision
    places = jnp.arange(max_tasks)[:, None, None]
    free = jnp.min(jnp.where(state.residual_mbit == 0, places, max_tasks), axis=0)
    is_place = (places == free) & is_chosen
    tasks = state.active_tasks + is_chosen
    return state._replace(
        added_mbit=state.added_mbit + jnp.where(is_local, size, 0),
        residual_mbit=jnp.where(is_place, size, state.residual_mbit),
        workload_mbit=state.workload_mbit + jnp.where(is_chosen, size, 0),
        active_tasks=tasks,
        most_tasks=jnp.maximum(state.most_tasks, tasks.max()),
    )


def _take(state: State, takes: Array, tasks: Tasks, p: Parameters) -> State:
    """Bring the next task to the lanes that take one; lanes whose episode has ended begin the next one with it."""
    begins = state.has_ended
    places = jnp.where(begins, -1, state.user) + tasks.gap
    slots = places // p.num_users
    # nothing is queued in a new episode, so the slots until its first task need no service
    first_slot = jnp.where(begins, slots, state.slot)

    def cleared(values: Array) -> Array:
        return jnp.where(begins, jnp.zeros_like(values), values)

    return state._replace(
        slot=first_slot,
        end_slot=jnp.where(begins, jnp.maximum(p.episode_slots, slots + 1), state.end_slot),
        user=jnp.where(takes, places - slots * p.num_users, state.user),
        slots_to_serve=jnp.where(takes, jnp.where(begins, 0, slots), state.slots_to_serve),
        size_mbit=jnp.where(takes, tasks.size_mbit, state.size_mbit),
        rate_mbps=jnp.where(takes, tasks.rate_mbps, state.rate_mbps),
        cpu_ghz=jnp.where(begins, tasks.cpu_ghz, state.cpu_ghz),
        residual_mbit=cleared(state.residual_mbit),
        is_served=cleared(state.is_served),
        workload_mbit=cleared(state.workload_mbit),
        active_tasks=cleared(state.active_tasks),
        backlog_mbit=cleared(state.backlog_mbit),
        added_mbit=cleared(state.added_mbit),
    )


def _serve_slot(state: State, p: Parameters) -> State:
    """Serve one slot in the lanes that have one to serve (eq. 9, 10)."""
    serves = state.slots_to_serve > 0
    waiting = state.is_served & serves
    tasks = jnp.sum(waiting, axis=0)
    service = state.cpu_ghz * p.slot_seconds / (p.density_gcycles_per_mbit * (tasks + 1.0))

    def is_done(residual: Array, waiting: Array, share: Array) -> Array:
        return waiting & (residual - share <= RESIDUAL_TOLERANCE_MBIT)

    def share_again(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        residual, waiting, done, service, _ = carry
        service = jnp.maximum(service - jnp.sum(jnp.where(done, residual, 0), axis=0), 0)
        waiting = waiting & ~done
        residual = jnp.where(done, 0, residual)
        share = service / jnp.sum(waiting, axis=0)
        return residual, waiting, is_done(residual, waiting, share), service, share

    share = service / tasks
    done = is_done(state.residual_mbit, waiting, share)
    carry = (state.residual_mbit, waiting, done, service, share)
    residual, waiting, _, _, share = lax.while_loop(lambda carry: carry[2].any(), share_again, carry)
    residual = residual - jnp.where(waiting, share, 0)

    left = state.backlog_mbit - p.local_cpu_ghz * p.slot_seconds / p.density_gcycles_per_mbit
    left = jnp.where(left > RESIDUAL_TOLERANCE_MBIT, left, 0) + state.added_mbit
    return state._replace(
        slot=state.slot + serves,
        slots_to_serve=state.slots_to_serve - serves,
        residual_mbit=residual,
        is_served=jnp.where(serves, residual > 0, state.is_served),
        workload_mbit=jnp.where(serves, jnp.sum(residual, axis=0), state.workload_mbit),
        active_tasks=jnp.where(serves, jnp.sum(residual > 0, axis=0), state.active_tasks).astype(jnp.int32),
        backlog_mbit=jnp.where(serves, left, state.backlog_mbit),
        added_mbit=jnp.where(serves, 0, state.added_mbit),
    )


def _observe(state: State, p: Parameters) -> Array:
    n = state.size_mbit.shape
    wait = _local_backlog(state) * p.density_gcycles_per_mbit / p.local_cpu_ghz / p.slot_seconds
    constants = [jnp.full(n, value) for value in (p.density_gcycles_per_mbit, p.deadline_slots, p.local_cpu_ghz)]
    density, deadline, local_cpu = constants
    header = jnp.stack([state.size_mbit, density, deadline, state.user.astype(jnp.float64), local_cpu, wait])
    servers = jnp.stack([state.rate_mbps, state.cpu_ghz, state.active_tasks, state.workload_mbit], axis=1)
    return jnp.concatenate([header, servers.reshape(-1, *n)]).astype(jnp.float32)
