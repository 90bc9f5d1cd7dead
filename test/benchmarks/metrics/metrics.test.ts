/** Eq. 28-33 and their intervals, computed by hand. */

import { describe, expect, it } from "vitest";
import {
  actionCounts,
  compareAverageLatency,
  computeMetrics,
  costSums,
  jainIndex,
} from "../../../benchmarks/metrics/metrics.js";
import { estimate, ResamplePlan } from "../../../benchmarks/metrics/statistics.js";
import { type Decision, logOf, packUnits, type Unit, unpackUnits } from "../../../benchmarks/metrics/units.js";
import { canPlay, policies } from "../../../benchmarks/policies/index.js";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import paperTables from "../../../benchmarks/suites/paper-tables.json" with { type: "json" };
import { findSuite } from "../../../benchmarks/suites/suites.js";
import { createStream } from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";

function decision(
  action: number,
  costSlots: number,
  cheapestCostSlots = costSlots,
  more: Partial<Decision> = {},
): Decision {
  const isLate = costSlots > 10;
  return {
    action,
    costSlots,
    latencySlots: isLate ? costSlots - 10 : costSlots,
    cheapestCostSlots,
    isLate,
    isInvalid: false,
    ...more,
  };
}

const state = (one: Decision): Unit => ({ numServers: 2, decisions: logOf([one]) });

/** Four states: costs 2, 4, 3 and a late one of 12 + 10; the cheapest would have cost 2, 2, 3 and 5. */
const states = [
  state(decision(1, 2)),
  state(decision(1, 4, 2)),
  state(decision(2, 3)),
  state(decision(0, 22, 5, { isInvalid: true })),
];
const plan = new ResamplePlan("test", 4);

describe("static metrics", () => {
  const metrics = computeMetrics("static", states, costSums(states), plan);

  it("eq. 28: AL = (2 + 4 + 3 + 22)/4 = 7.75, and 5.25 without the penalty", () => {
    expect(metrics.averageLatencySlots?.value).toBe(7.75);
    expect(metrics.averageLatencyNoPenaltySlots?.value).toBe(5.25);
  });

  it("eq. 29: one of four is late", () => {
    expect(metrics.dropRatePercent?.value).toBe(25);
  });

  it("eq. 30-32: PR = (2 + 2 + 3 + 5)/4 ÷ 7.75 = 12/31", () => {
    expect(metrics.performanceRatioPercent?.value).toBeCloseTo((100 * 12) / 31, 12);
  });

  it("eq. 33: offloads 2 and 1 give LBI = 3²/(2·(4 + 1)) = 0.9", () => {
    expect(metrics.loadBalancingIndexPercent?.value).toBeCloseTo(90, 12);
  });

  it("counts local and invalid answers, and takes percentiles that occur", () => {
    expect(metrics.localSharePercent?.value).toBe(25);
    expect(metrics.invalidActionPercent?.value).toBe(25);
    expect(metrics.latencyP50Slots?.value).toBe(3);
    expect(metrics.latencyP95Slots?.value).toBe(22);
    expect(actionCounts(states)).toEqual([1, 2, 1]);
  });

  it("has no realised latency and no on-path ratio", () => {
    expect(metrics.realisedLatencySlots).toBeNull();
    expect(metrics.onPathRatioPercent).toBeNull();
  });
});

describe("episodic metrics", () => {
  const realised = (
    finishedTasks: number,
    realisedLatencySumSlots: number,
    finishedLateTasks: number,
    unfinishedTasks: number,
    unfinishedLateTasks: number,
  ) => ({
    finishedTasks,
    realisedLatencySumSlots,
    finishedLateTasks,
    unfinishedTasks,
    unfinishedLateTasks,
  });
  const episodes: Unit[] = [
    {
      numServers: 2,
      decisions: logOf([decision(1, 2), decision(1, 4, 2), decision(2, 3)]),
      realised: realised(2, 7, 0, 1, 0),
    },
    { numServers: 4, decisions: logOf([decision(3, 5, 4)]), realised: realised(0, 0, 0, 1, 1) },
  ];
  const oracleEpisodes: Unit[] = [
    {
      numServers: 2,
      decisions: logOf([decision(1, 2), decision(2, 2), decision(2, 3)]),
      realised: realised(3, 9, 0, 0, 0),
    },
    { numServers: 4, decisions: logOf([decision(3, 4)]), realised: realised(1, 4, 0, 0, 0) },
  ];
  const two = new ResamplePlan("test", 2);
  const metrics = computeMetrics("episodic", episodes, costSums(oracleEpisodes), two);

  it("pools the steps of all episodes: AL = (2 + 4 + 3 + 5)/4 = 3.5", () => {
    expect(metrics.averageLatencySlots?.value).toBe(3.5);
  });

  it("PR = the oracle's AL 11/4 ÷ 3.5, and on its own path (2 + 2 + 3 + 4)/14", () => {
    expect(metrics.performanceRatioPercent?.value).toBeCloseTo((100 * 2.75) / 3.5, 12);
    expect(metrics.onPathRatioPercent?.value).toBeCloseTo((100 * 11) / 14, 12);
  });

  it("LBI is averaged over episodes: 0.9 over two servers, 1/4 over four", () => {
    expect(metrics.loadBalancingIndexPercent?.value).toBeCloseTo((90 + 25) / 2, 12);
  });

  it("realised: 7 slots over 2 finished; late 1 of the 3 whose fate is known; 2 of 4 unfinished", () => {
    expect(metrics.realisedLatencySlots?.value).toBe(3.5);
    expect(metrics.realisedLatePercent?.value).toBeCloseTo(100 / 3, 12);
    expect(metrics.unfinishedPercent?.value).toBe(50);
  });

  it("the paired difference to the oracle is 3.5 − 2.75", () => {
    expect(compareAverageLatency(costSums(episodes), costSums(oracleEpisodes), two).value).toBeCloseTo(0.75, 12);
  });
});

