/** `learned-price` against its golden decisions, and the facts it remembers against hand and the reference model. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makePolicy } from "../../../benchmarks/policies/index.js";
import { SlotFacts } from "../../../benchmarks/policies/slot-facts.js";
import { makeEnv, type ObservationData, resolveScenario, type ScenarioInput } from "../../../env/index.js";
import { scenarioArbitrary } from "../../env/scenario-arbitrary.js";
import { type LearnedPriceGolden, playLearnedPrices } from "../../golden/learned-price.js";
import { ReferenceEpisode } from "../../reference/reference-model.js";

const golden: LearnedPriceGolden[] = JSON.parse(
  readFileSync(new URL("../../golden/learned-price.json", import.meta.url), "utf8"),
);

describe("learned-price", () => {
  it("decides as the golden file says, with its prices to the last bit", { timeout: 120_000 }, () => {
    const played = playLearnedPrices();
    expect(played.map(({ scenario }) => scenario)).toEqual(golden.map(({ scenario }) => scenario));
    for (const [i, expected] of golden.entries()) expect(played[i]).toEqual(expected);
  });

  it("costs less than adaptive over whole episodes under load", { timeout: 120_000 }, () => {
    const costOf = (name: string, seed: number) => {
      const env = makeEnv("load-24-users-v1", { seed });
      const policy = makePolicy(name, seed, "load-24-users-v1");
      let { observation } = env.reset();
      let sum = 0;
      for (let count = 1; ; count++) {
        const step = env.step(policy(observation));
        sum += step.costSlots;
        if (step.truncated) return sum / count;
        observation = step.observation;
      }
    };
    const seeds = Array.from({ length: 20 }, (_, i) => 1_000_000 + i);
    const gains = seeds.map((seed) => costOf("adaptive", seed) - costOf("learned-price", seed));
    expect(gains.reduce((a, b) => a + b) / gains.length).toBeGreaterThan(0.05);
  });

  it("two policies do not share what they remember", () => {
    const [one, other] = [makePolicy("learned-price"), makePolicy("learned-price")];
    const env = makeEnv("paper-v1", { seed: 4 });
    let { observation } = env.reset();
    for (let d = 0; d < 50; d++) {
      const action = one(observation);
      observation = env.step(action).observation;
    }
    const again = makeEnv("paper-v1", { seed: 4 });
    const fresh = makePolicy("learned-price");
    const first = again.reset().observation;
    expect(other(first)).toBe(fresh(first));
  });
});

describe("the facts that a policy remembers", () => {
  const scenario: ScenarioInput = { numServers: 2, users: { perServer: 3 } };
  const observation = (changes: Partial<ObservationData>): ObservationData => ({
    slot: 0,
    decisionIndex: 0,
    sizeMbit: 4,
    densityGcyclesPerMbit: 0.3,
    deadlineSlots: 10,
    penaltySlots: 10,
    slotSeconds: 0.1,
    userIndex: 0,
    localCpuGHz: 2,
    localBacklogMbit: 0,
    localWaitSlots: 0,
    numServers: 2,
    rateMbps: [10, 10],
    cpuGHz: [30, 30],
    activeTasks: [0, 0],
    workloadMbit: [0, 0],
    workloadHistoryMbit: [[0], [0]],
    ...changes,
  });

  it("by hand", () => {
    const facts = new SlotFacts(resolveScenario(scenario));
    facts.see(observation({ activeTasks: [2, 1] }));
    expect([facts.usersLeft, facts.meanSizeMbit]).toEqual([5, 4]);
    expect([[...facts.assignedTasks], [...facts.assignedMbit]]).toEqual([
      [0, 0],
      [0, 0],
    ]);
    // the task of 4 Mbit went to the second server
    facts.see(observation({ decisionIndex: 1, userIndex: 2, sizeMbit: 2, activeTasks: [2, 2] }));
    expect([facts.usersLeft, facts.meanSizeMbit]).toEqual([3, 3]);
    expect([[...facts.assignedTasks], [...facts.assignedMbit]]).toEqual([
      [0, 1],
      [0, 4],
    ]);
    // the task of 2 Mbit stayed on its user's device
    facts.see(observation({ decisionIndex: 2, userIndex: 5, sizeMbit: 3, activeTasks: [2, 2] }));
    expect([facts.usersLeft, facts.meanSizeMbit]).toEqual([0, 3]);
    expect([...facts.assignedMbit]).toEqual([0, 4]);
    // a new slot
    facts.see(observation({ slot: 1, decisionIndex: 3, userIndex: 1, sizeMbit: 3, activeTasks: [3, 1] }));
    expect([facts.usersLeft, facts.meanSizeMbit]).toEqual([4, 3]);
    expect([...facts.assignedTasks, ...facts.assignedMbit]).toEqual([0, 0, 0, 0]);
  });

  it("are those of the reference model, to the last bit", { timeout: 120_000 }, () => {
    let decisions = 0;
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }),
        fc.integer({ min: 0, max: 3_000_000 }),
        fc.integer({ min: 1, max: 9 }),
        (input, seed, stride) => {
          const env = makeEnv(input, { seed });
          const facts = new SlotFacts(env.scenario);
          const reference = new ReferenceEpisode(env.scenario, seed);
          let { observation: seen } = env.reset();
          for (let d = 0; d < 60 && !reference.truncated; d++) {
            facts.see(seen);
            const expected = reference.facts();
            expect(facts.usersLeft).toBe(expected.usersLeft);
            expect(facts.meanSizeMbit).toBe(expected.meanSizeMbit);
            expect([...facts.assignedTasks]).toEqual(expected.assignedTasks);
            expect([...facts.assignedMbit]).toEqual(expected.assignedMbit);
            const actions = reference.actions();
            const action = actions[(d * stride) % actions.length];
            reference.step(action);
            seen = env.step(action).observation;
            decisions++;
          }
        },
      ),
      { seed: 16, numRuns: 200 },
    );
    expect(decisions).toBeGreaterThan(2500);
  });
});
