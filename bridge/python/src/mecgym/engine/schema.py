"""Checks data against a JSON Schema and fills in its defaults; the first problem is the one a server would name."""

# The server checks with Ajv, which stops at the first problem of a schema, and of a union names the branch that came
# closest. jsonschema takes keywords in the order in which they stand, so a schema in Ajv's order gives Ajv's problem.
# fastjsonschema is faster, but does not know draft 2020-12, and of a union it only says that no branch fits.

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..data.plain import plain_data
from .nearest import suggestion
from .package_data import SCHEMAS, data_folder

if TYPE_CHECKING:
    import jsonschema

__all__ = ["Problem", "complete", "find_problem", "plain_data"]

#: The order in which Ajv takes the keywords of one schema.
KEYWORD_ORDER = (
    "$ref",
    "type",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "pattern",
    "const",
    "enum",
    "anyOf",
    "oneOf",
    "maxItems",
    "minItems",
    "items",
    "uniqueItems",
    "required",
    "additionalProperties",
    "properties",
)


@dataclass(frozen=True)
class Problem:
    """Where data disagrees with its schema."""

    path: str
    expected: str
    got: Any


@cache
def _schema(name: str) -> dict[str, Any]:
    text = (data_folder(SCHEMAS) / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def complete(name: str, value: Any) -> dict[str, Any]:
    """Return a copy of data with the schema's defaults filled in."""
    schema = _schema(name)
    completed: dict[str, Any] = _complete(schema, value)
    return completed


def _complete(schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        return list(value)
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    fields = {
        **value,
        **{key: one["default"] for key, one in properties.items() if "default" in one and key not in value},
    }
    return {key: _complete(properties.get(key, {}), one) for key, one in fields.items()}


def find_problem(name: str, value: Any, definition: str | None = None) -> Problem | None:
    """Return the first disagreement of data with a schema; None if there is none.

    Parameters
    ----------
    name : str
        Name of the schema, such as ``"scenario"``.
    value : Any
        Plain data.
    definition : str, optional
        Which of the schema's definitions; the schema itself if left out.
    """
    errors = _first_errors(_validator(name, definition).iter_errors(value))
    return _describe(max(errors, key=_rank)) if errors else None


@cache
def _validator(name: str, definition: str | None) -> jsonschema.protocols.Validator:
    # takes a tenth of a second to import, and only own scenarios and wrong options need it
    import jsonschema

    base = jsonschema.Draft202012Validator
    types = base.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer})
    schema = _in_order(_schema(name))
    if definition is not None:
        schema = {**schema["$defs"][definition], "$defs": schema["$defs"]}
    extend: Any = jsonschema.validators.extend
    validator: jsonschema.protocols.Validator = extend(base, type_checker=types)(schema)
    return validator


def _is_number(_checker: object, value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(checker: object, value: Any) -> bool:
    return _is_number(checker, value) and value == int(value)


def _in_order(schema: Any) -> Any:
    """Return a schema with its keywords in Ajv's order."""
    if isinstance(schema, list):
        return [_in_order(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    keywords = sorted(schema, key=lambda name: KEYWORD_ORDER.index(name) if name in KEYWORD_ORDER else -1)
    ordered = {name: schema[name] for name in keywords}
    for name, value in ordered.items():
        if name in ("properties", "$defs"):
            ordered[name] = {key: _in_order(one) for key, one in value.items()}
        elif name == "pattern":
            # in Python a `$` also matches before a last newline
            ordered[name] = value.removesuffix("$") + r"\Z" if value.endswith("$") else value
        elif name not in ("default", "enum", "const", "required"):
            ordered[name] = _in_order(value)
    return ordered


def _first_errors(errors: Iterable[Any]) -> list[Any]:
    """Return the first error, after the first one of each branch if it is of a union."""
    first = next(iter(errors), None)
    if first is None:
        return []
    branches: dict[int, list[Any]] = {}
    for error in first.context:
        branches.setdefault(error.schema_path[0], []).append(error)
    return [*(one for branch in branches.values() for one in _first_errors(branch)), first]


def _rank(error: Any) -> int:
    """Say how much an error tells a reader: the deepest tells most, and of those one that is no other kind of thing."""
    if error.validator in ("anyOf", "oneOf"):
        return -1
    # a union is reported with its branches, one of which is deeper or as deep
    return 2 * len(error.absolute_path) + (error.validator not in ("type", "const", "required"))


def _describe(error: Any) -> Problem:
    path = "".join(f"/{step}" for step in error.absolute_path)
    value, keyword, bound = error.instance, error.validator, error.validator_value
    if keyword == "additionalProperties":
        names = error.schema["properties"]
        extra = next(name for name in value if name not in names)
        expected = f"one of the fields {', '.join(names)}{suggestion(extra, list(names))}"
        return Problem(f"{path}/{extra}", expected, f"the field {json.dumps(extra, ensure_ascii=False)}")
    if keyword == "required":
        missing = next(name for name in bound if name not in value)
        return Problem(path, f"the field {json.dumps(missing)}", value)
    return Problem(path, _expected(keyword, bound, value), value)


def _expected(keyword: str, bound: Any, value: Any) -> str:
    """Say what a keyword asks for, in Ajv's words."""
    compact = json.dumps(bound, separators=(",", ":"), ensure_ascii=False)
    match keyword:
        case "enum":
            return f"one of {compact}"
        case "const":
            return compact
        case "type":
            return f"to be {','.join(bound) if isinstance(bound, list) else bound}"
        case "minimum":
            return f"to be >= {compact}"
        case "maximum":
            return f"to be <= {compact}"
        case "maxLength":
            return f"to NOT have more than {compact} characters"
        case "maxItems":
            return f"to NOT have more than {compact} items"
        case "minItems":
            return f"to NOT have fewer than {compact} items"
        case "pattern":
            pattern = bound.removesuffix(r"\Z") + "$" if bound.endswith(r"\Z") else bound
            return f'to match pattern "{pattern}"'
        case "uniqueItems":
            first, second = _equal_items(value)
            return f"to NOT have duplicate items (items ## {first} and {second} are identical)"
        case _:
            return f"to match {keyword}"


def _equal_items(items: Sequence[Any]) -> tuple[int, int]:
    """Return the indices of two equal items in the order of Ajv, which looks at plain values from the last one on."""
    if not any(isinstance(item, (dict, list)) for item in items):
        seen: dict[Any, int] = {}
        for i in range(len(items) - 1, -1, -1):
            if items[i] in seen:
                return seen[items[i]], i
            seen[items[i]] = i
    pairs = ((j, i) for i in range(len(items) - 1, 0, -1) for j in range(i - 1, -1, -1))
    return next((j, i) for j, i in pairs if items[i] == items[j])
