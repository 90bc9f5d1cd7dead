/** Churn: servers that leave and return, the tasks they lose, and everything that must not change. */

import fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import {
  BatchEnv,
  copyObservation,
  FLAG_INVALID_ACTION,
  FLAG_LATE,
  isObservedActionAvailable,
  LaneView,
  lookAheadOfState,
  makeEnv,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
  type ScenarioInput,
  type Step,
} from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { stateOf } from "../snapshot-fields.js";

/**
 * One user with a task of 4 Mbit in every slot of 0.5 s, every rate 16 Mbit/s, γ = 1 Gcycle/Mbit, servers of 8 and
 * 16 GHz, a device of 1 GHz. The servers leave and return together, slot by slot: they are available in even slots.
 */
const alternating: ScenarioInput = {
  numServers: 2,
  users: { count: 1 },
  serverCpuGHz: [8, 16],
  localCpuGHz: 1,
  slotSeconds: 0.5,
  densityGcyclesPerMbit: 1,
  taskSizeMbit: { min: 4, max: 4 },
  arrivals: { process: "bernoulli", probability: 1 },
  uplink: { meanRateMbps: 0.001, minRateMbps: 16 },
  deadlineSlots: 1000,
  historySlots: 3,
  churn: { leaveProbability: 1, returnProbability: 1 },
};

/** Frequent changes under load: every kind of loss occurs. */
const restless: ScenarioInput = {
  numServers: { min: 2, max: 6 },
  users: { perServer: 4 },
  deadlineSlots: 5,
  churn: { leaveProbability: 0.1, returnProbability: 0.3 },
  episodeSlots: 50,
};

function play(scenario: ScenarioInput | string, seed: number, choose: (o: ObservationData, d: number) => number) {
  const env = makeEnv(scenario);
  const steps: Step[] = [env.reset(seed)];
  for (let d = 0; !steps[d].truncated; d++) {
    const { observation } = steps[d];
    const action = choose(observation, d) % (observation.numServers + 1);
    steps.push(env.step(isObservedActionAvailable(observation, action) ? action : 0));
  }
  return { steps, stats: env.episodeStats() };
}

describe("servers that alternate", () => {
  const env = makeEnv({ ...alternating, episodeSlots: 3 });

  it("lose their tasks: the step before is charged, and only the device is left", () => {
    env.reset(0);
    // 4/16 + 4/8 = 0.75 s = 1.5 slots, and the penalty of 10
    expect(env.step(1)).toMatchObject({
      latencySlots: 1.5,
      costSlots: 11.5,
      reward: -11.5,
      isLate: false,
      lostTasks: 1,
      lostOnTimeTasks: 1,
      observation: {
        slot: 1,
        isAvailable: [false, false],
        rateMbps: [0, 0],
        cpuGHz: [8, 16],
        activeTasks: [0, 0],
        workloadMbit: [0, 0],
        // L at the end of slot 0: it is a slot later that the server is gone
        workloadHistoryMbit: [
          [0, 0, 4],
          [0, 0, 0],
        ],
      },
    });
    expect(() => env.step(2)).toThrow(/invalidAction at action: expected .*server 2\); absent now: 1, 2, got 2/);
    const { observation, ...step } = env.step(0);
    expect(step).toMatchObject({ costSlots: 8, lostTasks: 0, lostOnTimeTasks: 0 });
    expect(observation).toMatchObject({
      isAvailable: [true, true],
      rateMbps: [16, 16],
      activeTasks: [0, 0],
      workloadHistoryMbit: [
        [0, 4, 0],
        [0, 0, 0],
      ],
    });
  });

  it("lose nothing that counts after the last slot: tasks left then are unfinished", () => {
    const last = env.step(2);
    expect(last).toMatchObject({ costSlots: 1, lostTasks: 0, truncated: true, observation: { activeTasks: [0, 0] } });
    expect(env.episodeStats()).toMatchObject({
      numDecisions: 3,
      finishedTasks: 0,
      lostTasks: 1,
      unfinishedTasks: 2, // the one of the device, 4 Mbit at 0.5 a slot, and the last one
    });
  });

  it("charge no second penalty for a task that was late at its decision", () => {
    const late = makeEnv({ ...alternating, deadlineSlots: 1 }, { seed: 0 });
    late.reset();
    expect(late.step(1)).toMatchObject({ costSlots: 11.5, isLate: true, lostTasks: 1, lostOnTimeTasks: 0 });
  });

  it("are neither the costliest nor the cheapest action while absent", () => {
    const batch = new BatchEnv({ scenarios: [alternating], numLanes: 1, invalidActions: "costliest" });
    batch.reset([0]);
    batch.step([1]);
    expect([...batch.actionMask]).toEqual([1, 0, 0]);
    expect([...batch.observation.slice(6)]).toEqual(new Array(8).fill(0));
    batch.step([2]);
    expect(batch.executedAction[0]).toBe(0);
    expect(batch.flags[0] & FLAG_INVALID_ACTION).toBe(FLAG_INVALID_ACTION);
    expect([...batch.actionMask]).toEqual([1, 1, 1]);
    // while they are available, the costliest action is the device: 16 slots against 1.5 and 1
    batch.step([7]);
    expect(batch.executedAction[0]).toBe(0);
  });
});

