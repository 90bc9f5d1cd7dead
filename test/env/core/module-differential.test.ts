/** The core against the slow model: the same bits at every step, in random batches of every feature and option. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AutoresetMode } from "../../../env/index.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { makePair, type Pair } from "./module-harness.js";

/** Plays `numSteps` by a rule that depends on lane and step, now and then outside the actions there are. */
function play(pair: Pair, numSteps: number, stride: number): void {
  const { numLanes, maxServers, autoreset } = pair.reference;
  expect(pair.difference()).toBeUndefined();
  for (let step = 0; step < numSteps; step++) {
    if (autoreset === "disabled") resetEnded(pair, step);
    const actions = Array.from({ length: numLanes }, (_, lane) => {
      const number = (step * stride + lane * 7 + ((step * step) % 11)) % (maxServers + 3);
      return number > maxServers + 1 ? -number : number;
    });
    pair.step(actions);
    const found = pair.difference();
    if (found !== undefined) throw new Error(`step ${step}: ${found}`);
  }
}

/** Without autoreset, a lane that has ended takes no step before it is reset; what it shows must stay until then. */
function resetEnded(pair: Pair, step: number): void {
  const ended = pair.reference.endedLanes();
  if (ended.length === 0) return;
  const { core } = pair;
  expect(core.calls.step()).toBe(-2);
  expect(ended).toContain(core.failure.index);
  expect(pair.difference()).toBeUndefined();
  const mask = Array.from({ length: pair.reference.numLanes }, (_, lane) => (ended.includes(lane) ? 1 : 0));
  // half of them go on with the split's next seed
  pair.reset(
    step % 2 === 0 ? undefined : mask.map((_, lane) => (lane % 2 === 0 ? Number.NaN : step * 1000 + lane)),
    mask,
  );
  expect(pair.difference()).toBeUndefined();
}

describe("the core has the slow model's bits", () => {
  it("in paper-v1, through several episodes", { timeout: 300_000 }, () => {
    const pair = makePair({
      scenarios: ["paper-v1"],
      numLanes: 5,
      autoreset: "same-step",
      invalidActions: "costliest",
    });
    pair.reset();
    play(pair, 900, 3);
  });

  it.each([
    ["busy", 400],
    ["rare", 60],
  ] as const)("in random scenarios of %s arrivals, with every option", { timeout: 600_000 }, (arrivals, numRuns) => {
    fc.assert(
      fc.property(
        fc.array(scenarioArbitrary({ arrivals, maxSlots: 30 }), { minLength: 1, maxLength: 3 }),
        // now and then more lanes than the core plays together
        fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: 1, max: 8 }) },
          { weight: 1, arbitrary: fc.integer({ min: 33, max: 40 }) },
        ),
        fc.constantFrom<AutoresetMode>("same-step", "next-step", "disabled"),
        fc.boolean(),
        fc.constantFrom("train" as const, "validation" as const, "test" as const),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 3 }),
        (scenarios, numLanes, autoreset, history, split, seed, stride, extraServers) => {
          const pair = makePair({
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
