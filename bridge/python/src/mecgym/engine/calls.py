"""Calls of the module's functions with everything prepared, since wasmtime's own way costs 15 to 27 µs each."""

# `wasmtime.Func.__call__` looks the types of arguments and results up each time. The C function
# `wasmtime_func_call_unchecked` takes them from a buffer and costs 0.5 µs. That function is public. The ways to the
# loaded library, to the store's context and to the function's handle are private, so a version of wasmtime that has
# them elsewhere is called in its own way.

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import wasmtime

__all__ = ["Call", "FastCall", "make_call", "make_slow_call", "prepare_call", "trapped"]

#: Takes integers, and gives the integer that the function gives.
Call = Callable[..., int]

#: Bytes of the union of an argument or a result.
RAW_BYTES = 16


class FastCall(NamedTuple):
    """A prepared call: ``function(*arguments)`` returns None and leaves `trap` empty if all went well.

    Attributes
    ----------
    function : callable
        The C function that calls.
    arguments : tuple
        What it takes.
    trap : ctypes.c_void_p
        What went wrong in the module.
    integers : list of ctypes.c_int32
        The arguments of the module's function; the first one is also its result.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    trap: ctypes.c_void_p
    integers: list[ctypes.c_int32]


def trapped() -> RuntimeError:
    """Return the error of a call that the module did not survive."""
    return RuntimeError("the core has trapped; its batch cannot be used any longer")


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
    prepared = prepare_call(store, func, releases_gil=releases_gil)
    if prepared is None:
        return make_slow_call(store, func)
    function, arguments, trap, integers = prepared
    context, address, buffer, length, trap_address = arguments
    result = integers[0]

    def call() -> int:
        if function(context, address, buffer, length, trap_address) is not None or trap:
            raise trapped()
        return result.value

    def call_with_arguments(*values: int) -> int:
        for integer, value in zip(integers, values, strict=True):
            integer.value = value
        return call()

    return call_with_arguments if func.type(store).params else call


def make_slow_call(store: wasmtime.Store, func: wasmtime.Func) -> Call:
    """Return a call in wasmtime's own way."""

    def call(*arguments: int) -> int:
        result: int = func(store, *arguments)
        return result

    return call


def prepare_call(store: wasmtime.Store, func: wasmtime.Func, *, releases_gil: bool) -> FastCall | None:
    """Prepare a fast call; None if this version of wasmtime has its parts elsewhere."""
    try:
        return _prepare_call(store, func, releases_gil)
    except (AttributeError, TypeError, OSError, ctypes.ArgumentError):
        return None


def _prepare_call(store: wasmtime.Store, func: wasmtime.Func, releases_gil: bool) -> FastCall:
    private: Any = wasmtime
    name = private._ffi.dll._name
    library = ctypes.CDLL(name) if releases_gil else ctypes.PyDLL(name)
    function: Any = library["wasmtime_func_call_unchecked"]
    function.restype = ctypes.c_void_p
    function.argtypes = None
    # kept by what keeps the call, since the handles below are only good as long as these live
    function.keep = (store, library)
    num_values = max(1, len(func.type(store).params))
    values = (ctypes.c_byte * (RAW_BYTES * num_values))()
    integers = [ctypes.c_int32.from_buffer(values, RAW_BYTES * i) for i in range(num_values)]
    trap = ctypes.c_void_p()
    handle: Any = func
    # a reference to what is there costs less, call by call, than a pointer
    context = ctypes.byref(ctypes.c_char.from_address(ctypes.cast(store._context(), ctypes.c_void_p).value or 0))
    length = ctypes.c_size_t(num_values)
    arguments = (context, ctypes.byref(handle._func), ctypes.byref(values), length, ctypes.byref(trap))
    return FastCall(function, arguments, trap, integers)