describe("which servers are available", () => {
  it("follows the stream `churn`: a draw for each server and slot from slot 1 on", () => {
    const { steps } = play(restless, 12, (_, d) => d);
    const uniform = seedrandom.alea("mecgym/v1/churn/12");
    const isThere = new Array<boolean>(steps[0].observation.numServers).fill(true);
    let slot = 0;
    for (const { observation } of steps) {
      for (; slot < observation.slot; slot++) {
        for (const [e, before] of isThere.entries()) isThere[e] = uniform() < (before ? 0.1 : 0.3) ? !before : before;
      }
      expect(observation.isAvailable).toEqual(isThere);
    }
    expect(slot).toBeGreaterThan(49);
  });

  it("is the same for every policy, like the rest of the world", () => {
    const world = (choose: (o: ObservationData, d: number) => number) =>
      play(restless, 3, choose).steps.map(({ observation: o }) => [
        o.slot,
        o.userIndex,
        o.sizeMbit,
        o.rateMbps,
        o.isAvailable,
      ]);
    const reference = world(() => 0);
    expect(world((_, d) => d * 7)).toEqual(reference);
    expect(world((o) => o.numServers)).toEqual(reference);
  });

  it("does not change arrivals, sizes, capacities or the rates of available servers", () => {
    const { churn: _churn, ...still } = restless;
    const without = play(still, 8, () => 0).steps;
    const { steps } = play(restless, 8, () => 0);
    expect(steps.length).toBe(without.length);
    for (const [d, { observation }] of steps.entries()) {
      const { isAvailable = [], rateMbps, ...rest } = observation;
      const { rateMbps: allRates, ...others } = without[d].observation;
      expect(rest).toEqual(others);
      expect(rateMbps).toEqual(allRates.map((rate, e) => (isAvailable[e] ? rate : 0)));
    }
    expect(without[0].observation).not.toHaveProperty("isAvailable");
  });

  it("with a leaving probability of 0, an episode equals one without churn", () => {
    fc.assert(
      fc.property(scenarioArbitrary({ arrivals: "busy", maxSlots: 20 }), fc.nat(1000), (fields, seed) => {
        const { churn: _churn, ...still } = fields;
        const without = play(still, seed, (_, d) => d * 5);
        const never = { ...still, churn: { leaveProbability: 0, returnProbability: 0.5 } };
        const { steps, stats } = play(never, seed, (_, d) => d * 5);
        expect(stats).toEqual(without.stats);
        for (const [d, step] of steps.entries()) {
          const { isAvailable, ...observation } = step.observation;
          expect(isAvailable?.every(Boolean)).toBe(true);
          expect({ ...step, observation }).toEqual(without.steps[d]);
        }
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it("is 10 servers of 11 in the long run of the frozen scenarios", () => {
    let [there, all] = [0, 0];
    for (let seed = 0; seed < 20; seed++) {
      for (const { observation } of play("churn-long-v1", seed, () => 0).steps.slice(1000)) {
        there += observation.isAvailable?.filter(Boolean).length ?? 0;
        all += observation.numServers;
      }
    }
    // 20 episodes of 6 servers with about 50 independent stretches of 20 slots each: a standard error of 0.4 %
    expect(Math.abs(there / all - 10 / 11)).toBeLessThan(0.012);
  });
});

describe("every task", () => {
  it("ends finished, lost or unfinished, and until then is on a server or finished", () => {
    let lost = 0;
    for (let seed = 0; seed < 40; seed++) {
      const batch = new BatchEnv({ scenarios: [restless], numLanes: 1, invalidActions: "costliest" });
      batch.reset([seed]);
      let [stepsLost, stepsOnTime, late] = [0, 0, 0];
      for (let d = 0; batch.numFinal === 0; d++) {
        batch.step([(d * (1 + (seed % 5))) % (batch.outputs.numServers[0] + 1)]);
        stepsLost += batch.lostTasks[0];
        stepsOnTime += batch.lostOnTimeTasks[0];
        if (batch.flags[0] & FLAG_LATE) late++;
        expect(batch.lostOnTimeTasks[0]).toBeLessThanOrEqual(batch.lostTasks[0]);
        if (batch.numFinal > 0) break;
        const state = stateOf(batch, 0);
        const known = state.finishedTasks[0] + state.unfinishedTasks[0] + state.lostTasks[0];
        expect(known + state.numTasks[0]).toBe(state.decisionIndex[0]);
      }
      const [, numDecisions, finished, , , unfinished, , lostTasks] = batch.finalStats;
      expect(finished + unfinished + lostTasks).toBe(numDecisions);
      expect(lostTasks).toBe(stepsLost);
      expect(stepsOnTime + late).toBeLessThanOrEqual(numDecisions);
      lost += lostTasks;
    }
    expect(lost).toBeGreaterThan(500);
  });

  it("does not come back with its server", () => {
    let returns = 0;
    for (let seed = 0; seed < 20; seed++) {
      const { steps } = play(restless, seed, (_, d) => d);
      for (let d = 1; d < steps.length; d++) {
        const [before, now] = [steps[d - 1].observation, steps[d].observation];
        for (let e = 0; e < now.numServers; e++) {
          if (before.isAvailable?.[e] || !now.isAvailable?.[e]) continue;
          returns++;
          expect([now.activeTasks[e], now.workloadMbit[e], now.cpuGHz[e]]).toEqual([0, 0, before.cpuGHz[e]]);
          // away for the whole of the slot before
          if (now.slot === before.slot + 1) expect(now.workloadHistoryMbit[e].at(-1)).toBe(0);
        }
      }
    }
    expect(returns).toBeGreaterThan(100);
  });
});

describe("an absent server", () => {
  const batch = new BatchEnv({ scenarios: [restless], numLanes: 1, invalidActions: "costliest" });
  const view = new LaneView(batch.lanes, 0);
  batch.reset([2]);
  for (let d = 0; view.isAvailable?.every(Boolean) || d < 60; d++) batch.step([1 + (d % view.numServers)]);
  const state = copyObservation(view);
  const absent = state.isAvailable?.flatMap((isThere, e) => (isThere ? [] : [e + 1])) ?? [];

  it("is shown as absent, in data that fits the schema", () => {
    expect(absent.length).toBeGreaterThan(0);
    expect(findProblem("observation", state)).toBeUndefined();
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    for (const action of absent) {
      expect(observedLatencySlots(state, action)).toBe(Number.POSITIVE_INFINITY);
      expect(observedCostSlots(state, action)).toBe(Number.POSITIVE_INFINITY);
      expect(isObservedActionAvailable(state, action)).toBe(false);
    }
  });

  it("is ignored by the look-ahead, as if only the others existed", () => {
    for (const mode of ["independent", "sequential"] as const) {
      for (const rates of ["frozen", "resampled"] as const) {
        const options = { mode, rates, numSamples: 4 };
        const result = batch.lookAhead(0, options);
        expect(lookAheadOfState(batch.scenarios[0], 2, state, options)).toEqual(result);
        // a record's rate of an absent server does not matter
        const rated = { ...state, rateMbps: state.rateMbps.map((rate) => rate || 99) };
        expect(lookAheadOfState(batch.scenarios[0], 2, rated, options)).toEqual(result);
        for (let action = 0; action <= state.numServers; action++) {
          const isAbsent = absent.includes(action);
          expect(Number.isFinite(result.impactSlots[action])).toBe(true);
          expect(result.costSlots[action] === Number.POSITIVE_INFINITY).toBe(isAbsent);
          expect(result.reward[action] === Number.NEGATIVE_INFINITY).toBe(isAbsent);
        }
        // a server so slow that nothing goes there is out as well
        const slow = {
          ...state,
          isAvailable: new Array<boolean>(state.numServers).fill(true),
          rateMbps: state.rateMbps.map((rate) => rate || 1e-9),
          cpuGHz: state.cpuGHz.map((cpu, e) => (absent.includes(e + 1) ? 1e-9 : cpu)),
        };
        const others = lookAheadOfState(batch.scenarios[0], 2, slow, options);
        for (let action = 0; action <= state.numServers; action++) {
          if (!absent.includes(action)) expect(result.reward[action]).toBe(others.reward[action]);
        }
      }
    }
  });
});
