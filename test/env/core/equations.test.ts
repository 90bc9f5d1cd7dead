/** Every equation of the paper on numbers that a reader can follow with a pencil. */

import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { oracle } from "../../../benchmarks/policies/index.js";
import {
  BatchEnv,
  makeEnv,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
  type ScenarioInput,
} from "../../../env/index.js";

/**
 * A world without chance: one user with a task of 4 Mbit in every slot of 0.5 s, every rate 16 Mbit/s (the floor, far
 * above what the mean of 0.001 can reach), γ = 1 Gcycle/Mbit, servers of 8 and 16 GHz, a device of 1 GHz.
 *
 * So an upload takes 4/16 = 0.25 s = 0.5 slots; the servers compute 8·0.5/1 = 4 and 8 Mbit in a slot when alone.
 */
const plain = {
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
  deadlinePenaltySlots: 10,
  historySlots: 3,
  episodeSlots: 100,
} as const satisfies ScenarioInput;

/** The steps of a list of actions from seed 0. */
function play(fields: ScenarioInput, actions: readonly number[]) {
  const env = makeEnv({ ...plain, ...fields }, { seed: 0 });
  const first = env.reset();
  return { env, first, steps: actions.map((action) => env.step(action)) };
}

/** What is seen after a list of actions. */
function seenAfter(fields: ScenarioInput, actions: readonly number[]): ObservationData {
  const { first, steps } = play(fields, actions);
  return (steps.at(-1) ?? first).observation;
}

/** An observation with the numbers of `plain` and empty queues. */
const observed = {
  slot: 0,
  decisionIndex: 0,
  sizeMbit: 4,
  densityGcyclesPerMbit: 1,
  deadlineSlots: 1000,
  penaltySlots: 10,
  slotSeconds: 0.5,
  userIndex: 0,
  localCpuGHz: 1,
  localBacklogMbit: 0,
  localWaitSlots: 0,
  numServers: 2,
  rateMbps: [16, 16],
  cpuGHz: [8, 16],
  activeTasks: [0, 0],
  workloadMbit: [0, 0],
  workloadHistoryMbit: [[0], [0]],
} satisfies ObservationData;

describe("eq. 1: the uplink rate", () => {
  /** ∫ log2(1 + s·h)·e^−h dh from 0 to 50, by Simpson's rule in h = x², which smooths the start. */
  function meanOfLog2(s: number): number {
    const f = (x: number) => Math.log2(1 + s * x * x) * Math.exp(-x * x) * 2 * x;
    const n = 100_000;
    const step = Math.sqrt(50) / n;
    let sum = f(0) + f(Math.sqrt(50));
    for (let i = 1; i < n; i++) sum += f(i * step) * (i % 2 === 1 ? 4 : 2);
    return (sum * step) / 3;
  }

  it("eq. 1: R = B·log2(1 + s·|h|²), |h|² = −ln(u), with B from the mean rate", () => {
    const env = makeEnv({ ...plain, uplink: { meanRateMbps: 14, meanSnrDb: 20, minRateMbps: 0 } }, { seed: 5 });
    const fading = seedrandom.alea("mecgym/v1/fading/5");
    const s = 100; // 20 dB
    const bandwidth = 14 / meanOfLog2(100);
    let { observation } = env.reset();
    for (let i = 0; i < 50; i++) {
      for (const rate of observation.rateMbps) {
        const gain = -Math.log(fading() + 2 ** -33);
        expect(rate / (bandwidth * Math.log2(1 + s * gain))).toBeCloseTo(1, 9);
      }
      observation = env.step(0).observation;
    }
  });

  it("eq. 1: a rate below the floor is raised to it, one above is left", () => {
    const rates = (minRateMbps: number) => {
      const env = makeEnv({ ...plain, uplink: { meanRateMbps: 14, minRateMbps } }, { seed: 5 });
      let { observation } = env.reset();
      const seen: number[] = [];
      for (let i = 0; i < 50; i++) {
        seen.push(...observation.rateMbps);
        observation = env.step(0).observation;
      }
      return seen;
    };
    const free = rates(0);
    expect(rates(12)).toEqual(free.map((rate) => Math.max(rate, 12)));
    expect(free.filter((rate) => rate < 12).length).toBeGreaterThan(10);
    expect(free.filter((rate) => rate > 12).length).toBeGreaterThan(10);
  });
});