describe("metrics under churn", () => {
  const counts = { finishedTasks: 2, realisedLatencySumSlots: 7, finishedLateTasks: 1, unfinishedTasks: 1 };
  // four decisions, one of them late; after the first, two tasks are lost, one of them in time so far
  const decisions = [decision(1, 12, 2, { isLate: false, latencySlots: 2, lostOnTimeTasks: 1 }), decision(2, 3)];
  const episode: Unit = {
    numServers: 2,
    decisions: logOf([...decisions, decision(1, 21), decision(0, 4)]),
    realised: { ...counts, unfinishedLateTasks: 0, lostTasks: 1 },
  };
  const one = new ResamplePlan("test", 1);
  const metrics = computeMetrics("episodic", [episode], costSums([episode]), one);

  it("AL includes the penalty of the loss: (12 + 3 + 21 + 4)/4; C does not: (2 + 3 + 11 + 4)/4", () => {
    expect(metrics.averageLatencySlots?.value).toBe(10);
    expect(metrics.averageLatencyNoPenaltySlots?.value).toBe(5);
  });

  it("the drop rate counts the late decision and the loss in time, once each: 2 of 4", () => {
    expect(metrics.dropRatePercent?.value).toBe(50);
  });

  it("1 of 4 is lost; of the 3 whose fate is known, 1 was late and 1 lost", () => {
    expect(metrics.lostTaskPercent?.value).toBe(25);
    expect(metrics.realisedLatePercent?.value).toBeCloseTo(200 / 3, 12);
    expect(metrics.realisedLatencySlots?.value).toBe(3.5);
  });

  it("there is no share of lost tasks if no server can leave", () => {
    const still = { ...episode, realised: { ...counts, unfinishedLateTasks: 0 } };
    expect(computeMetrics("episodic", [still], costSums([still]), one).lostTaskPercent).toBeNull();
    expect(computeMetrics("static", [still], costSums([still]), one).lostTaskPercent).toBeNull();
  });

  it("the suite has every policy's losses, and a column for them", async () => {
    const suite = findSuite("churn");
    const options = { episodes: 3, firstSeed: 0, packageVersion: "0", runtime: { node: "", platform: "", arch: "" } };
    const one = { ...suite, settings: suite.settings.slice(0, 1) };
    const result = await runSuite(one, { ...options, policies: ["oracle", "local", "random"] });
    expect(findProblem("result", result)).toBeUndefined();
    const lost = result.settings[0].policies.map((row) => row.metrics.lostTaskPercent?.value ?? Number.NaN);
    expect(lost[0]).toBeGreaterThan(0);
    expect(lost[1]).toBe(0); // a device does not leave
    expect(renderTable(one, result)).toMatch(/lost \(%\)/);
    const paper = { ...findSuite("paper-table-2"), settings: findSuite("paper-table-2").settings.slice(1) };
    expect(renderTable(paper, await runSuite(paper, { ...options, policies: ["oracle"] }))).not.toMatch(/lost/);
  });
});

