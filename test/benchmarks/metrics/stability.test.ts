/** Collapsed episodes, unstable policies and foresight: computed by hand, and on loads with a known outcome. */

import { describe, expect, it } from "vitest";
import { JobWorker } from "../../../benchmarks/jobs/job-worker.js";
import { type CostSums, computeMetrics, costSums, foresight } from "../../../benchmarks/metrics/metrics.js";
import { isCollapsed, isUnstable } from "../../../benchmarks/metrics/stability.js";
import { ResamplePlan } from "../../../benchmarks/metrics/statistics.js";
import { logOf, packUnits, type Unit } from "../../../benchmarks/metrics/units.js";
import { EpisodePlayer } from "../../../benchmarks/play/episode-player.js";
import { makePriced, oracle, type Policy, referenceOf } from "../../../benchmarks/policies/index.js";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { findSuite, type Suite } from "../../../benchmarks/suites/suites.js";
import { resolveScenario, splits } from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";

/** An episode of this many decisions of 2 slots each, with this many tasks unfinished. */
function episode(numDecisions: number, unfinishedTasks: number, costSlots = 2): Unit {
  const one = { action: 1, costSlots, latencySlots: costSlots, cheapestCostSlots: 1, isLate: false, isInvalid: false };
  return {
    numServers: 2,
    decisions: logOf(Array.from({ length: numDecisions }, () => one)),
    realised: {
      finishedTasks: numDecisions - unfinishedTasks,
      finishedLateTasks: 0,
      realisedLatencySumSlots: 3,
      unfinishedTasks,
      unfinishedLateTasks: 0,
    },
  };
}

describe("an episode has collapsed", () => {
  it("if more than 5 % of its tasks are unfinished: 6 of 100, not 5", () => {
    expect(isCollapsed(episode(100, 5))).toBe(false);
    expect(isCollapsed(episode(100, 6))).toBe(true);
    expect(isCollapsed({ numServers: 2, decisions: episode(1, 0).decisions })).toBe(false);
  });

  it("and a policy is unstable if more than 5 % of its episodes have: 3 of 40, not 2", () => {
    expect(isUnstable(2, 40)).toBe(false);
    expect(isUnstable(3, 40)).toBe(true);
  });

  it("the share is a figure of episodes of 1,000 slots, but not of shorter ones or of states", () => {
    const units = [episode(100, 6), episode(100, 5), episode(10, 9), episode(100, 0)];
    const plan = new ResamplePlan("test", 4);
    const shareOf = (protocol: "static" | "episodic", slots: number) =>
      computeMetrics(protocol, units, costSums(units), plan, null, slots).collapsedEpisodePercent;
    expect(shareOf("episodic", 1000)).toMatchObject({ value: 50, low: 0, high: 100 });
    expect(shareOf("episodic", 999)).toBeNull();
    expect(shareOf("static", 1000)).toBeNull();
  });

  it("figures say whether the policy is unstable, if that can be judged", () => {
    const worker = new JobWorker();
    const figures = (numCollapsed: number, episodeSlots: number) => {
      const units = Array.from({ length: 40 }, (_, i) => episode(20, i < numCollapsed ? 2 : 1));
      const job = { kind: "figures", protocol: "episodic", reference: null, plan: "test", episodeSlots } as const;
      return worker.do({ ...job, units: [packUnits(units)], oracle: costSums(units) });
    };
    expect(figures(2, 1000).isUnstable).toBe(false);
    expect(figures(3, 1000).isUnstable).toBe(true);
    expect(figures(40, 100).isUnstable).toBeNull();
  });
});

describe("known loads over 1,000 slots", { timeout: 300_000 }, () => {
  const paper = resolveScenario("paper-long-v1");
  const cases: [string, Parameters<typeof resolveScenario>[0], Policy, boolean][] = [
    ["12 users, oracle", paper, oracle, false],
    ["18 users, oracle", "load-18-users-long-v1", oracle, false],
    ["24 users, oracle", "load-24-users-long-v1", oracle, true],
    ["24 users, priced at 1", "load-24-users-long-v1", makePriced(1), false],
    ["30 users, oracle", "load-30-users-long-v1", oracle, true],
    ["30 users, priced at 1", "load-30-users-long-v1", makePriced(1), true],
    ["30 users, priced at 10", "load-30-users-long-v1", makePriced(10), false],
    ["8 Mbit, oracle", "size-8-mbit-long-v1", oracle, true],
    ["8 Mbit, priced at 1", "size-8-mbit-long-v1", makePriced(1), true],
    ["8 Mbit, priced at 10", "size-8-mbit-long-v1", makePriced(10), true],
    ["8 Mbit, always local", "size-8-mbit-long-v1", () => 0, true],
    ["bursts, oracle", "bursty-long-v1", oracle, true],
    ["bursts, priced at 3", "bursty-long-v1", makePriced(3), false],
  ];
  it.each(cases)("%s", (_, scenario, policy, expected) => {
    const player = new EpisodePlayer(resolveScenario(scenario));
    const seeds = Array.from({ length: 30 }, (_, i) => splits.validation.start + i);
    const numCollapsed = seeds.filter((seed) => isCollapsed(player.play(policy, seed))).length;
    expect(isUnstable(numCollapsed, seeds.length)).toBe(expected);
  });
});

