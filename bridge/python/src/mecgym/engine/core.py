"""One instance of the module: its memory, its fields by name, and its calls."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Any

import numpy as np
import wasmtime
from numpy.typing import NDArray

from .calls import Call, make_call, make_slow_call
from .memory import Field, MemoryBlock, parse_field_table
from .module import CompiledModule, the_module
from .refusals import refusal

__all__ = ["INTERFACE_VERSION", "MEMORY_BYTES", "NEEDS_ROOM", "Core", "machine_bytes"]

INTERFACE_VERSION = 1
PAGE_BYTES = 65536
#: What an instance can address.
MEMORY_BYTES = 65535 * PAGE_BYTES
NEEDS_ROOM = -1
#: Memory grows by so many bytes at most beyond what is asked for.
MAX_SPARE_BYTES = 16 * 2**20


class Core:
    """An instance of the module, with memory of its own: room for one batch.

    Parameters
    ----------
    compiled : CompiledModule, optional
        The compiled module; this process's own if left out.
    is_fast : bool
        Whether to call the module's functions by the fast way if there is one.
    """

    def __init__(self, compiled: CompiledModule | None = None, *, is_fast: bool = True) -> None:
        self.compiled = the_module() if compiled is None else compiled
        self.is_fast = is_fast
        #: Owns the memory.
        self.store = wasmtime.Store(self.compiled.engine)
        try:
            instance = wasmtime.Instance(self.store, self.compiled.module, [])
        except wasmtime.WasmtimeError as error:
            raise refusal("sessionMemory", "session", "4 GiB of address space for a batch", str(error)) from error
        self._exports = instance.exports(self.store)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory
        self.fields: dict[str, Field] = {}
        self._views: dict[str, NDArray[Any]] = {}
        self._read_base()
        version = self.slow("interfaceVersion")()
        if version != INTERFACE_VERSION:
            raise RuntimeError(f"the core has interface {version}, not {INTERFACE_VERSION}")
        self.read_map()

    def function(self, name: str) -> wasmtime.Func:
        """Return a function of the module."""
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        return function

    def slow(self, name: str) -> Call:
        """Return a call for what is done once, or whose result is no integer."""
        return make_slow_call(self.store, self.function(name))

    def fast(self, name: str, *, releases_gil: bool = False) -> Call:
        """Return a call for what is done often."""
        if not self.is_fast:
            return self.slow(name)
        return make_call(self.store, self.function(name), releases_gil=releases_gil)

    def read_map(self) -> None:
        """Ask the module where its fields are; again once the batch is laid out, since there are more then."""
        table = self.slow("fieldTable")()
        num_fields = self.slow("numFields")()
        self.fields = parse_field_table(self.bytes_at(table, 64 * num_fields))
        self._views.clear()

    @property
    def num_bytes(self) -> int:
        """Bytes of the memory."""
        return int(self._memory.data_len(self.store))

    def bytes_at(self, address: int, num_bytes: int) -> NDArray[np.uint8]:
        """Return a view of bytes of the memory."""
        if address + num_bytes > len(self._bytes):
            # an interrupt came between the growth of memory and the note of it
            self._read_base()
        return self._bytes[address : address + num_bytes]

    def view(self, name: str) -> NDArray[Any]:
        """Return a view of a field; it stays valid when memory grows, since memory does not move."""
        view = self._views.get(name)
        if view is None:
            field = self.fields[name]
            data = self.bytes_at(field.address, field.num_bytes)
            view = self._views[name] = data.view(field.dtype).reshape(field.shape)
        return view

    def set(self, name: str, value: float) -> None:
        """Write a field of one number."""
        self.view(name)[()] = value

    def get(self, name: str) -> float:
        """Read a field of one number."""
        value: float = self.view(name)[()].item()
        return value

    def text(self, name: str) -> str:
        """Read a field of ASCII characters."""
        return self.view(name).tobytes().partition(b"\0")[0].decode("ascii")

    def call(self, call: Call, *arguments: int) -> int:
        """Make a call, and make it again with the room that it asks for.

        Raises
        ------
        MecgymError
            ``sessionMemory``; nothing has changed.
        """
        while True:
            status = call(*arguments)
            if status != NEEDS_ROOM:
                return status
            self.make_room()

    def make_room(self) -> None:
        """Grow memory for the call that has just asked for it."""
        needed = int(self.slow("neededBytes")())
        # more than is asked for, so that a batch whose lists grow step by step seldom asks
        self.grow_to(max(needed, self.num_bytes + min(self.num_bytes // 4, MAX_SPARE_BYTES)), needed)

    def grow_to(self, num_bytes: int, needed: int | None = None) -> None:
        """Grow memory to `num_bytes`, or at least to what is needed.

        Raises
        ------
        MecgymError
            ``sessionMemory``.
        """
        needed = num_bytes if needed is None else needed
        for wanted in (min(num_bytes, MEMORY_BYTES), needed):
            num_pages = -(-(wanted - self.num_bytes) // PAGE_BYTES)
            if wanted < needed:
                continue
            try:
                if num_pages > 0 and needed <= MEMORY_BYTES:
                    self._memory.grow(self.store, num_pages)
            except wasmtime.WasmtimeError:
                continue
            if self.num_bytes >= needed:
                self._read_base()
                return
        expected = f"a batch of at most {MEMORY_BYTES} bytes, within the machine's memory"
        raise refusal("sessionMemory", "session", expected, f"{needed} bytes")

    def copy_from(self, other: Core) -> None:
        """Take over the whole memory of another instance of the same module, and with it its batch."""
        num_bytes = other.num_bytes
        self.grow_to(num_bytes)
        self.bytes_at(0, num_bytes)[:] = other.bytes_at(0, num_bytes)
        self.read_map()

    def _read_base(self) -> None:
        base = ctypes.addressof(self._memory.data_ptr(self.store).contents)
        #: Where the memory begins in this process; it does not move.
        self.base = base
        #: The whole memory; the store lives as long as any view of it.
        self._bytes = MemoryBlock(base, self.num_bytes, self.store).array()


def machine_bytes() -> int:
    """Return the bytes of memory that this process may use, as far as the system says."""
    limits = [2**62]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
        limits.append(int(file.read()))
    return min(limits)