describe("eq. 2-8: the latency of an action", () => {
  it("eq. 2: upload D/R", () => {
    // exec 4·1·1/8 = 0.5 s in both; upload 4/16 = 0.25 s, 4/8 = 0.5 s
    expect(play({}, [1]).steps[0].latencySlots).toBe((0.25 + 0.5) / 0.5);
    expect(play({ uplink: { meanRateMbps: 0.001, minRateMbps: 8 } }, [1]).steps[0].latencySlots).toBe(
      (0.5 + 0.5) / 0.5,
    );
  });

  it("eq. 3: local wait W·γ/f and execution D·γ/f", () => {
    // 4·1/1 = 4 s = 8 slots each; a device of 1 GHz does 1·0.5/1 = 0.5 Mbit in a slot, but none of new work
    const { first, steps } = play({}, [0, 0, 0]);
    expect(first.observation.localBacklogMbit).toBe(0);
    expect(steps[0].latencySlots).toBe(0 + 8);
    expect(steps[0].observation.localBacklogMbit).toBe(4);
    expect(steps[0].observation.localWaitSlots).toBe(8);
    expect(steps[1].latencySlots).toBe(8 + 8);
    expect(steps[1].observation.localBacklogMbit).toBe(4 - 0.5 + 4);
    expect(steps[2].latencySlots).toBe(15 + 8); // 7.5·1/1 = 7.5 s = 15 slots
    expect(steps[2].observation.localBacklogMbit).toBe(7.5 - 0.5 + 4);
  });

  it("eq. 4: the task shares the server with the N that are there, F/(N+1)", () => {
    const exec = (n: number) => observedLatencySlots({ ...observed, activeTasks: [n, 0] }, 1) - 0.5;
    expect(exec(0)).toBe(1); // 4/(8/1) = 0.5 s
    expect(exec(1)).toBe(2); // 4/(8/2) = 1 s
    expect(exec(3)).toBe(4); // 4/(8/4) = 2 s
  });

  it("eq. 5: execution D·γ·(N+1)/F", () => {
    const state = { ...observed, sizeMbit: 2, densityGcyclesPerMbit: 3, activeTasks: [0, 1], cpuGHz: [8, 12] };
    // upload 2/16 = 0.125 s; 2·3·2/12 = 1 s
    expect(observedLatencySlots(state, 2)).toBe((0.125 + 1) / 0.5);
  });

  it("eq. 6: waiting L·γ·(N+1)/F, with today's N", () => {
    const state = { ...observed, workloadMbit: [6, 0], activeTasks: [1, 0] };
    // upload 0.25 s; wait 6·1·2/8 = 1.5 s; exec 4·1·2/8 = 1 s
    expect(observedLatencySlots(state, 1)).toBe((0.25 + 1.5 + 1) / 0.5);
  });

  it("eq. 7: upload, wait and execution add up, task after task on one server", () => {
    const { steps } = play({}, [1, 1, 1]);
    expect(steps[0].latencySlots).toBe((0.25 + 0 + 0.5) / 0.5);
    // slot 1: N = 1, L = 4 (new work is not served): 4·2/8 = 1 s twice
    expect(steps[1].latencySlots).toBe((0.25 + 1 + 1) / 0.5);
    // slot 2: N = 2, L = 4 − 8·0.5/2 + 4 = 6: 6·3/8 = 2.25 s and 4·3/8 = 1.5 s
    expect(steps[2].latencySlots).toBe((0.25 + 2.25 + 1.5) / 0.5);
  });

  it("eq. 8: each action has the latency of its own target", () => {
    const state = { ...observed, localBacklogMbit: 1, workloadMbit: [6, 2], activeTasks: [1, 1] };
    expect(observedLatencySlots(state, 0)).toBe(2 + 8); // 1 s + 4 s
    expect(observedLatencySlots(state, 1)).toBe(5.5); // 0.25 + 1.5 + 1 = 2.75 s
    expect(observedLatencySlots(state, 2)).toBe(2); // 0.25 + 2·2/16 + 4·2/16 = 1 s
  });

  it("eq. 8: the tasks of one slot are decided one after another, each seeing the ones before it", () => {
    const { first, steps } = play({ users: { count: 2 } }, [1, 1]);
    expect([first.observation.userIndex, first.observation.slot]).toEqual([0, 0]);
    const second = steps[0].observation;
    expect([second.userIndex, second.slot, second.decisionIndex]).toEqual([1, 0, 1]);
    expect([second.activeTasks, second.workloadMbit]).toEqual([
      [1, 0],
      [4, 0],
    ]);
    expect(steps[1].latencySlots).toBe((0.25 + 1 + 1) / 0.5);
    // slot 1: both are new, so neither was served
    expect([steps[1].observation.slot, steps[1].observation.workloadMbit[0]]).toEqual([1, 8]);
  });
});