describe("foresight", () => {
  const plan = new ResamplePlan("test", 3);
  /** Three episodes of 10 decisions at these mean costs. */
  const costs = (...means: number[]): CostSums => ({
    costSlots: Float64Array.from(means, (mean) => 10 * mean),
    decisions: new Float64Array(3).fill(10),
  });
  const oracleCosts = costs(8, 6, 7);
  const reference = costs(4, 3, 5);

  it("is the share of the way from the oracle (AL 7) to the reference (AL 4): AL 5 is 2/3 of it", () => {
    expect(foresight(costs(6, 4, 5), oracleCosts, reference, plan)?.value).toBeCloseTo(2 / 3, 12);
  });

  it("is 0 for the oracle, 1 for the reference, above 1 for better, below 0 for worse", () => {
    expect(foresight(oracleCosts, oracleCosts, reference, plan)).toEqual({ value: 0, low: 0, high: 0 });
    expect(foresight(reference, oracleCosts, reference, plan)).toEqual({ value: 1, low: 1, high: 1 });
    expect(foresight(costs(1, 1, 1), oracleCosts, reference, plan)?.value).toBe(2);
    expect(foresight(costs(10, 10, 10), oracleCosts, reference, plan)?.value).toBe(-1);
  });

  it("is paired: a policy always half-way has 1/2 in every resample", () => {
    const half = foresight(costs(6, 4.5, 6), oracleCosts, reference, plan);
    for (const end of [half?.value, half?.low, half?.high]) expect(end).toBeCloseTo(0.5, 12);
  });

  it("is not a figure if the oracle is not certainly costlier than the reference", () => {
    expect(foresight(reference, oracleCosts, oracleCosts, plan)).toBeNull();
    expect(foresight(reference, reference, oracleCosts, plan)).toBeNull();
    // 9 slots better in one episode, 1 worse in the others: the mean is above 0, the interval is not
    expect(foresight(reference, oracleCosts, costs(-1, 7, 8), plan)).toBeNull();
  });
});

describe("the suite foresight", { timeout: 300_000 }, () => {
  const whole = findSuite("foresight");
  const ids = ["load-24-users", "load-24-users-long"];
  // the suite's own reference takes seconds for each episode
  const reference = "adaptive";
  const settings = whole.settings.filter(({ id }) => ids.includes(id)).map((setting) => ({ ...setting, reference }));
  const suite: Suite = { ...whole, settings };
  const options = { episodes: 12, firstSeed: splits.validation.start, packageVersion: "0" };
  const runtime = { node: "", platform: "", arch: "" };

  it("names the manifest's reference of every scenario", () => {
    for (const { scenario, reference: own } of whole.settings) {
      expect(own).toBeDefined();
      expect(own).toBe(referenceOf(scenario));
    }
  });

  it("names lengths, references and what is unstable; unstable means are not in its table", async () => {
    const policies = ["oracle", reference, "local"];
    const result = await runSuite(suite, { ...options, runtime, policies });
    expect(findProblem("result", structuredClone(result))).toBeUndefined();
    expect(result.settings.map((setting) => setting.episodeSlots)).toEqual([100, 1000]);
    const [short, long] = result.settings;
    expect(short.policies.map((row) => row.isUnstable)).toEqual([null, null, null]);
    expect(long.policies.map((row) => row.isUnstable)).toEqual([true, false, true]);
    expect(long.policies.map((row) => row.metrics.foresight?.value)).toEqual([0, 1, expect.any(Number)]);
    expect(long.policies[2].metrics.foresight?.value).toBeLessThan(0);

    const rows = renderTable(suite, result)
      .split("\n")
      .filter((line) => line.includes(" 1,000 | "));
    const meanOf = (i: number) => long.policies[i].metrics.averageLatencySlots?.value.toFixed(3) as string;
    expect(rows[0]).toMatch(/oracle .*\*unstable\*, \d+ % collapsed/);
    expect(rows[0]).not.toContain(meanOf(0));
    expect(rows[1]).toContain(`${meanOf(1)} [`);
    expect(rows[1]).toMatch(new RegExp(`${reference} \\(reference\\).*better, certain`));
    expect(rows[2]).toMatch(/local .*\*unstable\*, 100 % collapsed.*worse, certain/);
  });

  it("gives foresight although neither oracle nor reference is among the policies", async () => {
    const result = await runSuite(suite, { ...options, runtime, policies: ["lacs"] });
    for (const { policies } of result.settings) {
      expect(policies.map((row) => row.policy.name)).toEqual(["lacs"]);
      expect(policies[0].metrics.foresight).not.toBeNull();
    }
  });
});
