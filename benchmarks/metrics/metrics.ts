/** The metrics of docs/benchmark.md: from logged decisions to figures with intervals. */

import type { Estimate } from "../figures.js";
import { isCollapsed, JUDGED_SLOTS } from "./stability.js";
import { estimate, estimateBounded, percentileInterval, type ResamplePlan } from "./statistics.js";
import type { Realised, Unit } from "./units.js";

export type Protocol = "static" | "episodic";

/** The metrics with their units. */
export const metricUnits = {
  averageLatencySlots: "slots",
  averageLatencyNoPenaltySlots: "slots",
  dropRatePercent: "%",
  performanceRatioPercent: "%",
  onPathRatioPercent: "%",
  foresight: "1",
  loadBalancingIndexPercent: "%",
  realisedLatencySlots: "slots",
  realisedLatePercent: "%",
  unfinishedPercent: "%",
  collapsedEpisodePercent: "%",
  lostTaskPercent: "%",
  localSharePercent: "%",
  invalidActionPercent: "%",
  latencyP50Slots: "slots",
  latencyP95Slots: "slots",
  latencyP99Slots: "slots",
  parseFailurePercent: "%",
} as const;

export type MetricName = keyof typeof metricUnits;
export type Metrics = Readonly<Record<MetricName, Estimate | null>>;

/** Sums over a unit's decisions. Every mean is a ratio of two such sums over units. */
interface UnitSums {
  readonly decisions: number;
  readonly cost: number;
  readonly latency: number;
  readonly cheapest: number;
  /** Late decisions, and lost tasks that were in time. */
  readonly late: number;
  readonly local: number;
  readonly invalid: number;
  /** Answers in which no decision could be read. */
  readonly unread: number;
  /** Tasks offloaded to each server. */
  readonly offloads: Float64Array;
  readonly realised: Realised | undefined;
}

function sumUnit(unit: Unit, maxServers: number): UnitSums {
  const offloads = new Float64Array(maxServers);
  const log = unit.decisions;
  const sums = { decisions: log.length, cost: 0, latency: 0, cheapest: 0, late: 0, local: 0, invalid: 0, unread: 0 };
  sums.late = log.lostOnTimeTasks;
  for (let i = 0; i < log.length; i++) {
    const action = log.action(i);
    sums.cost += log.costSlots(i);
    sums.latency += log.latencySlots(i);
    sums.cheapest += log.cheapestCostSlots(i);
    if (log.isLate(i)) sums.late += 1;
    if (log.isInvalid(i)) sums.invalid += 1;
    if (log.isUnread(i)) sums.unread += 1;
    if (action === 0) sums.local += 1;
    else offloads[action - 1] += 1;
  }
  return { ...sums, offloads, realised: unit.realised };
}

/** The sum of J in slots and the number of decisions of each unit: enough to compare policies of a setting. */
export interface CostSums {
  readonly costSlots: Float64Array;
  readonly decisions: Float64Array;
}

export function costSums(units: readonly Unit[]): CostSums {
  return {
    costSlots: Float64Array.from(units, ({ decisions }) => {
      let sum = 0;
      for (let i = 0; i < decisions.length; i++) sum += decisions.costSlots(i);
      return sum;
    }),
    decisions: Float64Array.from(units, ({ decisions }) => decisions.length),
  };
}

/** The costs of all parts, one part after another. */
export function joinCostSums(parts: readonly CostSums[]): CostSums {
  const joined = (field: keyof CostSums) => Float64Array.from(parts.flatMap((part) => [...part[field]]));
  return { costSlots: joined("costSlots"), decisions: joined("decisions") };
}

/** Mean J of the weighted units, slots (eq. 28). */
export function averageLatency({ costSlots, decisions }: CostSums, weights: ArrayLike<number>): number {
  return weightedSum(costSlots, weights) / weightedSum(decisions, weights);
}

/** Jain's fairness index of the tasks that each of W servers got (eq. 33); NaN if no server got a task. */
export function jainIndex(offloads: ArrayLike<number>, numServers: number): number {
  let sum = 0;
  let squares = 0;
  for (let e = 0; e < numServers; e++) {
    sum += offloads[e];
    squares += offloads[e] * offloads[e];
  }
  return (sum * sum) / (numServers * squares);
}

/**
 * All metrics of one policy. Metrics that a protocol does not have are null.
 *
 * @param units episodes (episodic) or states (static)
 * @param oracle costs of the oracle on the same seeds, for the episodic performance ratio
 * @param reference costs of the policy that foresight is measured by, on the same seeds; null if there is none
 * @param episodeSlots length of the episodes, slots; stability is judged only in long ones
 * @param isInWords whether the policy answers in words, which may be unreadable
 */