describe("eq. 9, 10: service", () => {
  it("eq. 9: F·Δt/(γ·(N+1)) with the N that was there as the slot began", () => {
    // server 1 of 24 GHz: 24·0.5/2 = 6 Mbit alone at γ = 2
    const fields = { serverCpuGHz: [24, 16], densityGcyclesPerMbit: 2 };
    expect(seenAfter(fields, [1, 2]).workloadMbit[0]).toBe(4 - 3); // N = 1: 6/2
    // slot 1 serves the first of two (N = 1, 3 Mbit), slot 2 both (N = 2, 2 Mbit: 1 each)
    expect(seenAfter(fields, [1, 1]).workloadMbit[0]).toBe(1 + 4);
    expect(seenAfter(fields, [1, 1, 2]).workloadMbit[0]).toBe(0 + 3);
    expect(seenAfter(fields, [1, 1, 2]).activeTasks[0]).toBe(1);
    // work-conserving: F·Δt/γ = 6 whatever N is
    expect(seenAfter({ ...fields, service: "work-conserving" }, [1, 1]).workloadMbit[0]).toBe(0 + 4);
  });

  it("eq. 10: L ← max(0, L − S) + D·x", () => {
    const workloads = play({}, [1, 1, 2, 2, 2]).steps.map((step) => step.observation.workloadMbit[0]);
    expect(workloads[0]).toBe(0 + 4); // slot 0: nothing there yet, x = 1
    expect(workloads[1]).toBe(4 - 2 + 4); // slot 1: N = 1, S = 4/2, x = 1
    expect(workloads[2]).toBeCloseTo(6 - 4 / 3, 12); // slot 2: N = 2, S = 4/3
    expect(workloads[3]).toBeCloseTo(6 - 8 / 3, 12); // slot 3: residuals 4/3 and 10/3 lose 2/3 each
    expect(workloads[4]).toBeCloseTo(8 / 3 - 2 / 3, 12); // slot 4: 2/3 is done, the other keeps 8/3 − 2/3
  });

  it("eq. 10: a server that could do more than it has ends at 0, not below", () => {
    const { workloadMbit, activeTasks } = seenAfter({}, [2, 1]); // slot 1 serves 16·0.5/2 = 4 of the 4 Mbit
    expect([workloadMbit[1], activeTasks[1]]).toEqual([0, 0]);
    expect(seenAfter({ serverCpuGHz: [8, 17] }, [2, 1]).workloadMbit[1]).toBe(0);
  });

  it("eq. 10: a device falls by f·Δt/γ to 0 and no further", () => {
    const backlog = play({ localCpuGHz: 3 }, [0, 1, 1, 1, 1]).steps.map((step) => step.observation.localBacklogMbit);
    expect(backlog).toEqual([4, 2.5, 1, 0, 0]); // 3·0.5/1 = 1.5 a slot
  });

  it("eq. 9: a task that needs less than its share gives the rest away", () => {
    // 15 GHz: 7.5 Mbit alone. slot 1, N = 1: 4 − 3.75 = 0.25, and 4 new.
    // slot 2, N = 2: S = 2.5, share 1.25; the first needs 0.25, so the second gets 2.25
    const fields = { serverCpuGHz: [15, 16] };
    expect(seenAfter(fields, [1, 1]).workloadMbit[0]).toBe(0.25 + 4);
    const then = seenAfter(fields, [1, 1, 2]);
    expect([then.workloadMbit[0], then.activeTasks[0]]).toEqual([4 - 2.25, 1]);
  });

  it("eq. 9: what is given away can free another task, round by round", () => {
    // work-conserving, 9 GHz: S = 4.5 in every slot.
    // slot 0: users 0, 1, 2 → server 1: residuals 4, 4, 4. slot 1: share 1.5 → 2.5 each; user 0 sends one more: 4.
    // slot 2: n = 4, share 1.125 → 1.375, 1.375, 1.375, 2.875. slot 3: share 1.125 → 0.25, 0.25, 0.25, 1.75.
    // slot 4: share 1.125: three are done (0.75 in all), S = 3.75, n = 1: the last is done too.
    const fields: ScenarioInput = { users: { count: 3 }, serverCpuGHz: [9, 10_000], service: "work-conserving" };
    const workload = (slot: number) => {
      const actions = [1, 1, 1, 1, ...new Array<number>(3 * slot).fill(2)].slice(0, 3 * slot);
      return seenAfter(fields, actions).workloadMbit[0];
    };
    expect([1, 2, 3, 4, 5].map(workload)).toEqual([12, 7.5 + 4, 4.125 + 2.875, 0.75 + 1.75, 0]);
  });

  it("eq. 9: a task that needs exactly its share is done", () => {
    // work-conserving, 6 GHz: S = 3. One task per slot to server 1 in slots 0, 1, 2, then none.
    // slot 1: 4 − 3 = 1 | 4. slot 2: share 1.5: 1 is done, 2 left for the other: 2 | 4.
    // slot 3: share 1.5: 0.5, 2.5. slot 4: 0.5 is done, 2.5 left: the other is done with exactly its share.
    const workloads = play({ serverCpuGHz: [6, 10_000], service: "work-conserving" }, [1, 1, 1, 2, 2]).steps.map(
      (step) => [step.observation.workloadMbit[0], step.observation.activeTasks[0]],
    );
    expect(workloads).toEqual([
      [4, 1],
      [1 + 4, 2],
      [2 + 4, 2],
      [0.5 + 2.5, 2],
      [0, 0],
    ]);
  });

  it("eq. 9: a crumb of rounding is no work", () => {
    // 0.7 Mbit at 0.1 Mbit a slot: seven subtractions leave 2.8e-17, which must not take an eighth slot
    const crumbs: ScenarioInput = {
      slotSeconds: 0.1,
      serverCpuGHz: [1, 10_000],
      taskSizeMbit: { min: 0.7, max: 0.7 },
      service: "work-conserving",
    };
    const edge = play(crumbs, [1, 2, 2, 2, 2, 2, 2, 2]).steps.map((step) => step.observation.activeTasks[0]);
    expect(edge).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
    const local = play(crumbs, [0, 2, 2, 2, 2, 2, 2, 2]).steps.map((step) => step.observation.localBacklogMbit);
    expect(local[6]).toBeGreaterThan(0.09);
    expect(local[7]).toBe(0);
  });

  it("eq. 13: H holds L at the end of the last slots, oldest first", () => {
    const history = play({}, [1, 1, 2, 2]).steps.map((step) => step.observation.workloadHistoryMbit);
    expect(history[0]).toEqual([
      [0, 0, 4],
      [0, 0, 0],
    ]);
    expect(history[1]).toEqual([
      [0, 4, 6],
      [0, 0, 0],
    ]);
    expect(history[2][0].slice(0, 2)).toEqual([4, 6]);
    expect(history[2][0][2]).toBeCloseTo(14 / 3, 12);
    expect(history[2][1]).toEqual([0, 0, 4]);
    expect(history[3][0][0]).toBe(6); // three slots, and no more
    expect(history[3][1]).toEqual([0, 4, 4]); // 4 − 8/2 + 4
  });

  it("eq. 13: H does not move within a slot", () => {
    const { first, steps } = play({ users: { count: 2 } }, [1, 1, 1]);
    expect(first.observation.workloadHistoryMbit[0]).toEqual([0, 0, 0]);
    expect(steps[0].observation.workloadHistoryMbit[0]).toEqual([0, 0, 0]);
    expect(steps[1].observation.workloadHistoryMbit[0]).toEqual([0, 0, 8]);
    expect(steps[2].observation.workloadHistoryMbit[0]).toEqual([0, 0, 8]);
  });
});

