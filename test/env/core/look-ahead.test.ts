/** Properties of the look-ahead: pure, paired, and with different futures at every decision. */

import { describe, expect, it } from "vitest";
import { BatchEnv, makeEnv, type ScenarioInput } from "../../../env/index.js";
import { mixed } from "../episodes.js";

describe("the look-ahead", () => {
  const everyKind = (["independent", "sequential"] as const).flatMap((mode) =>
    (["frozen", "resampled"] as const).map((rates) => ({ mode, rates, numSamples: 5 })),
  );

  it("gives the same bytes every time, in any order, and changes nothing", () => {
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true, autoreset: "next-step" });
    const undisturbed = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true, autoreset: "next-step" });
    env.reset([1, 2]);
    undisturbed.reset([1, 2]);
    for (let d = 0; d < 60; d++) {
      const first = everyKind.map((options) => env.lookAhead(0, options));
      env.lookAhead(1);
      const again = [...everyKind]
        .reverse()
        .map((options) => env.lookAhead(0, options))
        .reverse();
      expect(again).toEqual(first);
      expect(env.observation).toEqual(undisturbed.observation);
      env.step([d % 3, 0]);
      undisturbed.step([d % 3, 0]);
      expect(env.costSlots).toEqual(undisturbed.costSlots);
    }
  });

  it("faces every action, and every member of a group, with the same futures", () => {
    // identical servers and empty queues: all edge actions lead to the same state, so only futures could differ
    const alike: ScenarioInput = {
      numServers: 4,
      serverCpuGHz: [20, 20, 20, 20],
      uplink: { meanRateMbps: 0.001, minRateMbps: 14 },
    };
    const env = new BatchEnv({ scenarios: [alike], numLanes: 3 });
    env.reset([6, 6, 7]);
    for (const options of everyKind) {
      const { impactSlots } = env.lookAhead(0, options);
      expect(new Set(impactSlots.slice(1)).size).toBe(1);
      expect(env.lookAhead(1, options)).toEqual(env.lookAhead(0, options));
      expect(env.lookAhead(2, options).impactSlots).not.toEqual(impactSlots);
    }
  });

  it("has different futures at every decision", () => {
    const still: ScenarioInput = {
      numServers: 1,
      serverCpuGHz: [10_000],
      users: { count: 1 },
      arrivals: { process: "bernoulli", probability: 1 },
      taskSizeMbit: { min: 1, max: 1 },
      uplink: { meanRateMbps: 0.001, minRateMbps: 14 },
      episodeSlots: 300,
      lookAhead: { numSamples: 1 },
    };
    const env = makeEnv(still, { seed: 0 });
    let step = env.reset();
    const impacts = new Set<number>();
    while (!step.truncated) {
      impacts.add(env.lookAhead().impactSlots[1]);
      step = env.step(1);
    }
    expect(impacts.size).toBeGreaterThan(298);
  });

  it("has one entry for each action, and writes into a given buffer", () => {
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 1, maxServers: 9 });
    env.reset([2]);
    const result = env.lookAhead(0);
    expect(result.reward.length).toBe(env.outputs.numServers[0] + 1);
    expect(env.lookAhead(0, undefined, result)).toBe(result);
  });
});
