/** Rollouts and the policies that use them: what they compute, and that they do not see the true future. */

import { describe, expect, it } from "vitest";
import { BusyBelief } from "../../../benchmarks/policies/busy-belief.js";
import { canPlay, findPolicy, makePolicy, oracle, type Policy } from "../../../benchmarks/policies/index.js";
import { cheapestActions } from "../../../benchmarks/policies/prices.js";
import { basePrices, signedTSquare } from "../../../benchmarks/policies/rollout.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { findSuite } from "../../../benchmarks/suites/suites.js";
import {
  BatchEnv,
  LaneView,
  observedCostSlots,
  type RolloutRequest,
  Rollouts,
  resolveScenario,
  rolloutKeys,
} from "../../../env/index.js";
import { snapshotWith, stateOf } from "../../env/snapshot-fields.js";
import { futureDraw } from "../../reference/reference-model.js";

const ids = ["load-24-users-v1", "bursty-v1", "paper-poisson-v1", "churn-v1"];

/** A batch of two equal lanes after `numDecisions` of an episode, and the needs of a request. */
function start(id: string, numDecisions = 60, seed = 3) {
  const scenario = resolveScenario(id);
  const batch = new BatchEnv({ scenarios: [scenario], numLanes: 2 });
  batch.reset([seed, seed]);
  const views = [0, 1].map((lane) => new LaneView(batch.lanes, lane));
  for (let i = 0; i < numDecisions; i++) batch.step(views.map((view) => oracle(view)));
  return { scenario, batch, views, rollouts: new Rollouts(scenario) };
}

const request: RolloutRequest = {
  candidates: [0, 0],
  numCandidates: 2,
  firstFuture: 0,
  numFutures: 6,
  horizonSlots: 8,
  base: oracle,
  future: "sampled",
  keys: rolloutKeys(5),
  busyProbability: 0.4,
  tasksSeen: 1,
};

/** Gives lane 1 another future: other streams, another hidden state. */
function alterFuture(batch: BatchEnv): void {
  const { arrivals, churn } = batch.scenarioOf(1);
  const { isBusy, pendingTasks } = stateOf(batch, 1);
  const stream = [0.5, 0.25, 0.125, 1];
  const changes = {
    ...{ arrivalStream: stream, sizeStream: stream, fadingStream: stream, burstStream: stream },
    ...(churn === undefined ? {} : { churnStream: stream }),
    ...(arrivals.process === "bursty" ? { isBusy: [1 - isBusy[0]] } : {}),
    ...(arrivals.process === "poisson" ? { pendingTasks: [pendingTasks[0] + 1] } : {}),
  };
  batch.restore(1, snapshotWith(batch, 1, changes));
}

describe.each(ids)("rollouts of %s", (id) => {
  it("are the same for the same candidate, again, and in batches of futures", () => {
    const { batch, rollouts } = start(id);
    const out = new Float64Array(12);
    rollouts.play(batch.lanes, 0, request, out);
    expect([...out.subarray(0, 6)]).toEqual([...out.subarray(6)]);
    expect(new Set(out).size).toBeGreaterThan(1);
    const part = new Float64Array(3);
    rollouts.play(batch.lanes, 0, { ...request, numCandidates: 1, firstFuture: 3, numFutures: 3 }, part);
    expect([...part]).toEqual([...out.subarray(3, 6)]);
  });

  it("leave the lane as it was", () => {
    const { batch, rollouts } = start(id);
    const before = batch.stateHash(0);
    rollouts.play(batch.lanes, 0, request, new Float64Array(12));
    rollouts.play(batch.lanes, 0, { ...request, future: "true" }, new Float64Array(12));
    expect(batch.stateHash(0)).toBe(before);
  });

  it("see nothing of the true future unless asked to", () => {
    const { batch, rollouts } = start(id);
    alterFuture(batch);
    const play = (lane: number, future: "sampled" | "true") => {
      const out = new Float64Array(12);
      rollouts.play(batch.lanes, lane, { ...request, future }, out);
      return [...out];
    };
    expect(play(1, "sampled")).toEqual(play(0, "sampled"));
    expect(play(1, "true")).not.toEqual(play(0, "true"));
  });

  it("of the true future give what playing on gives", () => {
    const { batch, views, rollouts } = start(id);
    const out = new Float64Array(1);
    const { slot } = views[0];
    rollouts.play(batch.lanes, 0, { ...request, numCandidates: 1, numFutures: 1, future: "true" }, out);
    let sum = 0;
    for (let action = 0; views[0].slot < slot + 8; action = oracle(views[0])) {
      batch.step([action, action]);
      sum += batch.costSlots[0];
    }
    expect(out[0]).toBeCloseTo(sum, 9);
  });

  it("a policy decides the same whatever the true future is", () => {
    const { scenario, batch, views, rollouts } = start(id, 0);
    const decide = (policy: Policy, lane: number) =>
      policy(views[lane], undefined, (asked, out) => rollouts.play(batch.lanes, lane, asked, out));
    const [left, right] = [0, 1].map(() => findPolicy("rollout").make(9, scenario));
    for (let i = 0; i < 40; i++) {
      // both lanes have the same past; lane 1 gets another future only for the decision
      const snapshot = batch.snapshot(1);
      const action = decide(left, 0);
      alterFuture(batch);
      expect(decide(right, 1)).toBe(action);
      batch.restore(1, snapshot);
      batch.step([action, action]);
    }
  });
});