export function computeMetrics(
  protocol: Protocol,
  units: readonly Unit[],
  oracle: CostSums,
  plan: ResamplePlan,
  reference: CostSums | null = null,
  episodeSlots = 0,
  isInWords = false,
): Metrics {
  const maxServers = Math.max(...units.map((unit) => unit.numServers));
  const sums = units.map((unit) => sumUnit(unit, maxServers));
  const ratio = (
    above: (unit: UnitSums, i: number) => number,
    below: (unit: UnitSums, i: number) => number,
    scale = 1,
  ): Estimate => {
    const numerators = Float64Array.from(sums, above);
    const denominators = Float64Array.from(sums, below);
    return estimate(plan, (weights) => (scale * weightedSum(numerators, weights)) / weightedSum(denominators, weights));
  };
  const decisions = (unit: UnitSums) => unit.decisions;
  const perDecision = (field: "cost" | "latency" | "late" | "local" | "invalid" | "unread", scale = 1) =>
    ratio((unit) => unit[field], decisions, scale);
  const cheapestRatio = () =>
    ratio(
      (unit) => unit.cheapest,
      (unit) => unit.cost,
      100,
    ); // eq. 30-32
  const isEpisodic = protocol === "episodic";
  const [p50, p95, p99] = percentiles(units, plan, [0.5, 0.95, 0.99]);
  return {
    averageLatencySlots: perDecision("cost"), // eq. 28
    averageLatencyNoPenaltySlots: perDecision("latency"),
    dropRatePercent: perDecision("late", 100), // eq. 29
    performanceRatioPercent: isEpisodic ? oracleRatio(costSums(units), oracle, plan) : cheapestRatio(),
    onPathRatioPercent: isEpisodic ? cheapestRatio() : null,
    foresight: isEpisodic && reference !== null ? foresight(costSums(units), oracle, reference, plan) : null,
    loadBalancingIndexPercent: loadBalancing(protocol, units, sums, maxServers, plan),
    realisedLatencySlots: isEpisodic
      ? ratio(
          (unit) => unit.realised?.realisedLatencySumSlots ?? 0,
          (unit) => unit.realised?.finishedTasks ?? 0,
        )
      : null,
    realisedLatePercent: isEpisodic
      ? ratio(
          ({ realised }) => (realised?.finishedLateTasks ?? 0) + neverInTime(realised),
          ({ realised }) => (realised?.finishedTasks ?? 0) + neverInTime(realised),
          100,
        )
      : null,
    unfinishedPercent: isEpisodic ? ratio((unit) => unit.realised?.unfinishedTasks ?? 0, decisions, 100) : null,
    collapsedEpisodePercent:
      isEpisodic && episodeSlots >= JUDGED_SLOTS
        ? ratio(
            (_, i) => (isCollapsed(units[i]) ? 1 : 0),
            () => 1,
            100,
          )
        : null,
    lostTaskPercent: units.some(({ realised }) => realised?.lostTasks !== undefined)
      ? ratio((unit) => unit.realised?.lostTasks ?? 0, decisions, 100)
      : null,
    localSharePercent: perDecision("local", 100),
    invalidActionPercent: perDecision("invalid", 100),
    latencyP50Slots: p50,
    latencyP95Slots: p95,
    latencyP99Slots: p99,
    parseFailurePercent: isInWords ? perDecision("unread", 100) : null,
  };
}

/** Tasks without a realised latency that count as late: lost ones, and unfinished ones that are already too old. */
function neverInTime(realised: Realised | undefined): number {
  return (realised?.unfinishedLateTasks ?? 0) + (realised?.lostTasks ?? 0);
}

function weightedSum(values: Float64Array, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i] * values[i];
  return sum;
}

/** AL of the oracle ÷ own AL on the same seeds, both resampled together. */
function oracleRatio(own: CostSums, oracle: CostSums, plan: ResamplePlan): Estimate {
  return estimate(plan, (weights) => (100 * averageLatency(oracle, weights)) / averageLatency(own, weights));
}

/**
 * The share of the gain from the oracle's average latency to the reference's that a policy reaches: 0 is as
 * short-sighted as the oracle, 1 as good as the reference. All three are resampled together.
 *
 * @returns null unless the whole 95 % interval of that gain is above 0: a share of no gain is not a figure
 */
export function foresight(own: CostSums, oracle: CostSums, reference: CostSums, plan: ResamplePlan): Estimate | null {
  if (!(compareAverageLatency(oracle, reference, plan).low > 0)) return null;
  return estimate(plan, (weights) => {
    const start = averageLatency(oracle, weights);
    return (start - averageLatency(own, weights)) / (start - averageLatency(reference, weights));
  });
}

