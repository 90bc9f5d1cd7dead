/** Uplink rates, arrivals, sizes and capacities have the distributions of the scenario. */

import { describe, expect, it } from "vitest";
import { makeEnv } from "../../../env/index.js";
import { resolveScenario } from "../../../env/scenario/scenario.js";

describe("the uplink", () => {
  it.each([
    [14, 30],
    [14, 0],
    [50, 10],
    [0.5, -10],
    [14, 60],
  ])("has the mean rate that was asked for: %d Mbit/s at %d dB", (meanRateMbps, meanSnrDb) => {
    const env = makeEnv(
      {
        numServers: 512,
        serverCpuGHz: { min: 10_000, max: 10_000 },
        users: { count: 1 },
        uplink: { meanRateMbps, meanSnrDb, minRateMbps: 0 },
        arrivals: { process: "bernoulli", probability: 1 },
        episodeSlots: 400,
      },
      { seed: 12 },
    );
    let sum = 0;
    let squares = 0;
    let count = 0;
    for (let step = env.reset(); !step.truncated; step = env.step(0)) {
      for (const rate of step.observation.rateMbps) {
        sum += rate;
        squares += rate * rate;
        count++;
      }
    }
    const mean = sum / count;
    const standardError = Math.sqrt((squares / count - mean * mean) / count);
    expect(count).toBeGreaterThan(200_000);
    expect(Math.abs(mean - meanRateMbps)).toBeLessThan(3 * standardError);
    expect(standardError).toBeLessThan(0.01 * meanRateMbps);
  });
});

describe("the arrivals", () => {
  it.each([0.05, 0.7, 3, 20])("a Poisson process of rate %d has its mean and its variance", (ratePerSlot) => {
    const env = makeEnv(
      {
        numServers: 1,
        serverCpuGHz: [10_000],
        users: { count: 4 },
        arrivals: { process: "poisson", ratePerSlot },
        episodeSlots: Math.ceil(4000 / ratePerSlot),
        taskSizeMbit: { min: 0.01, max: 0.01 },
      },
      { seed: 3 },
    );
    const { episodeSlots } = env.scenario;
    const counts = new Map<string, number>();
    for (let step = env.reset(); !step.truncated; step = env.step(1)) {
      const key = `${step.observation.slot}/${step.observation.userIndex}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const n = 4 * episodeSlots;
    const values = [...counts.values()];
    const mean = values.reduce((sum, k) => sum + k, 0) / n;
    const variance = values.reduce((sum, k) => sum + k * k, 0) / n - mean * mean;
    expect(Math.abs(mean - ratePerSlot)).toBeLessThan(3 * Math.sqrt(ratePerSlot / n));
    expect(Math.abs(variance / ratePerSlot - 1)).toBeLessThan(3 * Math.sqrt((2 + 1 / ratePerSlot) / n));
  });

  it("a Bernoulli process has its probability, and at most one task for each user and slot", () => {
    const env = makeEnv({ users: { count: 10 }, episodeSlots: 3000 }, { seed: 3 });
    const seen = new Set<string>();
    let numTasks = 0;
    for (let step = env.reset(); !step.truncated; step = env.step(0)) {
      seen.add(`${step.observation.slot}/${step.observation.userIndex}`);
      numTasks++;
    }
    expect(seen.size).toBe(numTasks);
    expect(Math.abs(numTasks / 30_000 - 0.3)).toBeLessThan(3 * Math.sqrt((0.3 * 0.7) / 30_000));
  });

  it("sizes and capacities fill their ranges, and counts their lists", () => {
    const env = makeEnv({ numServers: [3, 5, 9], serverCpuGHz: { min: 20, max: 48 }, episodeSlots: 1 });
    const servers = new Map<number, number>();
    const cpus: number[] = [];
    const sizes: number[] = [];
    for (let seed = 0; seed < 3000; seed++) {
      const { observation } = env.reset(seed);
      servers.set(observation.numServers, (servers.get(observation.numServers) ?? 0) + 1);
      cpus.push(...observation.cpuGHz);
      sizes.push(observation.sizeMbit);
    }
    expect([...servers.keys()].sort()).toEqual([3, 5, 9]);
    for (const count of servers.values()) expect(Math.abs(count - 1000)).toBeLessThan(3.5 * Math.sqrt(3000 * (2 / 9)));
    const inRange = (values: number[], min: number, max: number) => {
      expect(Math.min(...values)).toBeGreaterThanOrEqual(min);
      expect(Math.max(...values)).toBeLessThanOrEqual(max);
      expect(Math.min(...values)).toBeLessThan(min + 0.01 * (max - min));
      expect(Math.max(...values)).toBeGreaterThan(max - 0.01 * (max - min));
      const mean = values.reduce((a_, b_) => a_ + b_) / values.length;
      const standardError = (max - min) / Math.sqrt(12 * values.length);
      expect(Math.abs(mean - (min + max) / 2)).toBeLessThan(3.5 * standardError);
    };
    inRange(cpus, 20, 48);
    inRange(sizes, 2, 5);
    expect(resolveScenario({}).taskSizeMbit).toEqual({ min: 2, max: 5 });
  });
});
