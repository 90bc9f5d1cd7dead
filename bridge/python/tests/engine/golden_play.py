"""Plays a golden trajectory in the engine, without environments; run as a program it prints the digests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mecgym.bench.digest import TrajectoryDigest
from mecgym.engine.batch import EngineBatch
from mecgym.engine.module import CompiledModule
from mecgym.engine.options import resolve_options

FILE = Path(__file__).resolve().parents[4] / "test" / "golden" / "trajectories.json"
GOLDEN: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))


def choose(rule: str, batch: EngineBatch, decision_index: int, num_servers: int) -> int:
    """Pick an action as the golden trajectories do."""
    if rule == "cheapest":
        return int(batch.choose("oracle")[0])
    if rule == "out-of-range" and decision_index % 10 == 0:
        return 99
    stride = 1 if rule == "in-turn" else 7
    return decision_index * stride % (num_servers + 1)


def digest_of(
    golden: dict[str, Any], compiled: CompiledModule | None = None, *, is_fast: bool = True
) -> tuple[str, int]:
    """Play the episodes of a golden trajectory; give its digest and the number of decisions."""
    options = resolve_options({"scenarios": [golden["scenario"]], "numEnvs": 1, "autoreset": "disabled"})
    batch = EngineBatch(options, compiled=compiled, is_fast=is_fast)
    digest = TrajectoryDigest()
    num_steps = 0
    for seed in golden["seeds"]:
        now = batch.reset(np.asarray([seed], np.uint64)).arrays
        truncated = False
        while not truncated:
            action = choose(golden["rule"], batch, int(now["decisionIndex"][0]), int(now["numServers"][0]))
            taken_on = now["observation"][0]
            stepped = batch.step(np.asarray([action], np.int32))
            now = stepped.arrays
            truncated = stepped.final is not None
            digest.add_step(taken_on, now["executedAction"][0], now["latencySlots"][0], now["costSlots"][0])
            num_steps += 1
        digest.end_episode(int(now["episodeSeed"][0]))
    return digest.hexdigest(), num_steps


def main() -> None:
    for golden in GOLDEN:
        digest, num_steps = digest_of(golden)
        print(golden["name"], digest, num_steps, digest == golden["digest"])


if __name__ == "__main__":
    main()
