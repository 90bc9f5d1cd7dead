"""The examples of the documentation print the output that is stored with them."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[4] / "docs"
EXAMPLES = DOCS / "examples"
#: Code on the page, and its output if the page shows it.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["first_steps", "mcts", "random_search"])
def test_an_example_prints_what_is_kept(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (EXAMPLES / f"{name.replace('_', '-')}.txt").read_text(encoding="utf-8")


def test_the_tree_search_is_cheaper_than_the_policy_it_starts_from() -> None:
    cheapest, search = map(float, re.findall(r"[\d.]+(?= slots)", (EXAMPLES / "mcts.txt").read_text(encoding="utf-8")))
    assert search < cheapest


def test_the_picture_on_the_page_is_what_its_example_draws(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    subprocess.run([sys.executable, str(EXAMPLES / "picture.py"), str(file)], check=True, timeout=25)
    drawn, kept = (np.asarray(Image.open(path).convert("RGB"), dtype=float) for path in (file, DOCS / "picture.png"))
    # versions of Pillow smooth letters a little differently
    assert np.abs(drawn - kept).mean() < 1.0


def test_the_page_on_python_says_what_its_code_prints() -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    search = (EXAMPLES / "mcts.py").read_text(encoding="utf-8")
    blocks = [(code, printed) for code, printed in BLOCK.findall(page) if code != search]
    assert len(blocks) == page.count("```python\n") - 1
    names: dict[str, Any] = {}
    for code, printed in blocks:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, names)  # noqa: S102 - a reader would run it, too
        assert output.getvalue() == printed
    assert f"```python\n{search}```\n\n```text\n{(EXAMPLES / 'mcts.txt').read_text(encoding='utf-8')}```\n" in page
