"""The module's memory as NumPy sees it: fields by name, whose places are asked of the module."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Field", "MemoryBlock", "parse_field_table"]

#: An entry of the module's table of fields; docs/embedding.md describes it.
ENTRY = np.dtype(
    {
        "names": ["name", "address", "type", "rows", "columns"],
        "formats": ["S40", "<u4", "S4", "<u4", "<u4"],
        "offsets": [0, 40, 44, 48, 52],
        "itemsize": 64,
    }
)


class Field(NamedTuple):
    """Where a field stands, and what it is.

    Attributes
    ----------
    name : str
        Such as ``outputs.reward``.
    address : int
        First byte.
    dtype : numpy.dtype
        Type of its numbers.
    shape : tuple of int
        Empty for one number.
    """

    name: str
    address: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole field."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_field_table(table: NDArray[np.uint8]) -> dict[str, Field]:
    """Read the module's table of fields, by name."""
    fields = {}
    dtypes = {kind: np.dtype(kind.decode("ascii")) for kind in set(table.view(ENTRY)["type"].tolist())}
    for name, address, kind, rows, columns in table.view(ENTRY).tolist():
        shape = () if rows == 0 and columns == 0 else (rows,) if columns == 0 else (rows, columns)
        text = name.decode("ascii")
        fields[text] = Field(text, address, dtypes[kind], shape)
    return fields


class MemoryBlock:
    """A stretch of memory that NumPy makes arrays of; the arrays keep `owner`, and with it the memory, alive."""

    def __init__(self, address: int, num_bytes: int, owner: object) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, False),
            "shape": (num_bytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def array(self) -> NDArray[np.uint8]:
        """Return the bytes."""
        return np.asarray(self)
