/** The core against the TypeScript kernel: the same bits at every step, in random worlds of every feature. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AutoresetMode } from "../../../env/index.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { Pair } from "./harness.js";

/** Plays `numSteps` by a rule that depends on lane and step, now and then outside the actions there are. */
function play(pair: Pair, numSteps: number, stride: number): void {
  const { numLanes, maxServers } = pair.kernel;
  expect(pair.difference()).toBeUndefined();
  for (let step = 0; step < numSteps; step++) {
    const actions = Array.from({ length: numLanes }, (_, lane) => {
      const number = (step * stride + lane * 7 + ((step * step) % 11)) % (maxServers + 3);
      return number > maxServers + 1 ? -number : number;
    });
    pair.step(actions);
    const found = pair.difference();
    if (found !== undefined) throw new Error(`step ${step}: ${found}`);
  }
}

describe("the core has the kernel's bits", () => {
  it("in paper-v1, through several episodes", () => {
    const pair = new Pair({
      scenarios: ["paper-v1"],
      numLanes: 37,
      autoreset: "same-step",
      invalidActions: "costliest",
    });
    pair.reset();
    play(pair, 900, 3);
  });

  it.each([
    ["busy", 400],
    ["rare", 60],
  ] as const)("in random scenarios of %s arrivals, with every option", { timeout: 300_000 }, (arrivals, numRuns) => {
    fc.assert(
      fc.property(
        fc.array(scenarioArbitrary({ arrivals, maxSlots: 30 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom<AutoresetMode>("same-step", "next-step"),
        fc.boolean(),
        fc.constantFrom("train" as const, "validation" as const, "test" as const),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 3 }),
        (scenarios, numLanes, autoreset, history, split, seed, stride, extraServers) => {
          const pair = new Pair({
            scenarios,
            numLanes,
            laneScenario: Array.from({ length: numLanes }, (_, lane) => lane % scenarios.length),
            maxServers: 7 + extraServers,
            autoreset,
            history,
            split,
            seed,
            firstLane: seed % 1000,
            invalidActions: "costliest",
          });
          pair.reset();
          play(pair, 60, stride);
          pair.reset(
            Array.from({ length: numLanes }, (_, lane) => (lane % 3 === 0 ? Number.NaN : seed - (seed % 7) + lane)).map(
              (value) => (value > Number.MAX_SAFE_INTEGER ? 1 : value),
            ),
            Array.from({ length: numLanes }, (_, lane) => (lane % 2 === 0 ? 1 : 0)),
          );
          play(pair, 40, stride);
        },
      ),
      { seed: 14, numRuns },
    );
  });
});
