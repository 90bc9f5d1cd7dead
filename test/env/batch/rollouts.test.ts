/** Rollouts, number by number: what is copied, what a sampled future consists of, and what the sum counts. */

import { describe, expect, it } from "vitest";
import { oracle } from "../../../benchmarks/policies/index.js";
import { LaneView as View } from "../../../env/batch/observation.js";
import {
  BatchEnv,
  FLAG_TRUNCATED,
  type LaneView,
  observedCostSlots,
  type RolloutRequest,
  Rollouts,
  resolveScenario,
  rolloutKeys,
  type ScenarioInput,
} from "../../../env/index.js";
import { futureDraw } from "../../reference/reference-model.js";
import { stateOf } from "../snapshot-fields.js";

const request: RolloutRequest = {
  candidates: [0],
  numCandidates: 1,
  firstFuture: 0,
  numFutures: 1,
  horizonSlots: 8,
  base: oracle,
  future: "true",
  keys: rolloutKeys(5),
  busyProbability: 0.4,
  tasksSeen: 1,
};

function start(input: ScenarioInput, seed: number) {
  const scenario = resolveScenario(input);
  const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  batch.reset([seed]);
  return { scenario, batch, view: new View(batch.lanes, 0), rollouts: new Rollouts(scenario) };
}

function playOne({ batch, rollouts }: ReturnType<typeof start>, changes: Partial<RolloutRequest> = {}): number {
  const out = new Float64Array(1);
  rollouts.play(batch.lanes, 0, { ...request, ...changes }, out);
  return out[0];
}

describe("a rollout of the true future", () => {
  /** The cost of playing on with `base` from the current decision, until the horizon or the episode ends. */
  function costOfPlayingOn(batch: BatchEnv, view: LaneView, base: (view: LaneView) => number) {
    const end = view.slot + request.horizonSlots;
    const before = batch.snapshot(0);
    let sum = 0;
    let [lost, paid, ended] = [0, 0, false];
    for (let action = 0; view.slot < end && !ended; action = base(view)) {
      batch.step([action]);
      sum += batch.costSlots[0];
      lost += batch.lostTasks[0];
      paid += batch.lostOnTimeTasks[0];
      ended = (batch.flags[0] & FLAG_TRUNCATED) !== 0;
      if (ended) break;
    }
    batch.restore(0, before);
    return { sum, lost, paid, ended };
  }

  it("equals playing on, with losses, long queues and the end of the episode", () => {
    const scenario: ScenarioInput = {
      numServers: 4,
      users: { count: 12 },
      deadlineSlots: 4,
      episodeSlots: 30,
      churn: { leaveProbability: 0.1, returnProbability: 0.3 },
    };
    let [lostLate, lostOnTime, ends, mostTasks] = [0, 0, 0, 0];
    for (let seed = 0; seed < 20; seed++) {
      const state = start(scenario, seed);
      const { batch, view } = state;
      // everything goes to one server while it is available: its queue outgrows a lane's initial room
      const base = () => (view.isAvailable?.[0] ? 1 : 0);
      for (let i = 0; ; i++) {
        if (i % 5 === 0) {
          const played = costOfPlayingOn(batch, view, (seen) => oracle(seen));
          expect(playOne(state)).toBeCloseTo(played.sum, 9);
          lostOnTime += played.paid;
          lostLate += played.lost - played.paid;
          if (played.ended) ends++;
          mostTasks = Math.max(mostTasks, stateOf(batch, 0).numTasks[0]);
        }
        batch.step([base()]);
        if ((batch.flags[0] & FLAG_TRUNCATED) !== 0) break;
      }
    }
    expect(Math.min(lostLate, lostOnTime, ends)).toBeGreaterThan(20);
    expect(mostTasks).toBeGreaterThan(20);
  });

  it("costs infinitely much if it takes an absent server", () => {
    const state = start({ numServers: 2, churn: { leaveProbability: 1, returnProbability: 0 } }, 1);
    while (state.view.slot === 0) state.batch.step([0]);
    expect(playOne(state, { candidates: [1] })).toBe(Number.POSITIVE_INFINITY);
    expect(playOne(state, { base: () => 2 })).toBe(Number.POSITIVE_INFINITY);
    expect(playOne(state, { base: () => 0 })).toBeLessThan(1000);
  });
});