describe("hand-computed", () => {
  it("one slot of one user is only the cost of the action", () => {
    const scenario = resolveScenario({
      numServers: 1,
      serverCpuGHz: [20],
      users: { count: 1 },
      arrivals: { process: "bernoulli", probability: 1 },
    });
    const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
    batch.reset([1]);
    const view = new LaneView(batch.lanes, 0);
    const out = new Float64Array(2);
    const one = { ...request, candidates: [0, 1], numFutures: 1, horizonSlots: 1 };
    new Rollouts(scenario).play(batch.lanes, 0, one, out);
    expect([...out]).toEqual([observedCostSlots(view, 0), observedCostSlots(view, 1)]);
  });

  it("future tasks given those seen: P(X = 1 | X ≥ 1) = e^−1/(1 − e^−1) = 0.582 for mean 1", () => {
    const scenario = resolveScenario({ users: { count: 1 }, arrivals: { process: "poisson", ratePerSlot: 1 } });
    const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
    batch.reset([2]);
    const { decisionIndex } = new LaneView(batch.lanes, 0);
    const bounds: [least: number, most: number][] = [
      [0, 0.58],
      [0.583, 0.872], // P(X ≤ 2 | X ≥ 1) = 0.873
    ];
    let compared = 0;
    for (let firstFuture = 0; firstFuture < 200; firstFuture++) {
      let calls = 0;
      const base = () => {
        calls++;
        return 0;
      };
      const asked = { ...request, numCandidates: 1, numFutures: 1, horizonSlots: 1, firstFuture, base };
      new Rollouts(scenario).play(batch.lanes, 0, asked, new Float64Array(1));
      // item 16 of a future says how many tasks are still to come
      const u = futureDraw(request.keys, decisionIndex, firstFuture, 16);
      const expected = bounds.findIndex(([least, most]) => u >= least && u <= most);
      if (expected >= 0) expect(calls).toBe(expected);
      else if (u > 0.874) expect(calls).toBeGreaterThan(1);
      else continue;
      compared++;
    }
    expect(compared).toBeGreaterThan(150);
  });

  it("paired t: gains 1, 2, 3 have mean 2, sd 1, t² = 12; equal gains are certain; no gains give 0", () => {
    expect(signedTSquare([3, 4, 5], [2, 2, 2], 3)).toBeCloseTo(12, 12);
    expect(signedTSquare([3, 3], [2, 2], 2)).toBe(Number.POSITIVE_INFINITY);
    expect(signedTSquare([2, 2], [3, 3], 2)).toBe(Number.NEGATIVE_INFINITY);
    expect(signedTSquare([2, 3], [2, 3], 2)).toBe(0);
  });
});

