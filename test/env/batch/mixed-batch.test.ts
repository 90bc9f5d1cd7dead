/** A batch of several scenarios: every lane plays exactly as it does alone, in all three autoreset modes. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AutoresetMode,
  BatchEnv,
  type BatchEnvOptions,
  FLAG_RESET,
  type ScenarioInput,
} from "../../../env/index.js";
import { lookAheadArbitrary, scenarioArbitrary } from "../scenario-arbitrary.js";

interface Mix {
  readonly scenarios: readonly ScenarioInput[];
  readonly laneScenario: readonly number[];
  readonly seeds: readonly number[];
  readonly room: number;
  readonly strides: readonly number[];
}

const mixArbitrary: fc.Arbitrary<Mix> = fc
  .array(scenarioArbitrary({ arrivals: "busy", maxSlots: 12 }), { minLength: 2, maxLength: 4 })
  .chain((scenarios) =>
    fc.record({
      scenarios: fc.constant(scenarios),
      laneScenario: fc.array(fc.nat(scenarios.length - 1), { minLength: 6, maxLength: 6 }),
      seeds: fc.array(fc.nat(1_000_000), { minLength: 6, maxLength: 6 }),
      room: fc.integer({ min: 7, max: 12 }),
      strides: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 6, maxLength: 6 }),
    }),
  );

/** A lane's outputs after a step or a reset. */
function outputsOf(batch: BatchEnv, lane: number) {
  const width = batch.observationSize;
  const actions = batch.maxServers + 1;
  const ended = Array.from(batch.finalLane.subarray(0, batch.numFinal)).indexOf(lane);
  const stats = batch.finalStats.length / batch.numLanes;
  return {
    observation: batch.observation.slice(lane * width, (lane + 1) * width),
    actionMask: batch.actionMask.slice(lane * actions, (lane + 1) * actions),
    flags: batch.flags[lane],
    reward: batch.reward[lane],
    latencySlots: batch.latencySlots[lane],
    costSlots: batch.costSlots[lane],
    lostTasks: batch.lostTasks[lane],
    lostOnTimeTasks: batch.lostOnTimeTasks[lane],
    executedAction: batch.executedAction[lane],
    state: batch.stateHash(lane),
    finalSlot: ended < 0 ? null : batch.finalSlot[ended],
    finalStats: ended < 0 ? null : batch.finalStats.slice(ended * stats, (ended + 1) * stats),
    finalObservation: ended < 0 ? null : batch.finalObservation.slice(ended * width, (ended + 1) * width),
  };
}

/** An action for each lane; some name no server or an absent one. */
function actionsOf({ strides }: Mix, decision: number): number[] {
  return strides.map((stride, lane) => (decision * stride + lane) % 9);
}

/** Starts new episodes in lanes whose episode has ended, if the batch does not do so itself. */
function resetEnded(batch: BatchEnv): void {
  if (batch.autoreset !== "disabled" || batch.numFinal === 0) return;
  const mask = new Uint8Array(batch.numLanes);
  for (const lane of batch.finalLane.subarray(0, batch.numFinal)) mask[lane] = 1;
  batch.reset(undefined, mask);
}

describe.each<AutoresetMode>(["next-step", "same-step", "disabled"])("any scenarios in one batch, %s,", (autoreset) => {
  it("equal each lane played alone, with its look-aheads, through several episodes", { timeout: 300_000 }, () => {
    let episodes = 0;
    let resets = 0;
    fc.assert(
      fc.property(mixArbitrary, lookAheadArbitrary, (mix, options) => {
        const { scenarios, laneScenario, seeds, room } = mix;
        const shared: Omit<BatchEnvOptions, "scenarios" | "numLanes"> = {
          maxServers: room,
          history: true,
          autoreset,
          invalidActions: "costliest",
        };
        const together = new BatchEnv({ ...shared, scenarios, numLanes: 6, laneScenario });
        // all scenarios, so that the rows have one shape
        const alone = laneScenario.map((index, lane) => {
          return new BatchEnv({ ...shared, scenarios, numLanes: 1, laneScenario: [index], firstLane: lane });
        });
        together.reset(seeds);
        for (const [lane, env] of alone.entries()) env.reset([seeds[lane]]);
        for (let decision = 0; decision < 40; decision++) {
          const actions = actionsOf(mix, decision);
          together.step(actions);
          const seen = alone.map((_, lane) => outputsOf(together, lane));
          episodes += together.numFinal;
          for (const [lane, env] of alone.entries()) {
            env.step([actions[lane]]);
            expect(seen[lane]).toEqual(outputsOf(env, 0));
            if ((env.flags[0] & FLAG_RESET) !== 0) resets++;
            if (decision % 20 === 0) expect(together.lookAhead(lane, options)).toEqual(env.lookAhead(0, options));
          }
          resetEnded(together);
          alone.forEach(resetEnded);
        }
      }),
      { seed: 11, numRuns: 15 },
    );
    expect(episodes).toBeGreaterThan(200);
    expect(resets > 0).toBe(autoreset === "next-step");
  });
});
