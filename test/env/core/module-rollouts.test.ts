/** The core's base policies against the policies that they are: the same sums as if the policy were asked. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { AdaptivePrices } from "../../../benchmarks/policies/adaptive.js";
import { adaptiveWeights } from "../../../benchmarks/policies/manifest.js";
import { TollPrices } from "../../../benchmarks/policies/priced.js";
import { imagined } from "../../../benchmarks/policies/prices.js";
import { BatchEnv, type Observation, Rollouts, rolloutKeys } from "../../../env/index.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { difference } from "./module-harness.js";

const requests = fc.record({
  horizonSlots: fc.integer({ min: 1, max: 8 }),
  firstFuture: fc.integer({ min: 0, max: 20 }),
  numFutures: fc.integer({ min: 1, max: 4 }),
  future: fc.constantFrom("sampled" as const, "true" as const),
  busyProbability: fc.constantFrom(0, 0.3, 1),
  tasksSeen: fc.integer({ min: 1, max: 3 }),
  base: fc.constantFrom("oracle" as const, "priced" as const, "adaptive" as const),
  numSeen: fc.integer({ min: 0, max: 5 }),
});

it("the core decides as the policies do in rollouts", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(
      scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }),
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.integer({ min: 0, max: 40 }),
      requests,
      (scenario, seed, numSteps, request) => {
        const batch = new BatchEnv({
          scenarios: [scenario],
          numLanes: 2,
          seed,
          autoreset: "same-step",
          invalidActions: "costliest",
        });
        batch.reset();
        for (let step = 0; step < numSteps; step++) batch.step([step % 3, (step * 5) % 4]);
        const { core } = batch.lanes;
        const numCandidates = batch.outputs.numServers[1] + 1;
        const candidates = Array.from({ length: numCandidates }, (_, action) => action);
        const keys = rolloutKeys(seed);
        const adaptive = new AdaptivePrices(adaptiveWeights);
        for (let i = 0; i < request.numSeen; i++) adaptive.see({ sizeMbit: 1.5 + i } as Observation);
        const tollSlots = request.base === "priced" ? 0.37 : 0;
        const base = imagined(request.base === "adaptive" ? adaptive : new TollPrices(tollSlots));
        const expected = new Float64Array(numCandidates * request.numFutures);
        const rollouts = new Rollouts(batch.scenarios[0]);
        rollouts.play(batch.lanes, 1, { ...request, candidates, numCandidates, base, keys }, expected);

        const sizes = Array.from({ length: request.numSeen }, (_, i) => 1.5 + i);
        const numbers: Record<string, number> = {
          isSampled: request.future === "sampled" ? 1 : 0,
          key0: keys[0],
          key1: keys[1],
          busyProbability: request.busyProbability,
          tasksSeen: request.tasksSeen,
          horizonSlots: request.horizonSlots,
          firstFuture: request.firstFuture,
          numFutures: request.numFutures,
          numCandidates,
          base: request.base === "adaptive" ? 1 : 0,
          tollSlots,
          sizeSumMbit: sizes.reduce((sum, size) => sum + size, 35),
          numSizes: 10 + request.numSeen,
        };
        for (const [name, value] of Object.entries(numbers)) core.set(`rollout.${name}`, value);
        core.view("rollout.weights").set(adaptiveWeights);
        core.view("rollout.candidates").set(candidates);
        const before = batch.stateHash(1);
        expect(core.call(() => core.calls.rollout(1))).toBe(0);
        expect(difference("sums", core.view("rollout.costSlots"), expected)).toBeUndefined();
        expect(batch.stateHash(1)).toBe(before);
      },
    ),
    { seed: 14, numRuns: 300 },
  );
});
