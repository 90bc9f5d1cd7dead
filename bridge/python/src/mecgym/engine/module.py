"""The compiled module: once for each process, and kept on disk if there is a folder for it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

import wasmtime

from .package_data import CORE, data_folder

__all__ = ["CompiledModule", "compile_module", "make_config", "the_module"]

#: Folder for compiled modules; an empty value keeps none.
CACHE_VARIABLE = "MECGYM_CACHE"
DIGEST_BYTES = 32


class CompiledModule:
    """The module, ready to be instantiated.

    Attributes
    ----------
    engine : wasmtime.Engine
        What compiled it.
    module : wasmtime.Module
        The compiled code.
    sha256 : str
        SHA-256 of the bytes of `core.wasm`.
    """

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, sha256: str) -> None:
        self.engine = engine
        self.module = module
        self.sha256 = sha256


def make_config() -> wasmtime.Config:
    """Return the settings of the runtime: those under which every machine computes the same bits."""
    config = wasmtime.Config()
    # relaxed instructions may round differently on different machines
    config.wasm_relaxed_simd = False
    # threads that compile would not survive a fork
    config.parallel_compilation = False
    # views of the memory stay valid when it grows
    config.memory_may_move = False
    if sys.platform == "darwin":
        # Mach ports belong to one process: a forked one would not handle traps
        config.macos_use_mach_ports = False
    return config


def compile_module(config: wasmtime.Config, cache_folder: Path | None = None) -> CompiledModule:
    """Compile `core.wasm`, or load what was compiled before.

    Parameters
    ----------
    config : wasmtime.Config
        Settings of the runtime.
    cache_folder : path, optional
        Where compiled modules are kept, if anywhere.
    """
    code = (data_folder(CORE) / "core.wasm").read_bytes()
    sha256 = hashlib.sha256(code).hexdigest()
    engine = wasmtime.Engine(config)
    if cache_folder is None:
        return CompiledModule(engine, wasmtime.Module(engine, code), sha256)
    path = cache_folder / f"core-{sha256[:16]}-wasmtime-{version('wasmtime')}.bin"
    module = _load(engine, path)
    if module is None:
        module = wasmtime.Module(engine, code)
        _keep(module, path)
    return CompiledModule(engine, module, sha256)


_lock = threading.Lock()
_compiled: CompiledModule | None = None


def the_module() -> CompiledModule:
    """Return this process's compiled module."""
    global _compiled
    if _compiled is None:
        with _lock:
            if _compiled is None:
                _compiled = compile_module(make_config(), find_cache_folder())
    return _compiled


def find_cache_folder() -> Path | None:
    """Return the folder for compiled modules, made if need be; None if there is none that only this user can write to.

    What lies in it is run as machine code, so a folder that others may write to will not do.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen == "" or os.name == "nt":
        return None
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = Path(chosen) if chosen else home / "mecgym"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):
        return None
    return folder if status.st_uid == os.getuid() and status.st_mode & 0o022 == 0 else None


def _load(engine: wasmtime.Engine, path: Path) -> wasmtime.Module | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(code).digest() != digest:
        return None
    # compiled for another processor, or by another build of the same version
    with contextlib.suppress(wasmtime.WasmtimeError):
        return wasmtime.Module.deserialize(engine, code)
    return None


def _keep(module: wasmtime.Module, path: Path) -> None:
    """Write a compiled module to disk; a disk that is full or read-only does not matter."""
    code = bytes(module.serialize())
    with contextlib.suppress(OSError):
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
