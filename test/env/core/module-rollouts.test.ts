/**
 * The core's base policies against the policies that they are: the same sums as if the policy were asked, and as in the
 * slow model.
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import { AdaptivePrices } from "../../../benchmarks/policies/adaptive.js";
import { adaptiveWeights } from "../../../benchmarks/policies/manifest.js";
import { TollPrices } from "../../../benchmarks/policies/priced.js";
import { imagined } from "../../../benchmarks/policies/prices.js";
import { BatchEnv, type Observation, type RolloutRequest, Rollouts, rolloutKeys } from "../../../env/index.js";
import type { ReferenceEpisode } from "../../reference/reference-model.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { difference, makePair } from "./module-harness.js";

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
        const numCandidates = batch.outputs.numServers[1] + 1;
        const candidates = Array.from({ length: numCandidates }, (_, action) => action);
        const keys = rolloutKeys(seed);
        const adaptive = new AdaptivePrices(adaptiveWeights);
        for (let i = 0; i < request.numSeen; i++) adaptive.see({ sizeMbit: 1.5 + i } as Observation);
        const tollSlots = request.base === "priced" ? 0.37 : 0;
        const prices = request.base === "adaptive" ? adaptive : new TollPrices(tollSlots);
        const rollouts = new Rollouts(batch.scenarios[0]);
        const play = (base: RolloutRequest["base"]) => {
          const out = new Float64Array(numCandidates * request.numFutures);
          rollouts.play(batch.lanes, 1, { ...request, candidates, numCandidates, base, keys }, out);
          return out;
        };
        const before = batch.stateHash(1);
        expect(difference("sums", play(prices.coreBase), play(imagined(prices)))).toBeUndefined();
        expect(batch.stateHash(1)).toBe(before);
      },
    ),
    { seed: 14, numRuns: 300 },
  );
});

it("the core's rollouts are the slow model's, in sampled futures and in the true one", { timeout: 300_000 }, () => {
  let numLonger = 0;
  fc.assert(
    fc.property(
      scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }),
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.integer({ min: 0, max: 40 }),
      requests,
      (scenario, seed, numSteps, { base, ...request }) => {
        const pair = makePair({
          scenarios: [scenario],
          numLanes: 1,
          seed,
          autoreset: "same-step",
          invalidActions: "costliest",
        });
        pair.reset();
        for (let step = 0; step < numSteps; step++) pair.step([(step * 5) % 4]);
        const episode = pair.reference.episodeOf(0);
        const candidates = Array.from({ length: episode.servers.length + 1 }, (_, action) => action);
        const tollSlots = base === "priced" ? 0.37 : 0;
        const keys = rolloutKeys(seed);
        const { core } = pair;
        const numbers: Record<string, number> = {
          isSampled: request.future === "sampled" ? 1 : 0,
          key0: keys[0],
          key1: keys[1],
          busyProbability: request.busyProbability,
          tasksSeen: request.tasksSeen,
          horizonSlots: request.horizonSlots,
          firstFuture: request.firstFuture,
          numFutures: request.numFutures,
          numCandidates: candidates.length,
          base: 0,
          tollSlots,
        };
        for (const [name, value] of Object.entries(numbers)) core.set(`rollout.${name}`, value);
        core.view("rollout.candidates").set(candidates);
        expect(core.call(() => core.calls.rollout(0))).toBe(0);
        const endSlot = Math.min(episode.slot + request.horizonSlots, pair.reference.scenarioOf(0).episodeSlots);
        const cheapest = (one: ReferenceEpisode) => {
          const price = (action: number) =>
            one.costSlots(action) + (action === 0 ? 0 : tollSlots * one.servers[action - 1].activeTasks);
          return one.actions().reduce((best, action) => (price(action) < price(best) ? action : best));
        };
        const expected = candidates.flatMap((candidate) =>
          Array.from({ length: request.numFutures }, (_, m) => {
            if (!episode.actions().includes(candidate)) return Number.POSITIVE_INFINITY;
            const copy = episode.copy();
            if (request.future === "sampled") copy.takeFuture({ ...request, keys, sample: request.firstFuture + m });
            const sum = copy.playOn(candidate, endSlot, cheapest);
            if (copy.decisionIndex > episode.decisionIndex + 1) numLonger++;
            return sum;
          }),
        );
        expect(difference("sums", core.view("rollout.costSlots"), Float64Array.from(expected))).toBeUndefined();
      },
    ),
    { seed: 14, numRuns: 400 },
  );
  expect(numLonger).toBeGreaterThan(1000);
});