describe("BusyBelief", () => {
  it("agrees with the sum over all paths of the hidden chain", () => {
    const [busyProbability, quietProbability, meanBusySlots, meanQuietSlots] = [0.7, 0.2, 4, 6];
    const numUsers = 3;
    // [slot, user] of each task: slot 1 has none
    const tasks = [
      [0, 1],
      [2, 0],
      [2, 2],
      [4, 1],
    ];
    const arrivals = { process: "bursty", busyProbability, quietProbability, meanBusySlots, meanQuietSlots } as const;
    const belief = new BusyBelief(arrivals);
    tasks.forEach(([slot, user], n) => {
      let all = 0;
      let busyNow = 0;
      for (let course = 0; course < 2 ** (slot + 1); course++) {
        const isBusy = (t: number) => (course >> t) % 2 === 1;
        let weight = isBusy(0) ? 0.4 : 0.6;
        for (let t = 0; t <= slot; t++) {
          if (t > 0) {
            const leaves = isBusy(t - 1) ? 1 / meanBusySlots : 1 / meanQuietSlots;
            weight *= isBusy(t) === isBusy(t - 1) ? 1 - leaves : leaves;
          }
          const p = isBusy(t) ? busyProbability : quietProbability;
          for (let u = 0; u < (t < slot ? numUsers : user + 1); u++) {
            weight *= tasks.slice(0, n + 1).some(([a, b]) => a === t && b === u) ? p : 1 - p;
          }
        }
        all += weight;
        if (isBusy(slot)) busyNow += weight;
      }
      expect(belief.see(slot, user, numUsers)).toBeCloseTo(busyNow / all, 12);
    });
  });
});

describe("policies with rollouts", () => {
  it("the first candidate is the base's choice", () => {
    const { scenario, batch, views } = start("load-24-users-v1", 0);
    const out = new Int32Array(4);
    const values = new Float64Array(7);
    const bases = (["oracle", "priced", "adaptive"] as const).map((name) => ({
      policy: findPolicy(name).make(0, scenario),
      prices: basePrices(name, scenario),
    }));
    let numDifferent = 0;
    for (let i = 0; i < 100; i++) {
      const choices = bases.map(({ policy, prices }) => {
        prices.see(views[0]);
        prices.priceAll(views[0], values);
        expect(cheapestActions(values, 6, out)).toBe(4);
        expect(out[0]).toBe(policy(views[0]));
        expect(new Set(out).size).toBe(4);
        return out[0];
      });
      if (new Set(choices).size > 1) numDifferent++;
      batch.step([out[0], out[0]]);
    }
    expect(numDifferent).toBeGreaterThan(0);
  });

  it("rollout departs from its base only for a significant gain", () => {
    const { views } = start("paper-v1");
    const decide = (gains: readonly number[]) => {
      const policy = makePolicy("rollout", 1, "paper-v1");
      return policy(views[0], undefined, ({ numCandidates, firstFuture, numFutures }, out) => {
        for (let i = 0; i < numCandidates; i++) {
          for (let m = 0; m < numFutures; m++) {
            out[i * numFutures + m] = i === 1 ? 50 - gains[(firstFuture + m) % gains.length] : 50;
          }
        }
      });
    };
    const candidates = new Int32Array(2);
    const base = basePrices("adaptive", resolveScenario("paper-v1"));
    const values = new Float64Array(7);
    base.see(views[0]);
    base.priceAll(views[0], values);
    cheapestActions(values, 6, candidates);
    expect(decide([1, 1.1])).toBe(candidates[1]);
    expect(decide([-1, -1.1])).toBe(candidates[0]);
    expect(decide([5, -4])).toBe(candidates[0]); // mean 0.5, sd 4.6, t = 0.43
  });

  it("clairvoyant sees the future", () => {
    const { scenario, batch, views, rollouts } = start("load-24-users-v1", 0);
    const decide = (lane: number) =>
      findPolicy("clairvoyant").make(0, scenario)(views[lane], undefined, (asked, out) =>
        rollouts.play(batch.lanes, lane, asked, out),
      );
    let numDifferent = 0;
    for (let i = 0; i < 40; i++) {
      const snapshot = batch.snapshot(1);
      alterFuture(batch);
      if (decide(0) !== decide(1)) numDifferent++;
      batch.restore(1, snapshot);
      const action = oracle(views[0]);
      batch.step([action, action]);
    }
    expect(numDifferent).toBeGreaterThan(0);
  });

  it.each(["rollout", "clairvoyant"])(
    "%s is refused by suites of recorded states, and without a handle",
    async (name) => {
      expect(canPlay(findPolicy(name), "static")).toBe(false);
      expect(canPlay(findPolicy(name), "episodic")).toBe(true);
      const runtime = { node: "", platform: "", arch: "" };
      const run = runSuite(findSuite("paper-table-2"), {
        policies: [name],
        firstSeed: 0,
        packageVersion: "0",
        runtime,
      });
      await expect(run).rejects.toThrow(/invalidOption at policies/);
      expect(() => makePolicy(name)(start("paper-v1", 0).views[0])).toThrow(/needs a rollout handle/);
    },
  );
});
