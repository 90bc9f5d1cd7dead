"""Layouts: the places of the arrays in a body, which are read as NumPy views without a copy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import malformed

__all__ = ["DTYPES", "Body", "Layout"]

#: What a body is: bytes, or a view of the memory the message came in.
Body = bytes | memoryview

#: Arrays start at multiples of this many bytes.
ALIGNMENT = 8
#: No body is larger: NumPy's dtypes end here, and servers' limits far below.
MAX_BODY_BYTES = 2**31 - 1

DTYPES: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int32": np.dtype("<i4"),
    "uint8": np.dtype("u1"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
}


class Layout:
    """The places of the arrays in a body.

    Parameters
    ----------
    arrays : list of dict
        ``{name, dtype, shape, offset}`` of each array, as in the protocol.

    Attributes
    ----------
    arrays : list of dict
        As given.
    num_bytes : int
        Bytes from the start of the body to the end of the last array.
    shapes : dict of str to tuple of int
        Shape of each array.

    Raises
    ------
    ServerError
        ``malformedReply`` if it is not a layout.
    """

    def __init__(self, arrays: Any) -> None:
        if not isinstance(arrays, list):
            malformed("layout", "a list of arrays", arrays)
        self.arrays: list[dict[str, Any]] = arrays
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._offsets: list[int] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.num_bytes = 0
        for array in arrays:
            if not isinstance(array, dict):
                malformed("layout", "a map for each array", array)
            name, dtype, shape = array.get("name"), array.get("dtype"), array.get("shape")
            offset: Any = array.get("offset")
            if not isinstance(name, str) or not name or name in self.shapes:
                malformed("layout/name", "a name of its own", name)
            if not isinstance(dtype, str) or dtype not in DTYPES:
                malformed(f"layout/{name}/dtype", f"one of {', '.join(DTYPES)}", dtype)
            if not isinstance(shape, list) or not 1 <= len(shape) <= 8 or not all(map(_is_size, shape)):
                malformed(f"layout/{name}/shape", "a list of sizes", shape)
            if not _is_size(offset) or offset % ALIGNMENT != 0:
                malformed(f"layout/{name}/offset", f"a multiple of {ALIGNMENT}", offset)
            end = offset + math.prod(shape) * DTYPES[dtype].itemsize
            if end > MAX_BODY_BYTES:
                malformed(f"layout/{name}", f"at most {MAX_BODY_BYTES} bytes", end)
            self._dtypes[name] = DTYPES[dtype]
            self._offsets.append(offset)
            self.shapes[name] = tuple(shape)
            self.num_bytes = max(self.num_bytes, end)
        # one structured type describes the whole body: its fields are the arrays
        self._body_dtype = np.dtype(
            {
                "names": list(self.shapes),
                "formats": [(self._dtypes[name], shape) for name, shape in self.shapes.items()],
                "offsets": self._offsets,
                "itemsize": self.num_bytes,
            }
        )

    @staticmethod
    def of(arrays: Mapping[str, NDArray[Any]]) -> Layout:
        """Return the layout of these arrays, one after the other; each has one of the `DTYPES`."""
        specs = []
        offset = 0
        for name, array in arrays.items():
            dtype = next(key for key, value in DTYPES.items() if value == array.dtype)
            specs.append({"name": name, "dtype": dtype, "shape": list(array.shape), "offset": offset})
            offset = -(-(offset + array.nbytes) // ALIGNMENT) * ALIGNMENT
        return Layout(specs)

    def check(self, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        """Refuse the layout unless it has the arrays `expected`, a dtype's name and a shape for each name.

        Raises
        ------
        ServerError
            ``malformedReply``.
        """
        for name, (dtype, shape) in expected.items():
            if self._dtypes.get(name) != DTYPES[dtype] or self.shapes[name] != shape:
                malformed(f"layout/{name}", f"{dtype} {list(shape)}", (self._dtypes.get(name), self.shapes.get(name)))

    def decode(self, body: Body | None) -> NDArray[Any]:
        """Return a body's arrays as read-only views: index the result with their names.

        Raises
        ------
        ServerError
            ``malformedReply`` if the body is missing or too short.
        """
        num_bytes = 0 if body is None else len(body)
        if body is None or num_bytes < self.num_bytes:
            malformed("body", f"{self.num_bytes} bytes", f"{num_bytes} bytes")
        arrays: NDArray[Any] = np.ndarray((), self._body_dtype, body)
        return arrays

    def encode(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        """Return a body with the arrays, converted to the layout's dtypes; shapes must fit.

        The end is padded to a multiple of 8 bytes, too.
        """
        body = bytearray(-(-self.num_bytes // ALIGNMENT) * ALIGNMENT)
        fields: NDArray[Any] = np.ndarray((), self._body_dtype, body)
        for name in self.shapes:
            fields[name][...] = arrays[name]
        return bytes(body)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_BODY_BYTES
