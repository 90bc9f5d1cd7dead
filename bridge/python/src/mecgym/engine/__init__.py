"""The core in this process: the simulator's WebAssembly module, run by wasmtime without a server."""
