"""Servers that answer only clients with the right keys: environments on them, wrong keys, and key files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq.auth

import mecgym
from helpers import play, session_of
from mecgym import DeadlineExceeded, Lanes, LocalServer, MecgymError, OffloadingEnv, OffloadingVectorEnv
from mecgym.remote.transport.command import ADDRESS_VARIABLE
from mecgym.remote.transport.endpoints import connect
from mecgym.remote.transport.keys import KEYS_VARIABLE, ClientKeys, read_client_keys
from mecgym.remote.transport.server import shared_server

SMALL = {"numServers": 3, "episodeSlots": 6}


@pytest.fixture(scope="module")
def expected() -> tuple[str, int]:
    """Play a trajectory on this process's own server."""
    env = OffloadingEnv(SMALL)
    trajectory = play(env, [3])
    env.close()
    return trajectory


@pytest.fixture(scope="module")
def secured(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a server that others can reach; return its address and the folder of a client's keys."""
    folder = tmp_path_factory.mktemp("keys")
    command = ["node", str(repository / "scripts" / "mecgym.mjs")]
    subprocess.run([*command, "keys", "new", "--out", str(folder)], check=True, capture_output=True)
    where = ["--address", "tcp://127.0.0.1:*", "--keys", str(folder), "--allow", str(folder / "client.key")]
    with subprocess.Popen(
        [*command, "serve", "--until-stdin-closes", *where], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ready = json.loads(process.stdout.readline())
        yield ready["address"], folder
        process.stdin.close()
        assert process.wait(10) == 0


def test_environments_play_as_everywhere(secured: tuple[str, Path], expected: tuple[str, int]) -> None:
    address, folder = secured
    with OffloadingEnv(SMALL, address=address, keys=folder) as env:
        assert play(env, [3]) == expected
    for make in (OffloadingVectorEnv, Lanes):
        batch = make(2, SMALL, address=address, keys=str(folder))
        batch.close()
    ids = [info.id for info in mecgym.list_scenarios(address=address, keys=folder)]
    assert ids == [info.id for info in mecgym.list_scenarios()]
    assert mecgym.scenario_hash("paper-v1", address=address, keys=folder) == mecgym.scenario_hash("paper-v1")


def test_the_variables_are_for_all_environments_of_a_process(
    monkeypatch: pytest.MonkeyPatch, secured: tuple[str, Path], expected: tuple[str, int], own_server: LocalServer
) -> None:
    address, folder = secured
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    monkeypatch.setenv(KEYS_VARIABLE, str(folder))
    with OffloadingEnv(SMALL) as env:
        assert session_of(env)._link.connection.address == address
        assert play(env, [3]) == expected
    # another address has other keys, or none
    with OffloadingEnv(SMALL, address=own_server.address) as env:
        assert play(env, [3]) == expected


def test_without_a_key_that_is_known_there_is_no_answer(secured: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = secured
    known = read_client_keys(folder)
    zmq.auth.create_certificates(tmp_path, "client")
    (tmp_path / "client.key_secret").chmod(0o600)
    (tmp_path / "server.key").write_bytes((folder / "server.key").read_bytes())
    unknown = read_client_keys(tmp_path)
    for keys in (None, unknown, known._replace(server_key=unknown.public_key)):
        with pytest.raises(DeadlineExceeded, match="keys") as caught:
            connect(address, keys, timeout_seconds=0.4)
        assert caught.value.code == "deadlineExceeded"


def test_an_own_server_has_keys_if_no_folder_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, expected: tuple[str, int]
) -> None:
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    server = LocalServer()
    try:
        assert server.address.startswith("tcp://127.0.0.1:")
        assert isinstance(server.keys, ClientKeys)
        endpoint = connect(server.address, server.keys)
        assert endpoint.request("ping") == {}
        with pytest.raises(DeadlineExceeded):
            connect(server.address, timeout_seconds=0.3)
    finally:
        server.close()
    assert not server.is_alive()
    # all environments of a process use such a server like any other
    monkeypatch.setattr("mecgym.remote.transport.server._shared", None)
    env = OffloadingEnv(SMALL)
    assert session_of(env)._link.connection.address.startswith("tcp://")
    assert play(env, [3]) == expected
    env.close()
    shared_server().close()
    monkeypatch.undo()


def test_a_private_address_needs_no_keys(own_server: LocalServer) -> None:
    assert own_server.address.startswith("ipc://")
    assert own_server.keys is None


def test_key_files_are_checked(secured: tuple[str, Path], tmp_path: Path) -> None:
    _address, folder = secured
    secret = (folder / "client.key_secret").read_bytes()
    with pytest.raises(MecgymError, match=r"client\.key_secret"):
        read_client_keys(tmp_path)
    file = tmp_path / "client.key_secret"
    file.write_bytes(secret)
    file.chmod(0o644)
    with pytest.raises(MecgymError, match="chmod 600"):
        read_client_keys(tmp_path)
    file.chmod(0o600)
    with pytest.raises(MecgymError, match=r"server\.key"):
        read_client_keys(tmp_path)
    (tmp_path / "server.key").write_text('curve\n    public-key = "short"\n', encoding="utf-8")
    with pytest.raises(MecgymError, match="40 characters") as caught:
        OffloadingEnv(SMALL, address="tcp://127.0.0.1:1", keys=tmp_path)
    assert caught.value.code == "invalidKeys"
    (tmp_path / "server.key").write_bytes((folder / "server.key").read_bytes())
    keys = read_client_keys(tmp_path)
    assert keys == read_client_keys(str(folder))
    assert keys.secret_key.decode() not in repr(keys)
    (tmp_path / "client.key_secret").write_bytes((folder / "client.key").read_bytes())
    with pytest.raises(MecgymError, match="secret-key"):
        read_client_keys(tmp_path)
