/** The core's look-aheads, choices, snapshots and forks against those of the slow model. */

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LookAheadRequest, scenarioHash } from "../../../env/index.js";
import { lookAheadArbitrary, scenarioArbitrary } from "../scenario-arbitrary.js";
import { difference, HEADER_BYTES, makePair, type Pair } from "./module-harness.js";

const results = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;

/** A pair of batches somewhere in an episode. */
const pairs = fc
  .record({
    scenario: scenarioArbitrary({ arrivals: "busy", maxSlots: 25 }),
    numLanes: fc.integer({ min: 1, max: 5 }),
    seed: fc.integer({ min: 0, max: 1_000_000 }),
    numSteps: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ scenario, numLanes, seed, numSteps }) => {
    const pair = makePair({
      scenarios: [scenario],
      numLanes,
      seed,
      // with next-step autoreset, lanes stay at the end of their episodes for a while
      autoreset: seed % 2 === 0 ? "same-step" : "next-step",
      invalidActions: "costliest",
      history: true,
    });
    pair.reset();
    for (let step = 0; step < numSteps; step++) playStep(pair, step);
    return pair;
  });

function playStep(pair: Pair, step: number): void {
  const { numLanes, maxServers } = pair.reference;
  pair.step(Array.from({ length: numLanes }, (_, lane) => (step * 5 + lane) % (maxServers + 1)));
}

function expectSame(pair: Pair): void {
  expect(pair.difference()).toBeUndefined();
}

function expectLookAhead({ core, reference }: Pair, lane: number, request?: LookAheadRequest): void {
  if (request !== undefined) {
    core.set("lookAhead.numSamples", request.numSamples as number);
    core.set("lookAhead.weight", request.weight as number);
    core.set("lookAhead.minSizeFactor", request.sizeFactor?.min as number);
    core.set("lookAhead.maxSizeFactor", request.sizeFactor?.max as number);
    core.set("lookAhead.isSequential", request.mode === "sequential" ? 1 : 0);
    core.set("lookAhead.isResampled", request.rates === "resampled" ? 1 : 0);
    core.view("lookAhead.actions").set(request.actions ?? []);
  }
  const expected = reference.lookAhead(lane, request);
  expect(core.calls.lookAhead(lane, request === undefined ? 1 : 0, request?.actions?.length ?? -1)).toBe(0);
  for (const name of results) {
    expect(difference(name, core.view(`lookAhead.${name}`), Float64Array.from(expected[name]))).toBeUndefined();
  }
}

describe("the core has the slow model's bits", () => {
  it("in look-aheads: own settings, others, and some of the actions", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(pairs, lookAheadArbitrary, fc.integer({ min: 0, max: 100 }), (pair, options, number) => {
        for (let lane = 0; lane < pair.reference.numLanes; lane++) {
          const numServers = pair.reference.outputs.numServers[lane];
          expectLookAhead(pair, lane);
          expectLookAhead(pair, lane, options);
          const actions = [number % (numServers + 1), 0, (number * 3) % (numServers + 1)].slice(0, numServers + 1);
          expectLookAhead(pair, lane, { ...options, actions });
        }
      }),
      { seed: 14, numRuns: 150 },
    );
  });

  it("in the choices of oracle and lacs; 0 after an end", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(pairs, ({ core, reference }) => {
        const choose = (rule: (lane: number) => number) =>
          Array.from({ length: reference.numLanes }, (_, lane) =>
            reference.episodeOf(lane).truncated ? 0 : rule(lane),
          );
        core.calls.chooseCheapest();
        expect([...core.view("actions")]).toEqual(choose((lane) => reference.episodeOf(lane).oracleAction()));
        expect(core.calls.chooseLookAhead(1)).toBe(0);
        const best = (lane: number) => {
          const { reward } = reference.lookAhead(lane);
          return reward.indexOf(Math.max(...reward));
        };
        expect([...core.view("actions")]).toEqual(choose(best));
      }),
      { seed: 14, numRuns: 150 },
    );
  });

  it("in snapshots and state hashes, and plays on from a restored one", { timeout: 300_000 }, () => {
    let numEnded = 0;
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 30 }), (pair, numSteps) => {
        const { core, reference } = pair;
        const snapshots = Array.from({ length: reference.numLanes }, (_, lane) => core.snapshot(lane));
        const saved = snapshots.map((_, lane) => reference.save(lane));
        for (const [lane, snapshot] of snapshots.entries()) {
          if (reference.episodeOf(lane).truncated) numEnded++;
          expect(pair.stateDifference(lane, snapshot)).toBeUndefined();
          const digest = createHash("sha256").update(snapshot.subarray(HEADER_BYTES)).digest();
          expect(Buffer.from(snapshot.subarray(0, 8)).toString("latin1")).toBe("mecgymS\u0001");
          const scenario = Buffer.from(snapshot.subarray(8, 40)).toString("hex");
          expect(scenario).toBe(scenarioHash(reference.scenarioOf(lane)));
          expect(digest.equals(snapshot.subarray(40, HEADER_BYTES))).toBe(true);
          expect(core.calls.stateHash(lane)).toBe(0);
          expect(digest.equals(core.view<Uint8Array>("digest"))).toBe(true);
        }
        for (let step = 0; step < numSteps; step++) playStep(pair, step);
        // each lane goes on from its neighbour's state
        for (const [lane, snapshot] of snapshots.entries()) {
          const target = (lane + 1) % reference.numLanes;
          reference.restore(target, saved[lane]);
          expect(core.restore(target, snapshot)).toBe(0);
        }
        for (let step = 0; step < numSteps; step++) {
          playStep(pair, step + 3);
          expectSame(pair);
        }
      }),
      { seed: 14, numRuns: 150 },
    );
    expect(numEnded).toBeGreaterThan(5);
  });

  it("in forks: lane to lane, and a copy of the whole batch", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(pairs, fc.nat(), (pair, number) => {
        const { core, reference } = pair;
        const { numLanes } = reference;
        const [from, to] = [number % numLanes, (number * 7 + 1) % numLanes];
        reference.fork(from, to);
        expect(core.call(() => core.calls.fork(from, to))).toBe(0);
        const copy = pair.fork();
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
