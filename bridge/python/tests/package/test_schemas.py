"""The schemas in Python: the same files as in TypeScript accept the same examples and refuse the same ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

SCHEMAS = Path(__file__).resolve().parents[4] / "schemas"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


schemas: dict[str, Any] = {
    path.name.removesuffix(".schema.json"): read(path) for path in sorted(SCHEMAS.glob("*.schema.json"))
}
resources: list[tuple[str, Resource[Any]]] = [
    (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
]
registry: Registry[Any] = Registry().with_resources(resources)
validators = {name: Draft202012Validator(schema, registry=registry) for name, schema in schemas.items()}


def examples(kind: str) -> list[Any]:
    return [
        pytest.param(name, path, id=f"{name}/{path.stem}")
        for name in schemas
        for path in sorted((SCHEMAS / "examples" / name / kind).glob("*.json"))
    ]


def all_errors(errors: Iterator[ValidationError] | list[ValidationError]) -> Iterator[ValidationError]:
    """Errors, and those of the forms of a union that explain them."""
    for error in errors:
        yield error
        yield from all_errors(error.context or [])


@pytest.mark.parametrize("name", schemas)
def test_is_a_schema_with_examples(name: str) -> None:
    Draft202012Validator.check_schema(schemas[name])
    for kind in ("valid", "invalid"):
        assert list((SCHEMAS / "examples" / name / kind).glob("*.json")), f"{name} has no {kind} example"


@pytest.mark.parametrize(("name", "path"), examples("valid"))
def test_accepts(name: str, path: Path) -> None:
    validators[name].validate(read(path))


@pytest.mark.parametrize(("name", "path"), examples("invalid"))
def test_refuses(name: str, path: Path) -> None:
    example = read(path)
    errors = list(all_errors(validators[name].iter_errors(example["value"])))
    assert errors
    # a field too many is reported at the object that holds it
    places = {"".join(f"/{part}" for part in error.absolute_path) for error in errors}
    expected = example["path"]
    assert expected in places or expected.rsplit("/", 1)[0] in places, f"expected {expected}, got {places}"
