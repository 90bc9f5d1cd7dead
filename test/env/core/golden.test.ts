/** The core plays the golden trajectories, and random worlds of the reference model, to the last bit. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { resolveScenario, type Scenario, TrajectoryDigest } from "../../../env/index.js";
import type { GoldenTrajectory } from "../../golden/rules.js";
import { ReferenceEpisode } from "../../reference/reference-model.js";
import { lookAheadArbitrary, scenarioArbitrary } from "../scenario-arbitrary.js";
import { makeCore } from "./harness.js";

const file = new URL("../../golden/trajectories.json", import.meta.url);
const trajectories = JSON.parse(readFileSync(file, "utf8")) as GoldenTrajectory[];

it.each(trajectories)("$name", ({ scenario, seeds, rule, digest, numSteps }) => {
  const core = makeCore({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  const trajectory = new TrajectoryDigest();
  let count = 0;
  for (const seed of seeds) {
    core.view("seeds")[0] = seed;
    expect(core.calls.reset(1)).toBe(0);
    let numFinal = 0;
    for (let d = 0; numFinal === 0; d++) {
      const numActions = core.get("outputs.numServers") + 1;
      if (rule === "cheapest") core.calls.chooseCheapest();
      else if (rule === "out-of-range" && d % 10 === 0) core.set("actions", 99);
      else core.set("actions", (rule === "in-turn" ? d : d * 7) % numActions);
      const observation = core.view<Float32Array>("outputs.observation").slice();
      numFinal = core.call(() => core.calls.step());
      trajectory.addStep(
        observation,
        core.get("outputs.executedAction"),
        core.get("outputs.latencySlots"),
        core.get("outputs.costSlots"),
      );
      count++;
    }
    trajectory.endEpisode(seed);
  }
  expect({ digest: trajectory.digest(), numSteps: count }).toEqual({ digest, numSteps });
});

/** Decisions after which a run is long enough. */
const MAX_DECISIONS = 100;

function playBoth(scenario: Scenario, seed: number, stride: number, lookAhead: Partial<Scenario["lookAhead"]>): void {
  const core = makeCore({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  const reference = new ReferenceEpisode(scenario, seed);
  core.view("seeds")[0] = seed;
  expect(core.calls.reset(1)).toBe(0);
  for (let d = 0; d < MAX_DECISIONS && !reference.truncated; d++) {
    expect(core.calls.readDecision(0)).toBe(0);
    const { decision, servers, devices } = reference;
    const list = (name: string) => [...core.view(`decision.${name}`).subarray(0, servers.length)];
    expect(core.get("decision.numServers")).toBe(servers.length);
    expect(core.get("decision.slot")).toBe(reference.slot);
    expect(core.get("decision.userIndex")).toBe(decision.userIndex);
    expect(core.get("decision.sizeMbit")).toBe(decision.sizeMbit);
    expect(core.get("decision.backlogMbit")).toBe(devices[decision.userIndex].backlogMbit);
    expect(list("rateMbps")).toEqual([...decision.rateMbps]);
    expect(list("cpuGHz")).toEqual(servers.map((server) => server.cpuGHz));
    expect(list("activeTasks")).toEqual(servers.map((server) => server.activeTasks));
    expect(list("workloadMbit")).toEqual(servers.map((server) => server.workloadMbit));
    expect(list("isAvailable")).toEqual(servers.map((server) => (server.isThere ? 1 : 0)));
    expect(core.calls.lookAhead(0, 1, -1)).toBe(0);
    const expected = reference.lookAhead(lookAhead);
    for (const name of ["latencySlots", "costSlots", "impactSlots", "reward"] as const) {
      expect([...core.view(`lookAhead.${name}`).subarray(0, servers.length + 1)]).toEqual([...expected[name]]);
    }
    const action = d % 9 === 8 ? -5 : (d * stride) % (servers.length + 1);
    const step = reference.step(action);
    core.set("actions", action);
    const numFinal = core.call(() => core.calls.step());
    expect(numFinal).toBe(step.truncated ? 1 : 0);
    expect(core.get("outputs.executedAction")).toBe(step.action);
    expect(core.get("outputs.latencySlots")).toBe(step.latencySlots);
    expect(core.get("outputs.costSlots")).toBe(step.costSlots);
    expect(core.get("outputs.lostTasks")).toBe(step.lostTasks);
    expect(core.get("outputs.lostOnTimeTasks")).toBe(step.lostOnTimeTasks);
    if (numFinal === 0) continue;
    const stats = reference.stats();
    const [finalSeed, numDecisions, finished, late, realisedSum, unfinished, unfinishedLate, lost] =
      core.view("final.stats");
    expect([finalSeed, numDecisions]).toEqual([seed, d + 1]);
    expect([finished, late]).toEqual([stats.numFinished, stats.numLate]);
    expect([unfinished, unfinishedLate]).toEqual([stats.numUnfinished, stats.numUnfinishedLate]);
    expect(lost).toBe(stats.numLost);
    // the reference model adds up in the order of decisions
    expect(realisedSum).toBeCloseTo(stats.realisedSum, 6);
  }
}

it("the reference model says the same of random worlds", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(
      scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }),
      lookAheadArbitrary,
      fc.integer({ min: 0, max: 3_000_000 }),
      fc.integer({ min: 1, max: 9 }),
      (fields, lookAhead, seed, stride) => playBoth(resolveScenario({ ...fields, lookAhead }), seed, stride, {}),
    ),
    { seed: 14, numRuns: 250 },
  );
});
