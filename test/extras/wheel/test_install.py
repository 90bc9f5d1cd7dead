"""`pip install 'mecgym[node]'` is all a user does: an empty environment, an empty folder, and no Node on the PATH."""

# ruff: noqa: D103

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node = shutil.which("node")
    assert node is not None
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([node, str(ROOT / "scripts" / "wheel.mjs"), str(folder)], check=True)  # noqa: S603
    (file,) = folder.glob("*.whl")
    return file


def test_it_trains_with_the_node_that_pip_brings(wheel: Path, tmp_path: Path) -> None:
    work, venv = tmp_path / "empty", tmp_path / "venv"
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)  # noqa: S603
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MECGYM_")}
    environment["PATH"] = str(work)

    def run(*words: str | Path) -> str:
        done = subprocess.run(  # noqa: S603
            [str(word) for word in words], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(scripts / "python", "-m", "pip", "install", "--quiet", f"{wheel}[node]")
    node = run(
        scripts / "python", "-c", "from mecgym.remote.transport.command import find_command; print(find_command()[0])"
    ).strip()
    assert Path(node).is_relative_to(venv)
    example = shutil.copy(EXAMPLES / "random_search.py", work)
    assert run(scripts / "python", example) == (EXAMPLES / "random-search.txt").read_text(encoding="utf-8")
    assert run(scripts / "mecgym", "--version") == "0.1.0\n"