describe("packed units", () => {
  const one = new ResamplePlan("test", 2);
  const metricsOf = (units: readonly Unit[]) => computeMetrics("episodic", units, costSums(units), one);
  const counts = { finishedTasks: 2, realisedLatencySumSlots: 7, finishedLateTasks: 1, unfinishedTasks: 1 };
  const decisions = [
    decision(1, 12, 2, { lostOnTimeTasks: 1 }),
    decision(2, 3),
    decision(0, 4, 1, { isInvalid: true }),
  ];
  const units: Unit[] = [
    { numServers: 2, decisions: logOf(decisions), realised: { ...counts, unfinishedLateTasks: 0, lostTasks: 1 } },
    {
      numServers: 3,
      decisions: logOf([decision(3, 5)]),
      realised: { ...counts, unfinishedLateTasks: 3, lostTasks: 2 },
    },
  ];

  it("unpack to the same units", () => {
    const unpacked = unpackUnits(packUnits(units));
    expect(unpacked.map(({ numServers, realised }) => ({ numServers, realised }))).toEqual(
      units.map(({ numServers, realised }) => ({ numServers, realised })),
    );
    expect(unpacked.map((unit) => unit.decisions.actions())).toEqual([[1, 2, 0], [3]]);
    expect(metricsOf(unpacked)).toEqual(metricsOf(units));
  });

  it("leave out fields that were left out", () => {
    const still = units.map((unit) => ({ ...unit, realised: { ...counts, unfinishedLateTasks: 0 } }));
    expect(unpackUnits(packUnits(still)).map((unit) => unit.realised)).toEqual(still.map((unit) => unit.realised));
    expect(unpackUnits(packUnits(states)).every((unit) => unit.realised === undefined)).toBe(true);
    expect(unpackUnits(packUnits([]))).toEqual([]);
  });

  it("do not change when their log grows", () => {
    const [first] = unpackUnits(packUnits([units[1]]));
    for (let i = 0; i < 40; i++) first.decisions.add(decision(2, i));
    expect(first.decisions.costSlots(0)).toBe(5);
    expect(first.decisions.costSlots(40)).toBe(39);
  });
});

describe("Jain's index", () => {
  it("is 1 for equal shares, 1/W for one server, undefined for none", () => {
    expect(jainIndex([5, 5, 5], 3)).toBe(1);
    expect(jainIndex([7, 0, 0, 0], 4)).toBe(0.25);
    expect(jainIndex([0, 0], 2)).toBeNaN();
  });

  it("recomputes the paper's Table V in the rows that are consistent", () => {
    const lbi = (row: readonly number[]) => 100 * jainIndex(row.slice(1, -1), 11);
    const { rows } = paperTables.tableV;
    for (const name of ["COMLLM", "GRPO-7B", "DQN", "GRPO-1.5B", "Random"] as const) {
      expect(lbi(rows[name])).toBeCloseTo(rows[name][12], 1);
    }
    expect(lbi(rows["SFT-7B"])).toBeCloseTo(41.39, 2);
    expect(lbi(rows["SFT-1.5B"])).toBeCloseTo(58.67, 2);
  });
});

describe("intervals", () => {
  it("contain their figure, for every policy and metric", { timeout: 300_000 }, async () => {
    const result = await runSuite(findSuite("paper-table-2"), {
      policies: policies.filter((policy) => canPlay(policy, "static")).map((policy) => policy.name),
      episodes: 40,
      firstSeed: 0,
      packageVersion: "0",
      runtime: { node: "", platform: "", arch: "" },
    });
    for (const { id, policies: rows } of result.settings) {
      for (const { policy, metrics } of rows) {
        for (const [name, estimate] of Object.entries(metrics)) {
          if (estimate === null) continue;
          const { low, value, high } = estimate;
          const slack = 1e-9 * (1 + Math.abs(value));
          const isRight = low <= value + slack && value <= high + slack;
          expect(isRight, `${id} ${policy.name} ${name}: ${low} ${value} ${high}`).toBe(true);
        }
      }
    }
  });
});

describe("bootstrap", () => {
  it("draws as many units as there are, and the same ones for the same name", () => {
    const one = new ResamplePlan("a", 50, 20);
    const same = new ResamplePlan("a", 50, 20);
    const other = new ResamplePlan("b", 50, 20);
    for (let r = 0; r < 20; r++) {
      expect(one.weights(r).reduce((sum, w) => sum + w, 0)).toBe(50);
      expect(one.weights(r)).toEqual(same.weights(r));
    }
    expect(one.weights(0)).not.toEqual(other.weights(0));
  });

  it("covers the mean about 95 % of the time", () => {
    // 200 samples of 40 uniform values each; the interval of the mean should hold 0.5 in about 190
    let covered = 0;
    const plan40 = new ResamplePlan("coverage", 40, 400);
    const uniform = createStream("coverage-test/values");
    const values = Array.from({ length: 8000 }, uniform);
    for (let s = 0; s < 200; s++) {
      const sample = values.slice(40 * s, 40 * s + 40);
      const mean = estimate(plan40, (weights) => sample.reduce((sum, v, i) => sum + weights[i] * v, 0) / 40);
      if (mean.low <= 0.5 && mean.high >= 0.5) covered++;
    }
    expect(covered).toBeGreaterThan(175);
    expect(covered).toBeLessThan(200);
  });

  it("leaves out resamples in which a statistic is undefined", () => {
    const plan2 = new ResamplePlan("undefined", 2, 50);
    const one = estimate(plan2, (weights) => (weights[0] === 0 ? Number.NaN : weights[0]));
    expect(one.low).toBeGreaterThanOrEqual(1);
  });
});
