"""The golden trajectories in the engine: with machine code, with wasmtime's interpreter, and with its slow calls."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from engine.golden_play import GOLDEN, digest_of
from mecgym.engine.module import CompiledModule, compile_module, make_config

pytestmark = pytest.mark.limit_seconds(600)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_golden_trajectories(golden: dict[str, Any]) -> None:
    assert digest_of(golden) == (golden["digest"], golden["numSteps"])


@pytest.fixture(scope="module")
def interpreted() -> CompiledModule:
    """Compile the module for wasmtime's interpreter Pulley, which has no vector instructions of any processor."""
    config = make_config()
    config.target = "pulley64"
    # an interpreter has no machine code whose bounds the processor could check
    config.signals_based_traps = False
    return compile_module(config)


@pytest.mark.parametrize("golden", GOLDEN[::3], ids=lambda golden: golden["name"])
def test_without_the_processors_vectors(golden: dict[str, Any], interpreted: CompiledModule) -> None:
    assert digest_of(golden, interpreted) == (golden["digest"], golden["numSteps"])


@pytest.mark.parametrize("golden", GOLDEN[1::6], ids=lambda golden: golden["name"])
def test_without_the_fast_calls(golden: dict[str, Any]) -> None:
    assert digest_of(golden, is_fast=False) == (golden["digest"], golden["numSteps"])


def test_the_runtime_rounds_alike_everywhere() -> None:
    """A module with relaxed vector instructions, whose results may differ from machine to machine, does not compile."""
    relaxed = """(module (func (param v128 v128 v128) (result v128)
      (f64x2.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))"""
    with pytest.raises(wasmtime.WasmtimeError, match="relaxed"):
        wasmtime.Module(wasmtime.Engine(make_config()), relaxed)
