/** The facts at the end of observations: by hand, and against the reference model in random worlds, to the bit. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addScenario } from "../../../env/batch/core-input.js";
import { CoreModule } from "../../../env/core/module.js";
import { resolveScenario, type Scenario, type ScenarioInput } from "../../../env/index.js";
import { ReferenceEpisode } from "../../reference/reference-model.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { makeCore } from "./module-harness.js";

const RESETS_WITH_SEEDS = 1;

/** A batch of `numLanes` lanes of one scenario, whose observations end with facts. */
function makeFactsCore(scenario: Scenario, numLanes: number, showsHistory = false): CoreModule {
  const core = new CoreModule();
  expect(addScenario(core, scenario)).toBe(0);
  core.set("options.numLanes", numLanes);
  core.set("options.showsFacts", 1);
  core.set("options.showsHistory", showsHistory ? 1 : 0);
  core.set("options.numOutputSets", 1);
  core.set("options.replacesInvalidActions", 1);
  core.growTo(core.calls.requiredBytes());
  expect(core.calls.create()).toBe(0);
  core.readMap();
  return core;
}

function reset(core: CoreModule, ...seeds: number[]): void {
  core.view("seeds").set(seeds);
  expect(core.call(() => core.calls.reset(RESETS_WITH_SEEDS))).toBe(0);
}

function step(core: CoreModule, ...actions: number[]): void {
  core.view("actions").set(actions);
  expect(core.call(() => core.calls.step())).toBeGreaterThanOrEqual(0);
}

/** The facts of a lane, from the end of its observation. */
function factsOf(core: CoreModule, lane = 0): number[] {
  const size = core.get("batch.observationSize");
  const numFacts = 4 + 2 * core.get("batch.maxServers");
  return Array.from(core.view("outputs.observation").subarray((lane + 1) * size - numFacts, (lane + 1) * size));
}

function referenceFacts(reference: ReferenceEpisode, maxServers: number): number[] {
  const { usersLeft, slot, decisionIndex, meanSizeMbit, assignedTasks, assignedMbit } = reference.facts();
  const servers = Array.from({ length: maxServers }, (_, e) => [assignedTasks[e] ?? 0, assignedMbit[e] ?? 0]);
  return [usersLeft, slot, decisionIndex, meanSizeMbit, ...servers.flat()].map(Math.fround);
}

/** Two servers and three users who all have a task of 4 Mbit in every slot: nothing is drawn that matters here. */
const certain: ScenarioInput = {
  numServers: 2,
  users: { count: 3 },
  taskSizeMbit: { min: 4, max: 4 },
  arrivals: { process: "bernoulli", probability: 1 },
  episodeSlots: 3,
};

describe("facts in observations", () => {
  it("by hand", () => {
    const core = makeFactsCore(resolveScenario(certain), 1);
    reset(core, 5);
    //                          left, slot, decisions, mean; tasks and Mbit of the first server, then of the second
    expect(factsOf(core)).toEqual([2, 0, 0, 4, 0, 0, 0, 0]);
    step(core, 2);
    expect(factsOf(core)).toEqual([1, 0, 1, 4, 0, 0, 1, 4]);
    step(core, 2);
    expect(factsOf(core)).toEqual([0, 0, 2, 4, 0, 0, 2, 8]);
    step(core, 1);
    // a new slot: all that was assigned before belongs to earlier slots now
    expect(factsOf(core)).toEqual([2, 1, 3, 4, 0, 0, 0, 0]);
    step(core, 0);
    expect(factsOf(core)).toEqual([1, 1, 4, 4, 0, 0, 0, 0]);
    step(core, 1);
    expect(factsOf(core)).toEqual([0, 1, 5, 4, 1, 4, 0, 0]);
  });

  it("the mean size is that of the episode's tasks up to the current one", () => {
    const core = makeFactsCore(resolveScenario("paper-v1"), 1);
    reset(core, 8);
    let sum = 0;
    const sizes = core.view("outputs.observation");
    for (let d = 0; d < 40; d++) {
      sum += sizes[0];
      expect(factsOf(core)[3]).toBeCloseTo(sum / (d + 1), 5);
      step(core, d % 7);
    }
    // the next episode begins with its own first task
    reset(core, 9);
    expect(factsOf(core)[3]).toBe(sizes[0]);
  });

  it("are those of the reference model, after copies of lanes and restores too", { timeout: 300_000 }, () => {
    let decisions = 0;
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }),
        fc.integer({ min: 0, max: 3_000_000 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (input, seed, stride, showsHistory) => {
          const scenario = resolveScenario(input);
          const reference = new ReferenceEpisode(scenario, seed);
          const core = makeFactsCore(scenario, 3, showsHistory);
          const maxServers = core.get("batch.maxServers");
          reset(core, seed, seed + 1, seed + 2);
          for (let d = 0; d < 60 && !reference.truncated; d++) {
            const expected = referenceFacts(reference, maxServers);
            expect(factsOf(core)).toEqual(expected);
            if (d % 5 === 0) {
              expect(core.call(() => core.calls.fork(0, 1))).toBe(0);
              expect(factsOf(core, 1)).toEqual(expected);
              expect(core.restore(2, core.snapshot(0))).toBe(0);
              expect(factsOf(core, 2)).toEqual(expected);
            }
            const action = (d * stride) % (reference.servers.length + 1);
            reference.step(action);
            step(core, action, action, action);
            // the copies saw the same tasks and were given the same actions
            if (!reference.truncated) {
              expect(factsOf(core, 1)).toEqual(factsOf(core));
              expect(factsOf(core, 2)).toEqual(factsOf(core));
            }
            decisions++;
          }
        },
      ),
      { seed: 16, numRuns: 300 },
    );
    expect(decisions).toBeGreaterThan(4000);
  });

  it("change nothing else: the numbers before them are those of an observation without facts", () => {
    const scenario = resolveScenario("churn-v1");
    const [plain, withFacts] = [makeCore({ scenarios: [scenario], numLanes: 1 }), makeFactsCore(scenario, 1)];
    const size = plain.get("batch.observationSize");
    for (const core of [plain, withFacts]) reset(core, 3);
    for (let d = 0; d < 50; d++) {
      const bytes = (core: CoreModule) => core.view("outputs.observation").slice(0, size);
      expect(bytes(withFacts)).toEqual(bytes(plain));
      const actions = Array.from(plain.view<Uint8Array>("outputs.actionMask")).flatMap((is, a) => (is ? [a] : []));
      for (const core of [plain, withFacts]) step(core, actions[d % actions.length]);
    }
  });
});
