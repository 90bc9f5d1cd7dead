/** The core's look-aheads, choices, snapshots, forks and rollouts against the TypeScript kernel's. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KernelBatch } from "../../../env/batch/kernel-batch.js";
import { cheapestAction } from "../../../env/core/kernel.js";
import type { CoreModule } from "../../../env/core/module.js";
import type { LookAheadRequest } from "../../../env/index.js";
import { lookAheadArbitrary, scenarioArbitrary } from "../scenario-arbitrary.js";
import { difference, Pair } from "./module-harness.js";

const results = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;

/** A pair of batches somewhere in an episode, and a number to derive choices from. */
const pairs = fc
  .record({
    scenario: scenarioArbitrary({ arrivals: "busy", maxSlots: 25 }),
    numLanes: fc.integer({ min: 1, max: 5 }),
    seed: fc.integer({ min: 0, max: 1_000_000 }),
    numSteps: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ scenario, numLanes, seed, numSteps }) => {
    const pair = new Pair({
      scenarios: [scenario],
      numLanes,
      seed,
      autoreset: "same-step",
      invalidActions: "costliest",
      history: true,
    });
    pair.reset();
    for (let step = 0; step < numSteps; step++) playStep(pair, step);
    return pair;
  });

function playStep(pair: Pair, step: number): void {
  pair.step(
    Array.from({ length: pair.kernel.numLanes }, (_, lane) => (step * 5 + lane) % (pair.kernel.maxServers + 1)),
  );
}

function expectSame(pair: Pair): void {
  expect(pair.difference()).toBeUndefined();
}

function expectLookAhead(core: CoreModule, kernel: KernelBatch, lane: number, request?: LookAheadRequest): void {
  if (request !== undefined) {
    core.set("lookAhead.numSamples", request.numSamples as number);
    core.set("lookAhead.weight", request.weight as number);
    core.set("lookAhead.minSizeFactor", request.sizeFactor?.min as number);
    core.set("lookAhead.maxSizeFactor", request.sizeFactor?.max as number);
    core.set("lookAhead.isSequential", request.mode === "sequential" ? 1 : 0);
    core.set("lookAhead.isResampled", request.rates === "resampled" ? 1 : 0);
    core.view("lookAhead.actions").set(request.actions ?? []);
  }
  const expected = kernel.lookAhead(lane, request);
  expect(core.calls.lookAhead(lane, request === undefined ? 1 : 0, request?.actions?.length ?? -1)).toBe(0);
  for (const name of results) {
    expect(difference(name, core.view(`lookAhead.${name}`), expected[name], expected[name].length)).toBeUndefined();
  }
}

describe("the core has the kernel's bits", () => {
  it("in look-aheads: own settings, others, and some of the actions", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pairs, lookAheadArbitrary, fc.integer({ min: 0, max: 100 }), ({ core, kernel }, options, number) => {
        for (let lane = 0; lane < kernel.numLanes; lane++) {
          const numServers = kernel.outputs.numServers[lane];
          expectLookAhead(core, kernel, lane);
          expectLookAhead(core, kernel, lane, options);
          const actions = [number % (numServers + 1), 0, (number * 3) % (numServers + 1)].slice(0, numServers + 1);
          expectLookAhead(core, kernel, lane, { ...options, actions });
        }
      }),
      { seed: 14, numRuns: 150 },
    );
  });

  it("in the choices of oracle and lacs", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pairs, ({ core, kernel }) => {
        core.calls.chooseCheapest();
        const lanes = Array.from({ length: kernel.numLanes }, (_, lane) => lane);
        expect([...core.view("actions")]).toEqual(lanes.map((lane) => cheapestAction(kernel.lanes, lane)));
        expect(core.calls.chooseLookAhead(1)).toBe(0);
        const best = (lane: number) => {
          const { reward } = kernel.lookAhead(lane);
          return reward.indexOf(Math.max(...reward));
        };
        expect([...core.view("actions")]).toEqual(lanes.map(best));
      }),
      { seed: 14, numRuns: 150 },
    );
  });

  it("in snapshots, either way, and plays on alike after them", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 30 }), (pair, numSteps) => {
        const { core, kernel } = pair;
        const before = Array.from({ length: kernel.numLanes }, (_, lane) => core.snapshot(lane));
        for (const [lane, snapshot] of before.entries()) {
          expect(difference("snapshot", snapshot, kernel.snapshot(lane))).toBeUndefined();
          expect(core.calls.stateHash(lane)).toBe(0);
          const name = Buffer.from(core.view<Uint8Array>("digest").subarray(0, 8)).toString("hex");
          expect(name).toBe(kernel.stateHash(lane));
        }
        for (let step = 0; step < numSteps; step++) playStep(pair, step);
        // crosswise: what one side wrote, the other reads
        for (const [lane, snapshot] of before.entries()) {
          const target = (lane + 1) % kernel.numLanes;
          kernel.restore(target, snapshot);
          expect(core.restore(target, snapshot)).toBe(0);
        }
        for (let step = 0; step < numSteps; step++) {
          playStep(pair, step + 3);
          expectSame(pair);
        }
      }),
      { seed: 14, numRuns: 150 },
    );
  });

  it("in forks: lane to lane, and a copy of the whole batch", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pairs, fc.nat(), (pair, number) => {
        const { core, kernel } = pair;
        const { numLanes } = kernel;
        const [from, to] = [number % numLanes, (number * 7 + 1) % numLanes];
        kernel.fork(from, to);
        expect(core.call(() => core.calls.fork(from, to))).toBe(0);
        const copy = new Pair({ scenarios: kernel.scenarios, numLanes: 1 });
        Object.assign(copy, { kernel: kernel.forkAll(), core: core.copy() });
        expectSame(copy);
        for (let step = 0; step < 20; step++) {
          playStep(pair, step);
          expectSame(pair);
          playStep(copy, step + 2);
          expectSame(copy);
        }
      }),
      { seed: 14, numRuns: 150 },
    );
  });
});
