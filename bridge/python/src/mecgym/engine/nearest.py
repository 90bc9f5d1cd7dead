"""Finds the name that a misspelt one most likely stands for, by the same rule as a server."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .refusals import describe_value

__all__ = ["nearest_name", "suggestion", "value_hint"]

#: Shortest part of a name that says enough to suggest the whole.
MIN_PART = 4


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return a suggestion to append to what was expected; empty if no name is close."""
    nearest = nearest_name(name, names)
    return "" if nearest is None else f" (did you mean {nearest}?)"


def nearest_name(name: str, names: Sequence[str]) -> str | None:
    """Return the name closest to `name`.

    It has the same letters and digits, or is a few edits away, or is the only one that contains it or is contained
    in it. None if there is no such name.
    """
    given = _letters(name)
    if given == "" or len(given) > 64:
        return None
    distances = [_edit_distance(given, _letters(one)) for one in names]
    least = min(distances, default=len(given))
    if least <= len(given) // 4:
        return names[distances.index(least)]

    def is_related(one: str) -> bool:
        short, long = sorted((given, _letters(one)), key=len)
        return len(short) >= MIN_PART and short in long

    related = [one for one in names if is_related(one)]
    return related[0] if len(related) == 1 else None


def value_hint(path: str, got: Any) -> str:
    """Return what a wrong value of a scenario's field was probably meant to be, to append to what was expected."""
    if path == "/hash":
        return " (leave hash out: it follows from the other fields)"
    if path == "/id" and isinstance(got, str):
        name = re.sub(r"^[^a-z0-9]+", "", re.sub(r"[^a-z0-9.-]+", "-", got.lower()))[:64]
        return "" if name in ("", got) else f" (did you mean {json.dumps(name)}?)"
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        return ""
    number = describe_value(got)
    if path == "/users":
        return f' (did you mean {{"count":{number}}}?)'
    if path in ("/serverCpuGHz", "/taskSizeMbit", "/lookAhead/sizeFactor"):
        return f' (did you mean {{"min":{number},"max":{number}}}?)'
    if path == "/arrivals":
        return f' (did you mean {{"process":"bernoulli","probability":{number}}}?)'
    return ""


def _letters(name: str) -> str:
    """Return letters and digits in lower case: ``Num_Servers`` and ``numServers`` are the same."""
    return re.sub(r"[^A-Za-z0-9]", "", name).lower()


def _edit_distance(a: str, b: str) -> int:
    """Return Levenshtein's distance: insertions, deletions and replacements."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        following = [i]
        for j, other in enumerate(b, 1):
            following.append(min(row[j] + 1, following[-1] + 1, row[j - 1] + (one != other)))
        row = following
    return row[-1]
