"""The engine's results, memory and limits: who holds an array keeps it, and what is dropped is gone."""

from __future__ import annotations

import gc
import resource
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecgym.data.batch import Batch
from mecgym.engine import core as core_module
from mecgym.engine.batch import EngineBatch
from mecgym.engine.calls import make_call, make_slow_call
from mecgym.engine.core import Core
from mecgym.engine.options import resolve_options
from mecgym.engine.outputs import NUM_SETS
from mecgym.engine.session import EngineSession
from mecgym.errors import MecgymError

pytestmark = pytest.mark.limit_seconds(600)

BUSY: dict[str, Any] = {
    "numServers": 2,
    "users": {"count": 40},
    "arrivals": {"process": "bernoulli", "probability": 1},
    "episodeSlots": 60,
    "serverCpuGHz": {"min": 1, "max": 2},
}


def open_session(num_envs: int = 1, scenario: Any = "paper-v1", **fields: Any) -> EngineSession:
    return EngineSession({"scenarios": [scenario], "numEnvs": num_envs, "seed": 1, **fields})


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def copy_of(batch: Batch) -> dict[str, bytes]:
    return {name: batch.arrays[name].tobytes() for name in batch.arrays.dtype.names or ()}


@pytest.mark.parametrize("num_envs", [1, 8, 1000])
def test_results_stay_as_they_were(num_envs: int) -> None:
    session = open_session(num_envs)
    kept = [session.reset()]
    wanted = [copy_of(kept[0])]
    generator = np.random.default_rng(1)
    for _ in range(3 * NUM_SETS):
        kept.append(session.step(generator.integers(0, 7, num_envs, dtype=np.int32)))
        wanted.append(copy_of(kept[-1]))
    # one array is enough to keep its step
    rewards = [batch.arrays["reward"][1:] for batch in kept]
    assert [copy_of(batch) for batch in kept] == wanted
    del kept
    session.step(np.zeros(num_envs, np.int32))
    assert [array.tobytes() for array in rewards] == [one["reward"][8:] for one in wanted]


def test_results_are_read_only() -> None:
    for num_envs in (2, 1000):
        batch = open_session(num_envs).reset()
        with pytest.raises(ValueError, match="read-only"):
            batch.arrays["observation"][0, 0] = 1


def test_results_outlive_their_session() -> None:
    session = open_session(2000)
    batch = session.reset()
    wanted = copy_of(batch)
    session.close()
    del session
    gc.collect()
    open_session(2000).reset()
    assert copy_of(batch) == wanted


def test_large_batches_are_not_copied_in_turn() -> None:
    session = open_session(1000)
    session.reset()
    addresses = set()
    for _ in range(20):
        batch = session.step(np.zeros(1000, np.int32))
        addresses.add(batch.arrays["reward"].__array_interface__["data"][0])
    assert len(addresses) <= 2


def test_lists_grow_within_calls() -> None:
    """All go to one slow server, whose list of tasks outgrows its room many times."""
    session = open_session(4, BUSY)
    other = open_session(4, BUSY)
    before = session._batches[0].core.num_bytes
    session.reset(np.arange(4, dtype=np.uint64))
    other.reset(np.arange(4, dtype=np.uint64))
    held = session.step(np.ones(4, np.int32))
    wanted = copy_of(held)
    assert copy_of(other.step(np.ones(4, np.int32))) == wanted
    for _ in range(1500):
        mine, its = session.step(np.ones(4, np.int32)), other.step(np.ones(4, np.int32))
        assert copy_of(mine) == copy_of(its)
    assert session._batches[0].core.num_bytes > before
    assert copy_of(held) == wanted


def test_memory_that_cannot_grow_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    session, free = open_session(4, BUSY), open_session(4, BUSY)
    for one in (session, free):
        one.reset(np.arange(4, dtype=np.uint64))
    core = session._batches[0].core
    monkeypatch.setattr(core_module, "MEMORY_BYTES", core.num_bytes)
    ones = np.ones(4, np.int32)
    num_steps = 0

    def step_on() -> None:
        nonlocal num_steps
        for num_steps in range(4000):  # noqa: B007
            session.step(ones)

    with pytest.raises(MecgymError) as caught:
        step_on()
    assert (caught.value.code, caught.value.path) == ("sessionMemory", "session")
    monkeypatch.undo()
    for _ in range(num_steps):
        free.step(ones)
    assert session.snapshot().data.tobytes() == free.snapshot().data.tobytes()
    # with room, it goes on from where it stood
    assert copy_of(session.step(ones)) == copy_of(free.step(ones))


def test_absurd_sizes_are_refused_before_memory_is_taken() -> None:
    before = resident_bytes()
    scenario = {"numServers": 512, "users": {"perServer": 20}}
    with pytest.raises(MecgymError) as caught:
        open_session(65_536, scenario)
    assert (caught.value.code, caught.value.path) == ("sessionTooLarge", "/numEnvs")
    assert "memory" in caught.value.expected
    assert "bytes" in caught.value.got
    assert resident_bytes() - before < 50 * 2**20
    # so are groups that only together are too large
    num_groups = 256
    with pytest.raises(MecgymError, match="sessionTooLarge"):
        open_session(num_groups * 4096, {"numServers": 64, "users": {"perServer": 64}}, groups=num_groups)


def test_ten_thousand_batches_leave_nothing() -> None:
    options = resolve_options({"scenarios": ["paper-v1"], "numEnvs": 2})
    for _ in range(300):
        EngineBatch(options).reset()
    before = resident_bytes()
    last: weakref.ref[EngineBatch] | None = None
    for _ in range(10_000):
        assert last is None or last() is None
        batch = EngineBatch(options)
        batch.reset()
        last = weakref.ref(batch)
        del batch
    assert resident_bytes() - before < 20 * 2**20


def test_a_million_resets_leave_nothing() -> None:
    session = open_session(2000)
    small = open_session(1)
    for _ in range(20):
        session.reset()
    for _ in range(1000):
        small.reset()
    before = resident_bytes()
    for _ in range(490):
        session.reset()
    for _ in range(20_000):
        small.reset()
    assert resident_bytes() - before < 10 * 2**20


def test_growth_that_was_interrupted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_session(1)
    session.reset()
    core = session._batches[0].core
    wanted = session.snapshot().data.tobytes()

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(core, "_read_base", interrupt)
    with pytest.raises(KeyboardInterrupt):
        core.grow_to(core.num_bytes + 10 * 65536)
    monkeypatch.undo()
    # what is borrowed lies at the end of memory
    assert session.snapshot().data.tobytes() == wanted
    assert session.fork().snapshot().data.tobytes() == wanted


def test_fast_and_slow_calls_give_the_same() -> None:
    core = Core()
    version = core.function("interfaceVersion")
    for releases_gil in (False, True):
        call = make_call(core.store, version, releases_gil=releases_gil)
        assert call() == make_slow_call(core.store, version)() == 1
    with pytest.raises(TypeError):
        make_call(core.store, version, releases_gil=False)(1)
    with pytest.raises(ValueError, match="argument"):
        make_call(core.store, core.function("useOutputs"), releases_gil=False)()


def test_a_trap_is_an_error() -> None:
    core = Core()
    logarithm = make_call(core.store, core.function("lnInPlace"), releases_gil=False)
    with pytest.raises(RuntimeError, match="trapped"):
        # behind the end of memory
        logarithm(-16, 4)
