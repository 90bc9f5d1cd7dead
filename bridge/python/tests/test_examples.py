"""The examples of the documentation print what is kept beside them."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


@pytest.mark.parametrize("name", ["first_steps", "random_search"])
def test_an_example_prints_what_is_kept(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (EXAMPLES / f"{name.replace('_', '-')}.txt").read_text(encoding="utf-8")