describe("eq. 11, 14, 15: cost, reward, oracle", () => {
  it("eq. 11: J = C up to the deadline and C + ρ beyond it", () => {
    const { steps } = play({ deadlineSlots: 5 }, [1, 0]);
    expect([steps[0].latencySlots, steps[0].costSlots, steps[0].isLate]).toEqual([1.5, 1.5, false]);
    expect([steps[1].latencySlots, steps[1].costSlots, steps[1].isLate]).toEqual([8, 18, true]);
  });

  it("eq. 11: a task with C = τ is in time", () => {
    const exactly = play({ deadlineSlots: 8 }, [0]).steps[0];
    expect([exactly.latencySlots, exactly.costSlots, exactly.isLate]).toEqual([8, 8, false]);
    const justLate = play({ deadlineSlots: 8 - 1e-15 * 4 }, [0]).steps[0];
    expect([justLate.latencySlots, justLate.costSlots, justLate.isLate]).toEqual([8, 18, true]);
    expect(observedCostSlots({ ...observed, deadlineSlots: 8 }, 0)).toBe(8);
  });

  it("eq. 11: without a penalty a late task costs its latency and is late all the same", () => {
    const step = play({ deadlineSlots: 5, deadlinePenaltySlots: 0 }, [0]).steps[0];
    expect([step.costSlots, step.isLate]).toEqual([8, true]);
  });

  it("eq. 14: the base reward is −J", () => {
    const { steps } = play({ deadlineSlots: 5 }, [1, 0]);
    expect(steps.map((step) => step.reward)).toEqual([-1.5, -18]);
  });

  /** The oracle's answer after a list of actions. */
  const cheapest = (fields: ScenarioInput, actions: readonly number[] = []) => oracle(seenAfter(fields, actions));

  it("eq. 15: the oracle takes the smallest J, not the smallest C", () => {
    expect(cheapest({})).toBe(2); // 8, 1.5 and 1 slots
    expect(cheapest({ localCpuGHz: 10 })).toBe(0); // 0.4 s = 0.8 slots
    // after 2: server 2 has N = 1, L = 4: (0.25 + 0.5 + 0.5)/0.5 = 2.5; server 1 still 1.5
    expect(cheapest({}, [2])).toBe(1);
  });

  it("eq. 15: ties go to the lowest index", () => {
    expect(cheapest({ serverCpuGHz: [8, 8] })).toBe(1); // 8, 1.5, 1.5
    // rate 8: upload 0.5 s and 4/8 = 0.5 s; local 4/4 = 1 s
    const tie: ScenarioInput = {
      uplink: { meanRateMbps: 0.001, minRateMbps: 8 },
      localCpuGHz: 4,
      serverCpuGHz: [8, 8],
    };
    expect(cheapest(tie)).toBe(0);
  });

  it("eq. 15: the costliest action, that of an action that does not exist, has ties to the lowest index too", () => {
    const batch = new BatchEnv({
      scenarios: [{ ...plain, localCpuGHz: 100, serverCpuGHz: [8, 8] }],
      numLanes: 1,
      invalidActions: "costliest",
    });
    batch.reset([0]);
    batch.step([3]); // local 0.08 slots, servers 1.5
    expect([batch.executedAction[0], batch.latencySlots[0]]).toEqual([1, 1.5]);
  });
});

