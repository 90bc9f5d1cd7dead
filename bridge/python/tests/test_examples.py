"""The examples of the documentation print what is kept beside them."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def test_first_steps_prints_what_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "first_steps.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (EXAMPLES / "first-steps.txt").read_text(encoding="utf-8")
