/** Work is conserved, and costs are monotonic, in every scenario and under every policy. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchEnv, FLAG_TRUNCATED, makeEnv, observedCostSlots, type ScenarioInput } from "../../../env/index.js";
import { cycle, episode, mixed } from "../episodes.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";

describe("conservation", () => {
  it("work in = work served + work waiting at every server and device, within its capacity", () => {
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "busy", maxSlots: 30 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 1, max: 6 }),
        (fields, seed, stride) => {
          const { densityGcyclesPerMbit: density = 1, slotSeconds = 1 } = fields;
          const steps = episode(fields, seed, cycle(stride));
          // the work given to each server in each slot, from actions and sizes only
          const given = new Map<string, number>();
          for (let d = 0; d + 1 < steps.length; d++) {
            const { slot, sizeMbit } = steps[d].observation;
            const key = `${steps[d + 1].action}/${slot}`;
            given.set(key, (given.get(key) ?? 0) + sizeMbit);
          }
          for (let d = 0; d + 1 < steps.length; d++) {
            const now = steps[d].observation;
            const next = steps[d + 1].observation;
            if (next.slot !== now.slot + 1) continue;
            for (let e = 0; e < now.numServers; e++) {
              const before = now.workloadHistoryMbit[e].at(-1) as number;
              const after = next.workloadHistoryMbit[e].at(-1) as number;
              if (now.isAvailable?.[e] === false) {
                expect(after).toBe(0);
                continue;
              }
              const served = before + (given.get(`${e + 1}/${now.slot}`) ?? 0) - after;
              const capacity = (now.cpuGHz[e] * slotSeconds) / density;
              const tolerance = 1e-9 * (1 + before + capacity);
              expect(served).toBeGreaterThanOrEqual(-tolerance);
              expect(served).toBeLessThanOrEqual(Math.min(before, capacity) + tolerance);
              if (fields.service === "work-conserving") {
                expect(Math.abs(served - Math.min(before, capacity))).toBeLessThanOrEqual(tolerance);
              }
            }
          }
        },
      ),
      { seed: 1, numRuns: 250 },
    );
  });

  it("a device's backlog is the work it was given minus its service, and never negative", () => {
    const steps = episode({ ...mixed, users: { count: 1 }, localCpuGHz: 10 }, 3, cycle(1));
    let expected = 0;
    for (let d = 0; d + 1 < steps.length; d++) {
      const { observation: now } = steps[d];
      const { observation: next, action } = steps[d + 1];
      expect(now.localBacklogMbit).toBeGreaterThanOrEqual(0);
      if (action === 0) expected += now.sizeMbit;
      if (next.slot === now.slot) expect(next.localBacklogMbit).toBeCloseTo(expected, 9);
      expected = next.localBacklogMbit;
    }
  });

  it("every decided task ends finished or unfinished", () => {
    for (let seed = 0; seed < 40; seed++) {
      const env = makeEnv(mixed);
      let step = env.reset(seed);
      for (let d = 0; !step.truncated; d++) step = env.step(cycle(1 + (seed % 5))(d, step.observation.numServers));
      const stats = env.episodeStats();
      expect(stats.finishedTasks + stats.unfinishedTasks).toBe(stats.numDecisions);
      expect(stats.finishedLateTasks).toBeLessThanOrEqual(stats.finishedTasks);
      expect(stats.unfinishedLateTasks).toBeLessThanOrEqual(stats.unfinishedTasks);
    }
  });

  it("task lists grow without losing anything: a thousand slots of tasks for one server", () => {
    const fields: ScenarioInput = {
      numServers: 2,
      users: { count: 6 },
      serverCpuGHz: [1, 48],
      taskSizeMbit: { min: 100, max: 100 },
      arrivals: { process: "bernoulli", probability: 1 },
      episodeSlots: 1000,
      deadlineSlots: 100_000,
    };
    const env = makeEnv(fields);
    let step = env.reset(0);
    while (!step.truncated) step = env.step(1);
    const { activeTasks, workloadMbit, workloadHistoryMbit } = step.observation;
    const stats = env.episodeStats();
    expect(stats.numDecisions).toBe(6000);
    expect(stats.finishedTasks + stats.unfinishedTasks).toBe(6000);
    expect(activeTasks[0]).toBe(stats.unfinishedTasks);
    // served: F·Δt/γ/(N+1) with N = 6·t as slot t begins; no task is ever finished, because each gets almost nothing
    let served = 0;
    for (let t = 1; t < 1000; t++) served += (1 * 0.1) / 0.297 / (6 * t + 1);
    expect(stats.finishedTasks).toBe(0);
    expect(Math.abs(workloadMbit[0] - (600_000 - served))).toBeLessThan(1e-6);
    expect(workloadHistoryMbit[0].at(-1)).toBe(workloadMbit[0]);
    expect(activeTasks[1]).toBe(0);
  });

  it("task lists of neighbouring lanes do not overlap when they grow", () => {
    const fields: ScenarioInput = { numServers: 2, users: { count: 8 }, serverCpuGHz: [1, 1], episodeSlots: 60 };
    const alone = (seed: number, action: number) => episode(fields, seed, () => action).map((step) => step.costSlots);
    const batch = new BatchEnv({ scenarios: [fields], numLanes: 4, autoreset: "next-step" });
    batch.reset([10, 11, 12, 13]);
    const actions = [1, 0, 2, 1];
    const costs: number[][] = [[0], [0], [0], [0]];
    const ended = [false, false, false, false];
    while (ended.includes(false)) {
      batch.step(actions);
      for (let lane = 0; lane < 4; lane++) {
        if (ended[lane]) continue;
        costs[lane].push(batch.costSlots[lane]);
        ended[lane] = (batch.flags[lane] & FLAG_TRUNCATED) !== 0;
      }
    }
    for (let lane = 0; lane < 4; lane++) expect(costs[lane]).toEqual(alone(10 + lane, actions[lane]));
  });
});

describe("monotonicity", () => {
  const stateArbitrary = fc.record({
    fields: scenarioArbitrary({ arrivals: "busy", maxSlots: 10 }),
    seed: fc.integer({ min: 0, max: 1000 }),
    stride: fc.integer({ min: 1, max: 5 }),
    factor: fc.double({ min: 1, max: 4, noNaN: true }),
  });

  it("more capacity makes no action costlier; a larger task makes none cheaper", () => {
    fc.assert(
      fc.property(stateArbitrary, ({ fields, seed, stride, factor }) => {
        for (const { observation } of episode(fields, seed, cycle(stride)).slice(0, 40)) {
          for (let action = 0; action <= observation.numServers; action++) {
            const cost = observedCostSlots(observation, action);
            const faster = { ...observation, cpuGHz: observation.cpuGHz.map((cpu) => cpu * factor) };
            const larger = { ...observation, sizeMbit: observation.sizeMbit * factor };
            expect(observedCostSlots(faster, action)).toBeLessThanOrEqual(cost);
            expect(observedCostSlots(larger, action)).toBeGreaterThanOrEqual(cost);
          }
        }
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("a server with more capacity never has more work left, task for task", () => {
    const backlog = (cpu: number) =>
      episode({ ...mixed, numServers: 2, serverCpuGHz: [cpu, 20] }, 9, cycle(1)).map(
        (step) => step.observation.workloadMbit[0],
      );
    const slow = backlog(5);
    const fast = backlog(9);
    expect(fast.every((work, d) => work <= slow[d] + 1e-9)).toBe(true);
    expect(fast.some((work, d) => work < slow[d])).toBe(true);
  });
});