describe("eq. 22-26: the look-ahead", () => {
  const exact = {
    numSamples: 1,
    weight: 0.5,
    sizeFactor: { min: 1, max: 1 },
    mode: "independent",
    rates: "frozen",
  } as const;

  it("eq. 22, 24: the virtual state of each action, and the smallest cost in it", () => {
    // slot 1: N = (1, 0), L = (4, 0), W = 0. Server 1 drains 8·0.5/2 = 2.
    const { env } = play({ lookAhead: exact }, [1]);
    const { latencySlots, costSlots, impactSlots, reward } = env.lookAhead();
    // now: local 4 s; server 1: 0.25 + 4·2/8 + 4·2/8 = 2.25 s; server 2: 0.25 + 4/16 = 0.5 s
    expect(Array.from(latencySlots)).toEqual([8, 4.5, 1]);
    expect(Array.from(costSlots)).toEqual([8, 4.5, 1]);
    // after 0: Ŵ = 4, L̂ = (2, 0): local 16, server 1 0.25 + 2·2/8 + 4·2/8 = 1.75 s = 3.5, server 2 1 → 1
    // after 1: L̂ = (6, 0), N̂ = (2, 0): server 1 0.25 + 6·3/8 + 4·3/8 = 4 s = 8, server 2 1 → 1
    // after 2: L̂ = (2, 4), N̂ = (1, 1): server 1 3.5; server 2 0.25 + 4·2/16 + 4·2/16 = 1.25 s = 2.5 → 2.5
    expect(Array.from(impactSlots)).toEqual([1, 1, 2.5]);
    expect(Array.from(reward)).toEqual([-(8 + 0.5 * 1), -(4.5 + 0.5 * 1), -(1 + 0.5 * 2.5)]);
  });

  it("eq. 22: a device drains too, and the task joins what is left", () => {
    // slot 1: W = 4; a device of 6 GHz does 3 Mbit in a slot; one slow server, so local is the cheapest by far
    const fields: ScenarioInput = { numServers: 1, serverCpuGHz: [1], localCpuGHz: 6, lookAhead: exact };
    const { impactSlots } = play(fields, [0]).env.lookAhead();
    // after 0: Ŵ = 4 − 3 + 4 = 5: (5 + 4)/6 s = 3 slots; server 1: 0.25 + 4 = 4.25 s = 8.5
    // after 1: Ŵ = 1: 5/6 s = 5/3 slots
    expect(impactSlots[0]).toBeCloseTo(3, 12);
    expect(impactSlots[1]).toBeCloseTo(5 / 3, 12);
  });

  it("eq. 22: N stays as it is, also where a server's work is drained to nothing", () => {
    // slot 1: server 2 has N = 1, L = 4 and drains 16·0.5/2 = 4 to 0, but keeps N = 1
    const { impactSlots } = play({ lookAhead: exact, serverCpuGHz: [1, 16] }, [2]).env.lookAhead();
    // after 0: server 2: 0.25 + 0·2/16 + 4·2/16 = 0.75 s = 1.5; server 1 0.25 + 4 = 4.25 s
    expect(impactSlots[0]).toBe(1.5);
    // after 2: L̂ = 4, N̂ = 2: 0.25 + 4·3/16 + 4·3/16 = 1.75 s = 3.5
    expect(impactSlots[2]).toBe(3.5);
  });

  it("eq. 22: work-conserving service drains F·Δt/γ", () => {
    // slot 1: L̂ = max(0, 4 − 4) = 0 on server 1
    const { impactSlots } = play(
      { lookAhead: exact, service: "work-conserving", serverCpuGHz: [8, 1] },
      [1],
    ).env.lookAhead();
    // after 1: L̂ = 4, N̂ = 2: 0.25 + 4·3/8 + 4·3/8 = 3.25 s = 6.5; local 8; server 2 0.25 + 4 s = 8.5
    expect(impactSlots[1]).toBe(6.5);
    // after 0: server 1: 0.25 + 0 + 4·2/8 = 1.25 s = 2.5
    expect(impactSlots[0]).toBe(2.5);
  });

  it("eq. 23: future sizes are uniform on D·[0.5, 1.5]", () => {
    // at an empty world the cheapest is server 2: δ·(1/16 + 1/16) s = δ/4 slots, so δ = 4·C_future
    const fields: ScenarioInput = { lookAhead: { ...exact, sizeFactor: { min: 0.5, max: 1.5 } } };
    const factors: number[] = [];
    for (let seed = 0; seed < 4000; seed++) {
      const env = makeEnv({ ...plain, ...fields }, { seed });
      env.reset();
      factors.push((env.lookAhead().impactSlots[0] * 4) / 4);
    }
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5);
    expect(Math.min(...factors)).toBeLessThan(0.502);
    expect(Math.max(...factors)).toBeLessThan(1.5);
    expect(Math.max(...factors)).toBeGreaterThan(1.498);
    const mean = factors.reduce((a, b) => a + b) / factors.length;
    expect(Math.abs(mean - 1)).toBeLessThan((3 * Math.sqrt(1 / 12)) / Math.sqrt(factors.length));
  });

  it("eq. 24: the smallest J, penalty and all", () => {
    // τ = 2: after 2, server 1 (3.5) and server 2 (2.5) are both late, J = 13.5 and 12.5; local 8 + 10
    const { impactSlots, costSlots } = play({ lookAhead: exact, deadlineSlots: 2 }, [1]).env.lookAhead();
    expect(Array.from(impactSlots)).toEqual([1, 1, 12.5]);
    expect(Array.from(costSlots)).toEqual([18, 14.5, 1]);
  });

  it("eq. 25: the mean over the K futures", () => {
    const { env } = play({ lookAhead: { ...exact, sizeFactor: { min: 0.5, max: 1.5 } } }, []);
    // with one sample after another: sum of K minus sum of K − 1 is the K-th future, each within δ/4 of D·[0.5, 1.5]
    const sums = [1, 2, 3, 4].map((numSamples) => env.lookAhead({ numSamples }).impactSlots[0] * numSamples);
    for (let k = 1; k < 4; k++) {
      expect(sums[k] - sums[k - 1]).toBeGreaterThan(0.5);
      expect(sums[k] - sums[k - 1]).toBeLessThan(1.5);
    }
    expect(new Set([sums[0], sums[1] - sums[0], sums[2] - sums[1]]).size).toBe(3);
    // futures all alike have their own value as mean
    const alike = play({ lookAhead: { ...exact, numSamples: 3 } }, [1]).env.lookAhead();
    expect(Array.from(alike.impactSlots)).toEqual([1, 1, 2.5]);
  });

  it("eq. 25: sequential futures take their places one after another", () => {
    // slot 0, empty, action 2: L̂ = (0, 4), N̂ = (0, 1). Future 1: local 8, server 1 1.5, server 2 2.5 → 1.5, server 1.
    // Then a slot: L̂1 = 0, L̂2 = max(0, 4 − 8/2) = 0, N̂ stays; future 1 joins server 1: L̂1 = 4, N̂1 = 1.
    // Future 2: server 1 0.25 + 4·2/8 + 4·2/8 = 2.25 s = 4.5; server 2 0.25 + 0 + 4·2/16 = 0.75 s = 1.5 → 1.5, server 2.
    // Then a slot: L̂1 = 4 − 4/2 = 2, L̂2 = 0 + 4, N̂2 = 2. Future 3: server 1 0.25 + 2·2/8 + 4·2/8 = 1.75 s = 3.5;
    // server 2 0.25 + 4·3/16 + 4·3/16 = 1.75 s = 3.5; local 8 → 3.5.
    const { env } = play({ lookAhead: { ...exact, mode: "sequential" } }, []);
    expect(env.lookAhead({ numSamples: 1 }).impactSlots[2]).toBe(1.5);
    expect(env.lookAhead({ numSamples: 2 }).impactSlots[2]).toBe((1.5 + 1.5) / 2);
    expect(env.lookAhead({ numSamples: 3 }).impactSlots[2]).toBe((1.5 + 1.5 + 3.5) / 3);
    // the tie of future 3 goes to server 1: a slot drains 4/2 = 2 and 8/3, so L̂ = (0 + 4, 4 − 8/3), N̂ = (2, 2).
    // Future 4: server 1 0.25 + 4·3/8 + 4·3/8 s = 6.5; server 2 0.25 + (4/3)·3/16 + 4·3/16 = 1.25 s = 2.5
    // (had the tie gone to server 2: server 1 0.25 + 0 + 4·2/8 = 1.25 s, server 2 N̂ = 3: 0.25 + (4/3 + 4)/4 + 1 s)
    expect(env.lookAhead({ numSamples: 4 }).impactSlots[2]).toBeCloseTo((1.5 + 1.5 + 3.5 + 2.5) / 4, 12);
  });

  it("eq. 26: r = −(J + λ·C_impact)", () => {
    const { env } = play({ lookAhead: exact }, [1]);
    expect(Array.from(env.lookAhead({ weight: 0 }).reward)).toEqual([-8, -4.5, -1]);
    expect(Array.from(env.lookAhead({ weight: 2 }).reward)).toEqual([-10, -6.5, -6]);
  });

  it("eq. 24: rates drawn anew differ from the frozen ones, but not below the floor", () => {
    const fields: ScenarioInput = { uplink: { meanRateMbps: 14, minRateMbps: 1 }, lookAhead: exact };
    const { env } = play(fields, [1]);
    const frozen = Array.from(env.lookAhead().impactSlots);
    expect(Array.from(env.lookAhead({ rates: "resampled" }).impactSlots)).not.toEqual(frozen);
    const { env: fixed } = play({ lookAhead: exact }, [1]);
    expect(Array.from(fixed.lookAhead({ rates: "resampled" }).impactSlots)).toEqual([1, 1, 2.5]);
  });
});

