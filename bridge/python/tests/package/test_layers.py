"""The layers of the package: each folder imports downwards only, and a broken rule is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": ""}
    command = [*LINT, "--config", str(folder / "pyproject.toml")]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment, check=False
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the package and its rules."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_folder_imports_downwards_only() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("data/batch.py", "from ..envs import spaces"),
        ("remote/protocol/layout.py", "from ..transport import resend"),
        ("remote/transport/leases.py", "from . import endpoints"),
        ("envs/spaces.py", "from .. import look_ahead"),
        ("new_room.py", ""),
    ],
    ids=["upwards", "upwards in remote", "in a circle", "an old name", "a module without a layer"],
)
def test_a_broken_rule_is_noticed(copied: Path, file: str, line: str) -> None:
    path = copied / "src" / "mecgym" / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    only_for_types = f"{text}\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    {line or 'pass'}\n"
    path.write_text(only_for_types, encoding="utf-8")
    done = lint(copied)
    assert done.returncode == 1, done.stdout + done.stderr
