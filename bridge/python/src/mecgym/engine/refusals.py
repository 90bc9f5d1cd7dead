"""Makes errors that read as if a server had refused the same input."""

from __future__ import annotations

import json
import math
from typing import Any

import rfc8785

from ..errors import MecgymError

__all__ = ["describe_value", "refusal"]

MAX_LENGTH = 120


def refusal(code: str, path: str, expected: str, got: Any) -> MecgymError:
    """Return an error whose `got` is one short piece of text, as it comes from a server."""
    text = describe_value(got)
    message = f"{code} at {path}: expected {expected}, got {text}"
    return MecgymError(code, message, path=path, expected=expected, got=text)


def describe_value(value: Any) -> str:
    """Return a value as JavaScript writes it, cut if it is long."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return "-0" if value == 0 and math.copysign(1, value) < 0 else rfc8785.dumps(value).decode()
    try:
        text = _json(value)
    except (TypeError, ValueError):
        text = str(value)
    return f"{text[: MAX_LENGTH - 3]}…" if len(text) > MAX_LENGTH else text


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        return rfc8785.dumps(value).decode() if math.isfinite(value) else "null"
    return json.dumps(value, ensure_ascii=False)