describe("the realised latency", () => {
  it("follows every edge task to its end: D/R/Δt + (t′ − t)", () => {
    // slot 0 → server 1 (2 Mbit in slots 1 and 2): t′ = 2, 0.5 + 2. Slots 1, 2, 3 → server 2 (4 Mbit in a slot):
    // t′ = t + 1, 0.5 + 1 each; the one of slot 3 would be done in slot 4, which is not scored
    const stats = play({ episodeSlots: 4 }, [1, 2, 2, 2]).env.episodeStats();
    expect(stats).toEqual({
      episodeSeed: 0,
      numDecisions: 4,
      finishedTasks: 3,
      finishedLateTasks: 0,
      realisedLatencySumSlots: 2.5 + 1.5 + 1.5,
      unfinishedTasks: 1,
      unfinishedLateTasks: 0,
      lostTasks: 0,
    });
  });

  it("counts a task as late where it exceeds the deadline, an unfinished one where it can only be late", () => {
    const late = (deadlineSlots: number) => {
      const stats = play({ episodeSlots: 4, deadlineSlots }, [1, 2, 2, 2]).env.episodeStats();
      return [stats.finishedLateTasks, stats.unfinishedLateTasks];
    };
    expect(late(2.5)).toEqual([0, 0]); // 2.5 is in time
    expect(late(2.4)).toEqual([1, 0]);
    expect(late(1.5)).toEqual([1, 0]); // unfinished: 0.5 + (4 − 3) = 1.5, which is not beyond 1.5
    expect(late(1.4)).toEqual([3, 1]);
  });

  it("serves a device's tasks first come, first served", () => {
    // 3 GHz: 1.5 Mbit a slot. The first 4 Mbit: slots 1, 2, 3 (4 − 4.5 leaves 0.5 to spare): t′ = 3.
    // The second, of slot 1: 0.5 in slot 3, then 1.5 in 4 and 5, the last 0.5 in 6: t′ = 6, 5 slots.
    // The third, of slot 2: 1 in slot 6, 1.5 in 7, the rest, 1.5, in 8: t′ = 8, 6 slots.
    const run = (episodeSlots: number) =>
      play({ localCpuGHz: 3, episodeSlots }, new Array<number>(episodeSlots).fill(0)).env.episodeStats();
    const sums = [3, 4, 6, 7, 8, 9].map((slots) => [run(slots).finishedTasks, run(slots).realisedLatencySumSlots]);
    expect(sums).toEqual([
      [0, 0],
      [1, 3],
      [1, 3],
      [2, 3 + 5],
      [2, 3 + 5],
      [3, 3 + 5 + 6],
    ]);
    expect(run(9).unfinishedTasks).toBe(6);
  });

  it("counts a local task's slots against the deadline", () => {
    const late = (deadlineSlots: number) => {
      const stats = play({ localCpuGHz: 3, episodeSlots: 7, deadlineSlots }, [0, 0, 0, 0, 0, 0, 0]).env.episodeStats();
      return [stats.finishedLateTasks, stats.unfinishedLateTasks];
    };
    // finished: 3 and 5 slots. Unfinished, of slots 2…6: at least 5, 4, 3, 2, 1
    expect(late(5)).toEqual([0, 0]);
    expect(late(4)).toEqual([1, 1]);
    expect(late(3)).toEqual([1, 2]);
    expect(late(2.5)).toEqual([2, 3]);
  });

  it("is never below one slot, however fast the device", () => {
    const stats = play({ localCpuGHz: 1000, episodeSlots: 5 }, [0, 0, 0, 0, 0]).env.episodeStats();
    expect([stats.finishedTasks, stats.realisedLatencySumSlots]).toEqual([4, 4]);
  });
});

describe("the end of an episode", () => {
  it("is the first step whose next task comes in slot T or later, with that task as final observation", () => {
    const { steps } = play({ episodeSlots: 3, users: { count: 2 } }, [1, 2, 1, 2, 1, 2]);
    expect(steps.map((step) => step.truncated)).toEqual([false, false, false, false, false, true]);
    const last = steps[5].observation;
    expect([last.slot, last.userIndex, last.decisionIndex]).toEqual([3, 0, 6]);
  });
});