describe("a sampled future", () => {
  it("draws from streams of three uniforms each and a carry of 1, keyed by decision and future", () => {
    // one user with a task in every slot, taken on by its device, which has done it by the end of the next slot
    const state = start(
      {
        numServers: 1,
        users: { count: 1 },
        localCpuGHz: 20,
        arrivals: { process: "bernoulli", probability: 1 },
      },
      4,
    );
    const { batch, view, scenario } = state;
    batch.step([0]);
    const sample = 7;
    const costs = { horizonSlots: 2, base: () => 0, future: "sampled", firstFuture: sample } as const;
    const now = observedCostSlots(view, 0);
    const backlogMbit = view.sizeMbit;
    // item 3·s + i is the i-th number of stream s; sizes are the second stream
    const s0 = futureDraw(request.keys, 1, sample, 3);
    const t = 2091639 * s0 + 2 ** -32; // Alea, with a carry of 1
    const { min, max } = scenario.taskSizeMbit;
    const sizeMbit = min + (max - min) * (t - Math.floor(t));
    const { densityGcyclesPerMbit, localCpuGHz, slotSeconds } = scenario;
    const seconds = (work: number) => (work * densityGcyclesPerMbit) / localCpuGHz;
    const next = (seconds(backlogMbit) + seconds(sizeMbit)) / slotSeconds;
    expect(playOne(state, costs)).toBe(now + next);
    expect(playOne(state, { ...costs, firstFuture: sample + 1 })).not.toBe(now + next);
  });

  /** The mean number of decisions in this slot after the current one, over futures. */
  function meanTasksToCome(state: ReturnType<typeof start>, changes: Partial<RolloutRequest>): number {
    const numFutures = 4000;
    let calls = 0;
    const base = () => {
      calls++;
      return 0;
    };
    const asked = { ...request, future: "sampled", horizonSlots: 1, numFutures, base, ...changes } as const;
    state.rollouts.play(state.batch.lanes, 0, asked, new Float64Array(numFutures));
    return calls / numFutures;
  }

  it("has as many tasks to come as remain of a Poisson count after those observed", () => {
    const state = start({ users: { count: 1 }, arrivals: { process: "poisson", ratePerSlot: 1 } }, 2);
    // E[X − k | X ≥ k] for mean 1, from P(X = j) = e^−1/j!
    const expected = (seen: number) => {
      let [sum, weight, factorial] = [0, 0, 1];
      for (let j = 0; j < 30; j++) {
        if (j > 0) factorial *= j;
        if (j < seen) continue;
        sum += (j - seen) / factorial;
        weight += 1 / factorial;
      }
      return sum / weight;
    };
    expect(expected(1)).toBeCloseTo(0.582, 3);
    for (const tasksSeen of [1, 2, 4]) {
      expect(Math.abs(meanTasksToCome(state, { tasksSeen }) - expected(tasksSeen))).toBeLessThan(0.05);
    }
  });

  it("is busy with its probability, whatever the true slot is", () => {
    const bursty = { process: "bursty", meanBusySlots: 10, meanQuietSlots: 20 } as const;
    const state = start(
      { users: { count: 9 }, arrivals: { ...bursty, busyProbability: 1, quietProbability: 0.001 } },
      3,
    );
    // in a busy slot every user has a task, in a quiet one almost none
    const left = 9 - 1 - state.view.userIndex;
    expect(left).toBeGreaterThan(3);
    for (const busyProbability of [0, 0.25, 1]) {
      const mean = meanTasksToCome(state, { busyProbability });
      expect(Math.abs(mean - left * busyProbability)).toBeLessThan(0.03 * left);
    }
  });
});
