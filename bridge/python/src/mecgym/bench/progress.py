"""Progress of a long job on standard error: a bar if tqdm is installed, otherwise a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["Update", "show_progress"]

#: Takes how much is done, and of how much.
Update = Callable[[int, int], None]

#: Time between two lines if there is no bar, in seconds.
LINE_SECONDS = 10.0


@contextlib.contextmanager
def show_progress(label: str, is_shown: bool) -> Iterator[Update]:
    """Yield a function that shows how much of a job is done."""
    if not is_shown:
        yield lambda _done, _total: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _lines(label)
        return
    with tqdm(desc=label, unit="job", leave=False, delay=1.0) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


def _lines(label: str) -> Update:
    last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"mecgym: {label}: {done} of {total}", file=sys.stderr)

    return update
