"""The engine among threads and processes: two threads in a batch, forks, spawns, interrupts, the module on disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wasmtime

from engine.golden_play import GOLDEN, digest_of
from mecgym.engine.module import CACHE_VARIABLE, compile_module, find_cache_folder, make_config
from mecgym.engine.session import EngineSession
from mecgym.errors import MecgymError, SessionLost

pytestmark = pytest.mark.limit_seconds(300)


def open_session(num_envs: int = 1, **fields: Any) -> EngineSession:
    return EngineSession({"scenarios": ["paper-v1"], "numEnvs": num_envs, "seed": 1, **fields})


def play(session: EngineSession, num_steps: int) -> bytes:
    generator = np.random.default_rng(num_steps)
    for _ in range(num_steps):
        session.step(generator.integers(0, 7, session.num_envs, dtype=np.int32))
    return session.snapshot().data.tobytes()


def test_a_second_thread_is_refused_and_changes_nothing() -> None:
    """The first thread plays steps long enough for the second one to come in between."""
    session, alone = open_session(20_000), open_session(20_000)
    for one in (session, alone):
        one.reset()
    actions = np.ones(20_000, np.int32)
    num_steps = 60
    first = threading.Thread(target=lambda: [session.step(actions) for _ in range(num_steps)])
    codes: list[str] = []
    first.start()
    while first.is_alive():
        try:
            session.snapshot(np.zeros(20_000, np.uint8))
        except MecgymError as error:  # noqa: PERF203
            codes.append(error.code)
            assert error.path == "snapshot"
    first.join()
    assert codes
    assert set(codes) == {"inUse"}
    for _ in range(num_steps):
        alone.step(actions)
    some = np.zeros(20_000, np.uint8)
    some[::1000] = 1
    assert session.snapshot(some).data.tobytes() == alone.snapshot(some).data.tobytes()


def test_groups_are_played_by_threads_of_their_own() -> None:
    session, alone = (open_session(4000, groups=4) for _ in range(2))
    actions = np.ones(1000, np.int32)

    def play_group(one: EngineSession, group: int) -> None:
        one.reset(group=group)
        for _ in range(30):
            one.step(actions, group=group)

    threads = [threading.Thread(target=play_group, args=(session, group)) for group in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for group in range(4):
        play_group(alone, group)
        assert session.snapshot(group=group).data.tobytes() == alone.snapshot(group=group).data.tobytes()


def test_other_threads_run_meanwhile() -> None:
    """A step of many lanes leaves the interpreter to others; this thread counts how often it comes to run."""
    session = open_session(50_000)
    session.reset()
    actions = np.ones(50_000, np.int32)
    session.step(actions)
    started = threading.Event()

    def step() -> None:
        started.set()
        session._batches[0]._step()

    thread = threading.Thread(target=step)
    thread.start()
    started.wait()
    turns = 0
    while thread.is_alive():
        turns += 1
    assert turns > 100


def test_a_forked_process_goes_its_own_way() -> None:
    session, alone = open_session(50), open_session(50)
    for one in (session, alone):
        one.reset(np.arange(50, dtype=np.uint64))
        play(one, 5)
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            # the child's copy, a session of its own, and a module compiled anew
            found = play(session, 7) + play_new() + digest_of(GOLDEN[0])[0].encode()
            compile_module(make_config())
            os.write(writable, found[-1000:] + len(found).to_bytes(8, "little"))
            session.close()
            status = 0
        finally:
            os._exit(status)
    os.close(writable)
    with os.fdopen(readable, "rb") as file:
        found = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    wanted = play(alone, 7) + play_new() + GOLDEN[0]["digest"].encode()
    assert found == wanted[-1000:] + len(wanted).to_bytes(8, "little")
    # the parent's is where it was
    assert play(session, 7) == play(open_again(), 7)


def open_again() -> EngineSession:
    session = open_session(50)
    session.reset(np.arange(50, dtype=np.uint64))
    play(session, 5)
    return session


def play_new() -> bytes:
    session = open_session(3)
    session.reset()
    return play(session, 20)


def test_a_fork_in_the_middle_of_a_step_is_told_so() -> None:
    session = open_session(2)
    session.reset()
    session._locks[0].acquire()  # as a thread in a step would hold it
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            session.step(np.zeros(2, np.int32))
        except SessionLost as error:
            status = 0 if error.code == "forked" else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def send_digest(connection: Connection) -> None:
    connection.send(digest_of(GOLDEN[0])[0])


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_of_every_kind(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    mine, its = context.Pipe()
    process = context.Process(target=send_digest, args=(its,))
    process.start()
    assert mine.recv() == GOLDEN[0]["digest"]
    process.join()
    assert process.exitcode == 0


def test_an_interrupt_ends_no_batch() -> None:
    """Signals come in the middle of steps again and again; the episodes go on as if there had been none."""
    session, alone = open_session(3000), open_session(3000)
    for one in (session, alone):
        one.reset()
    actions = np.ones(3000, np.int32)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Thread(target=_interrupt, args=(10,))
    num_interrupts = 0
    timer.start()
    while timer.is_alive():
        try:
            while timer.is_alive():
                session.step(actions)
        except KeyboardInterrupt:  # noqa: PERF203
            num_interrupts += 1
    try:
        time.sleep(0.05)
    except KeyboardInterrupt:
        num_interrupts += 1
    signal.signal(signal.SIGINT, before)
    assert num_interrupts > 0
    # nobody counted the steps, but the state is one that steps lead to: it plays on
    some = np.zeros(3000, np.uint8)
    some[7] = 1
    taken = session.snapshot(some)
    alone.restore(taken)
    alone_batch, batch = alone.step(actions), session.step(actions)
    assert alone_batch.arrays["observation"][7].tobytes() == batch.arrays["observation"][7].tobytes()


def _interrupt(times: int) -> None:
    for _ in range(times):
        time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


EXIT = """
import threading, numpy as np
from mecgym.engine.session import EngineSession
sessions = [EngineSession({"scenarios": ["paper-v1"], "numEnvs": n, "seed": 1}) for n in (1, 2000)]
batches = [one.reset() for one in sessions]
batches += [one.step(np.zeros(one.num_envs, np.int32)) for one in sessions]
views = [batch.arrays["observation"][0] for batch in batches]
cycle = [sessions, views]
cycle.append(cycle)
actions = np.zeros(2000, np.int32)
work = lambda: [sessions[1].step(actions) for _ in range(100000)]
threading.Thread(target=work, daemon=True).start()
print("end", flush=True)
"""


def test_the_interpreter_exits_cleanly() -> None:
    done = run(EXIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_compiled_modules_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    assert find_cache_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    compiled = compile_module(make_config(), folder)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    loaded: list[object] = []
    load: Callable[..., Any] = wasmtime.Module.deserialize

    def count(*arguments: Any) -> Any:
        loaded.append(arguments)
        return load(*arguments)

    monkeypatch.setattr(wasmtime.Module, "deserialize", count)
    again = compile_module(make_config(), folder)
    assert len(loaded) == 1
    assert again.sha256 == compiled.sha256
    assert digest_of(GOLDEN[0], again)[0] == GOLDEN[0]["digest"]
    # what is cut or spoiled is compiled again, and replaced
    for wrong in (content[:-1], content[:50] + bytes([content[50] ^ 1]) + content[51:], b""):
        file.write_bytes(wrong)
        assert digest_of(GOLDEN[0], compile_module(make_config(), folder))[0] == GOLDEN[0]["digest"]
        assert file.read_bytes() == content
    assert len(loaded) == 1


def test_folders_that_others_write_to_keep_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv(CACHE_VARIABLE, str(shared))
    assert find_cache_folder() is None
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert find_cache_folder() is None
    monkeypatch.setenv(CACHE_VARIABLE, "/proc/no-such-folder")
    assert find_cache_folder() is None
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "folder"))
    (tmp_path / "file").write_text("")
    assert find_cache_folder() is None
    # a disk that takes nothing does not matter
    full = Path("/proc")
    assert digest_of(GOLDEN[0], compile_module(make_config(), full))[0] == GOLDEN[0]["digest"]


def test_plays_without_any_folder() -> None:
    code = "from engine.golden_play import GOLDEN, digest_of; print(digest_of(GOLDEN[0])[0])"
    nowhere = {"HOME": "/proc/nowhere", "TMPDIR": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere"}
    done = run(code, **nowhere, PYTHONDONTWRITEBYTECODE="1")
    assert (done.stdout, done.stderr) == (GOLDEN[0]["digest"] + "\n", "")
