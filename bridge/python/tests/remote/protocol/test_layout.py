"""Layouts: views without a copy, and no layout from a server leads outside a body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecgym import ServerError
from mecgym.remote.protocol.layout import DTYPES, Layout

sizes = st.integers(0, 5)


@st.composite
def layouts(draw: st.DrawFn) -> list[dict[str, Any]]:
    arrays = []
    offset = 0
    for i in range(draw(st.integers(1, 5))):
        dtype = draw(st.sampled_from(sorted(DTYPES)))
        shape = draw(st.lists(sizes, min_size=1, max_size=3))
        arrays.append({"name": f"a{i}", "dtype": dtype, "shape": shape, "offset": offset})
        offset += -(-int(np.prod(shape)) * DTYPES[dtype].itemsize // 8) * 8
    return arrays


@given(layouts(), st.randoms(use_true_random=False))
def test_arrays_survive_a_body(arrays: list[dict[str, Any]], random: Any) -> None:
    layout = Layout(arrays)
    values = {
        array["name"]: np.asarray(
            [random.randrange(200) for _ in range(int(np.prod(array["shape"])))], DTYPES[array["dtype"]]
        ).reshape(array["shape"])
        for array in arrays
    }
    body = layout.encode(values)
    assert len(body) % 8 == 0
    found = layout.decode(body)
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype
        assert not found[name].flags.writeable


def test_arrays_are_views_of_the_body() -> None:
    body = np.arange(4, dtype="<f8").tobytes()
    found = Layout([{"name": "a", "dtype": "float64", "shape": [2, 2], "offset": 0}]).decode(body)
    assert np.shares_memory(found["a"], np.frombuffer(body, "<f8"))


def test_a_short_body_is_refused() -> None:
    layout = Layout([{"name": "a", "dtype": "float64", "shape": [2], "offset": 8}])
    assert layout.num_bytes == 24
    for body in (None, b"", bytes(23)):
        with pytest.raises(ServerError) as caught:
            layout.decode(body)
        assert caught.value.path == "body"
    assert layout.decode(bytes(32))["a"].shape == (2,)


good: dict[str, Any] = {"name": "a", "dtype": "int32", "shape": [2], "offset": 0}


@pytest.mark.parametrize(
    "arrays",
    [
        None,
        {},
        [1],
        [{**good, "name": 1}],
        [{**good, "name": ""}],
        [good, good],
        [{**good, "dtype": "float16"}],
        [{**good, "dtype": ["int32"]}],
        [{**good, "shape": 2}],
        [{**good, "shape": []}],
        [{**good, "shape": [-1]}],
        [{**good, "shape": [True]}],
        [{**good, "shape": [2.0]}],
        [{**good, "shape": [1] * 9}],
        [{**good, "shape": [2**31, 2**31]}],
        [{**good, "offset": 4}],
        [{**good, "offset": -8}],
        [{**good, "offset": None}],
        [{**good, "offset": 2**62}],
    ],
)
def test_malformed_layouts_are_refused(arrays: Any) -> None:
    with pytest.raises(ServerError) as caught:
        Layout(arrays)
    assert caught.value.code == "malformedReply"


field = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3) | st.floats()


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["a", "b", "c"]) | field,
                "dtype": st.sampled_from(sorted(DTYPES)) | field,
                "shape": st.lists(st.integers(-1, 2**33) | field, max_size=10) | field,
                "offset": st.integers(0, 64).map(lambda n: 8 * n) | field,
            }
        ),
        max_size=4,
    ),
    st.binary(max_size=128),
)
def test_made_up_layouts_never_break(arrays: list[dict[str, Any]], body: bytes) -> None:
    try:
        layout = Layout(arrays)
        found = layout.decode(body)
        for name, shape in layout.shapes.items():
            assert found[name].shape == shape
    except ServerError as error:
        assert error.code == "malformedReply"


def test_expectations_are_checked() -> None:
    layout = Layout([good])
    layout.check({"a": ("int32", (2,))})
    for expected in ({"b": ("int32", (2,))}, {"a": ("float32", (2,))}, {"a": ("int32", (3,))}):
        with pytest.raises(ServerError):
            layout.check(expected)