/** Paired difference of the average latencies of two policies on the same units, first minus second, slots. */
export function compareAverageLatency(first: CostSums, second: CostSums, plan: ResamplePlan): Estimate {
  return estimate(plan, (weights) => averageLatency(first, weights) - averageLatency(second, weights));
}

/**
 * Eq. 33. Static: over the pooled answers, and over the largest number of servers of any state. Episodic: over the
 * servers of each episode, then averaged over the episodes that offloaded anything.
 */
function loadBalancing(
  protocol: Protocol,
  units: readonly Unit[],
  sums: readonly UnitSums[],
  maxServers: number,
  plan: ResamplePlan,
): Estimate | null {
  if (sums.every((unit) => unit.local === unit.decisions)) return null;
  if (protocol === "episodic") {
    const indices = sums.map((unit, i) => 100 * jainIndex(unit.offloads, units[i].numServers));
    const mean = (weights: ArrayLike<number>) => {
      let sum = 0;
      let count = 0;
      for (let i = 0; i < indices.length; i++) {
        if (Number.isNaN(indices[i])) continue;
        sum += weights[i] * indices[i];
        count += weights[i];
      }
      return sum / count;
    };
    return estimateBounded(plan, mean, 100);
  }
  const columns = Array.from({ length: maxServers }, (_, e) => Float64Array.from(sums, (unit) => unit.offloads[e]));
  const pooled = (weights: ArrayLike<number>) => columns.map((column) => weightedSum(column, weights));
  return estimateBounded(plan, (weights) => 100 * jainIndex(pooled(weights), maxServers), 100);
}

/** Percentiles of J over the pooled decisions: the smallest value that at least this share does not exceed. */
function percentiles(units: readonly Unit[], plan: ResamplePlan, shares: readonly number[]): Estimate[] {
  const unsorted = new Float64Array(units.reduce((sum, unit) => sum + unit.decisions.length, 0));
  const unsortedOwners = new Int32Array(unsorted.length);
  let end = 0;
  for (const [u, { decisions }] of units.entries()) {
    for (let i = 0; i < decisions.length; i++, end++) {
      unsorted[end] = decisions.costSlots(i);
      unsortedOwners[end] = u;
    }
  }
  const order = Uint32Array.from(unsorted.keys()).sort((a, b) => unsorted[a] - unsorted[b]);
  const costs = Float64Array.from(order, (i) => unsorted[i]);
  const owners = Int32Array.from(order, (i) => unsortedOwners[i]);
  const counts = Float64Array.from(units, (unit) => unit.decisions.length);
  // the number of each unit's values before each block of the sorted values: a resample finds the block of a
  // percentile by these counts, and then walks only through that block
  const numUnits = units.length;
  const blockSize = Math.ceil(Math.sqrt(costs.length));
  const numBlocks = Math.ceil(costs.length / blockSize);
  const before = new Float64Array(numBlocks * numUnits);
  for (let block = 1; block < numBlocks; block++) {
    const row = block * numUnits;
    before.copyWithin(row, row - numUnits, row);
    for (let i = (block - 1) * blockSize; i < block * blockSize; i++) before[row + owners[i]] += 1;
  }
  const weightBefore = (block: number, weights: ArrayLike<number>): number => {
    let sum = 0;
    for (let u = 0, row = block * numUnits; u < numUnits; u++) sum += weights[u] * before[row + u];
    return sum;
  };
  const percentile = (share: number, weights: ArrayLike<number>): number => {
    const target = share * weightedSum(counts, weights);
    let low = 0;
    for (let high = numBlocks - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if (weightBefore(middle, weights) < target) low = middle;
      else high = middle - 1;
    }
    let cumulative = weightBefore(low, weights);
    let i = low * blockSize;
    for (; i < costs.length - 1; i++) {
      cumulative += weights[owners[i]];
      if (cumulative >= target) break;
    }
    return costs[i];
  };
  const at = (weights: ArrayLike<number>): number[] => shares.map((share) => percentile(share, weights));
  const point = at(new Uint8Array(units.length).fill(1));
  const resampled = shares.map(() => [] as number[]);
  for (let r = 0; r < plan.numResamples; r++) {
    for (const [s, value] of at(plan.weights(r)).entries()) resampled[s].push(value);
  }
  return shares.map((_, s) => ({ value: point[s], ...percentileInterval(resampled[s]) }));
}

/** How often each action was taken: local, then servers 1…maxServers (Table V). */
export function actionCounts(units: readonly Unit[]): number[] {
  const maxServers = Math.max(...units.map((unit) => unit.numServers));
  const counts = new Array<number>(maxServers + 1).fill(0);
  for (const { decisions } of units) for (let i = 0; i < decisions.length; i++) counts[decisions.action(i)] += 1;
  return counts;
}
