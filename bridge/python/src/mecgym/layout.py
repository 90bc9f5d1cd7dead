"""Layouts: where the arrays of a body are, and the same arrays as NumPy views without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import malformed

__all__ = ["DTYPES", "Layout"]

#: Arrays start at multiples of this many bytes.
ALIGNMENT = 8
#: No array of a reply is larger; what claims to be is refused before any arithmetic with it.
MAX_ARRAY_BYTES = 2**40

DTYPES: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int32": np.dtype("<i4"),
    "uint8": np.dtype("u1"),
    "uint64": np.dtype("<u8"),
}


class Layout:
    """Where the arrays of a body are.

    Parameters
    ----------
    arrays : list of dict
        ``{name, dtype, shape, offset}`` of each array, as in the protocol.

    Attributes
    ----------
    num_bytes : int
        Bytes from the start of the body to the end of the last array.
    shapes : dict of str to tuple of int
        Shape of each array.

    Raises
    ------
    ServerError
        ``malformedReply`` where it is not a layout.
    """

    def __init__(self, arrays: Any) -> None:
        if not isinstance(arrays, list):
            malformed("layout", "a list of arrays", arrays)
        self._arrays: list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.num_bytes = 0
        for array in arrays:
            if not isinstance(array, dict):
                malformed("layout", "a map for each array", array)
            name, dtype, shape, offset = (array.get(field) for field in ("name", "dtype", "shape", "offset"))
            if not isinstance(name, str) or name in self.shapes:
                malformed("layout/name", "a name of its own", name)
            if not isinstance(dtype, str) or dtype not in DTYPES:
                malformed(f"layout/{name}/dtype", f"one of {', '.join(DTYPES)}", dtype)
            if not isinstance(shape, list) or not 1 <= len(shape) <= 8 or not all(map(_is_size, shape)):
                malformed(f"layout/{name}/shape", "a list of sizes", shape)
            if not _is_size(offset) or offset % ALIGNMENT != 0:
                malformed(f"layout/{name}/offset", f"a multiple of {ALIGNMENT}", offset)
            count = 1
            for size in shape:
                count *= size
            end = offset + count * DTYPES[dtype].itemsize
            if end > MAX_ARRAY_BYTES:
                malformed(f"layout/{name}", f"at most {MAX_ARRAY_BYTES} bytes", end)
            self._arrays.append((name, DTYPES[dtype], tuple(shape), offset, count))
            self.shapes[name] = tuple(shape)
            self.num_bytes = max(self.num_bytes, end)

    def check(self, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        """Refuse the layout unless it has the arrays `expected`, a dtype's name and a shape for each name.

        Raises
        ------
        ServerError
            ``malformedReply``.
        """
        found = {name: (dtype, shape) for name, dtype, shape, _offset, _count in self._arrays}
        for name, (dtype, shape) in expected.items():
            if found.get(name) != (DTYPES[dtype], shape):
                malformed(f"layout/{name}", f"{dtype} {list(shape)}", found.get(name))

    def decode(self, body: bytes | None) -> dict[str, NDArray[Any]]:
        """Give read-only views of a body's arrays, by name.

        Raises
        ------
        ServerError
            ``malformedReply`` where the body is missing or too short.
        """
        num_bytes = 0 if body is None else len(body)
        if body is None or num_bytes < self.num_bytes:
            malformed("body", f"{self.num_bytes} bytes", f"{num_bytes} bytes")
        return {
            name: np.frombuffer(body, dtype, count, offset if count else 0).reshape(shape)
            for name, dtype, shape, offset, count in self._arrays
        }

    def encode(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        """Make a body of the arrays, which are converted to the layout's dtypes; shapes must fit."""
        body = bytearray(self.num_bytes)
        for name, dtype, shape, offset, count in self._arrays:
            np.frombuffer(body, dtype, count, offset if count else 0).reshape(shape)[...] = arrays[name]
        return bytes(body)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ARRAY_BYTES
