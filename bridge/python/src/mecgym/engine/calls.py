"""Calls of the module's functions with everything prepared, since wasmtime's own way costs 15 to 27 µs each."""

# `wasmtime.Func.__call__` looks the types of arguments and results up each time. The C function
# `wasmtime_func_call_unchecked` takes them from a buffer and costs 0.5 µs. That function is public. The ways to the
# loaded library, to the store's context and to the function's handle are private, so a version of wasmtime that has
# them elsewhere is called in its own way.

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime

__all__ = ["Call", "make_call", "make_slow_call"]

#: Takes integers, and gives the integer that the function gives.
Call = Callable[..., int]

#: Bytes of the union of an argument or a result.
RAW_BYTES = 16


def make_call(store: wasmtime.Store, func: wasmtime.Func, *, releases_gil: bool) -> Call:
    """Return a fast call of a function that takes 32-bit integers and gives one.

    Parameters
    ----------
    store : wasmtime.Store
        The store of the function's instance.
    func : wasmtime.Func
        The function.
    releases_gil : bool
        Whether other Python threads run meanwhile, which costs 0.1 µs.
    """
    try:
        return _make_fast_call(store, func, releases_gil)
    except (AttributeError, TypeError, OSError, ctypes.ArgumentError):
        return make_slow_call(store, func)


def make_slow_call(store: wasmtime.Store, func: wasmtime.Func) -> Call:
    """Return a call in wasmtime's own way."""

    def call(*arguments: int) -> int:
        result: int = func(store, *arguments)
        return result

    return call


def _make_fast_call(store: wasmtime.Store, func: wasmtime.Func, releases_gil: bool) -> Call:
    private: Any = wasmtime
    name = private._ffi.dll._name
    library = ctypes.CDLL(name) if releases_gil else ctypes.PyDLL(name)
    function: Any = library["wasmtime_func_call_unchecked"]
    function.restype = ctypes.c_void_p
    function.argtypes = None
    num_arguments = len(func.type(store).params)
    values = (ctypes.c_byte * (RAW_BYTES * max(1, num_arguments)))()
    integers = [ctypes.c_int32.from_buffer(values, RAW_BYTES * i) for i in range(max(1, num_arguments))]
    result = integers[0]
    trap = ctypes.c_void_p()
    handle: Any = func
    context = ctypes.cast(store._context(), ctypes.c_void_p)
    address, buffer, trap_address = ctypes.byref(handle._func), ctypes.byref(values), ctypes.byref(trap)
    length = ctypes.c_size_t(len(integers))

    def call() -> int:
        if function(context, address, buffer, length, trap_address) is not None or trap:
            raise RuntimeError("the core has trapped; its batch cannot be used any longer")
        return result.value

    def call_with_arguments(*arguments: int) -> int:
        for integer, argument in zip(integers, arguments, strict=True):
            integer.value = argument
        return call()

    call.keep = (store, library)  # type: ignore[attr-defined]
    return call if num_arguments == 0 else call_with_arguments
