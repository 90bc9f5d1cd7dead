/** Scores answers to the package's own data sets in the profile `paper`, with the static protocol's metrics. */

import {
  type ParseFailure,
  parseCompletion,
  resolveScenario,
  type Scenario,
  scenarioHash,
  score,
} from "../../env/index.js";
import type { DatasetRecord } from "../../schemas/generated/types.js";
import type { Estimate } from "../figures.js";
import { computeMetrics, costSums, type MetricName, type Metrics } from "../metrics/metrics.js";
import { estimate, type ResamplePlan } from "../metrics/statistics.js";
import { logOf } from "../metrics/units.js";
import { invalid } from "./answer-files.js";

/** An answer with its figures, in slots. */
export interface PaperAnswer {
  readonly profile: "paper";
  /** The action that the answer names; null if it names none. */
  readonly action: number | null;
  /** Why it names none; null if it names one. */
  readonly parseFailure: ParseFailure | null;
  /** The action that is charged: the costliest one if the answer names none, or one that is not available. */
  readonly chargedAction: number;
  readonly isInvalid: boolean;
  readonly latencySlots: number;
  readonly costSlots: number;
  readonly impactSlots: number;
  /** r of eq. 26. */
  readonly reward: number;
  readonly cheapestCostSlots: number;
}

/** A record of a data set with its scenario. */
export interface PaperQuestion {
  readonly place: string;
  readonly record: DatasetRecord;
  readonly scenario: Scenario;
}

/**
 * @param own scenarios that are known in addition to the frozen ones, by their content
 * @throws MecgymError `invalidRecord` if this version has another scenario with that id; `unknownScenario`
 */
export function paperQuestion(place: string, record: DatasetRecord, own: readonly Scenario[] = []): PaperQuestion {
  const given = own.find((one) => scenarioHash(one) === record.scenarioHash);
  const scenario = given ?? resolveScenario(record.scenarioId);
  const hash = scenarioHash(scenario);
  if (hash === record.scenarioHash) return { place, record, scenario };
  throw invalid(`${place}/scenarioHash`, record.scenarioHash, `${hash}, the content hash of ${record.scenarioId}`);
}

/** Costs and look-ahead reward of the decision in an answer. */
export function scorePaperAnswer({ record, scenario }: PaperQuestion, text: string): PaperAnswer {
  const parsed = parseCompletion(text);
  const action = "action" in parsed ? parsed.action : null;
  // no server has −1, so the costliest action is charged
  const scores = score(scenario, [record], [action ?? -1]);
  return {
    profile: "paper",
    action,
    parseFailure: "failure" in parsed ? parsed.failure : null,
    chargedAction: scores.chargedAction[0],
    isInvalid: action !== null && scores.isInvalid[0] === 1,
    latencySlots: scores.latencySlots[0],
    costSlots: scores.costSlots[0],
    impactSlots: scores.impactSlots[0],
    reward: scores.reward[0],
    cheapestCostSlots: scores.cheapestCostSlots[0],
  };
}

/** The metrics of the profile, in the order of the table. */
export const paperMetrics = {
  averageLatencySlots: { title: "average latency (slots)", unit: "slots", digits: 3, better: "lower" },
  performanceRatioPercent: { title: "performance ratio (%)", unit: "%", digits: 2, better: "higher" },
  dropRatePercent: { title: "drop rate (%)", unit: "%", digits: 2, better: "lower" },
  loadBalancingIndexPercent: { title: "load balancing (%)", unit: "%", digits: 2, better: "higher" },
  meanReward: { title: "reward (slots)", unit: "slots", digits: 3, better: "higher" },
  localSharePercent: { title: "local (%)", unit: "%", digits: 1, better: "lower" },
  parseFailurePercent: { title: "unread answers (%)", unit: "%", digits: 2, better: "lower" },
  invalidActionPercent: { title: "no such server (%)", unit: "%", digits: 2, better: "lower" },
} as const;

export type PaperMetricName = keyof typeof paperMetrics;

/** The static protocol's metrics. An answer that cannot be read is counted, and charged as the costliest action. */
export function paperFigures(
  questions: readonly PaperQuestion[],
  answers: readonly PaperAnswer[],
  plan: ResamplePlan,
): Record<PaperMetricName, Estimate | null> {
  const units = answers.map(({ chargedAction, isInvalid, latencySlots, costSlots, cheapestCostSlots }, i) => {
    const { numServers, deadlineSlots } = questions[i].record.state;
    const isLate = latencySlots > deadlineSlots;
    const decision = { action: chargedAction, costSlots, latencySlots, cheapestCostSlots, isLate, isInvalid };
    return { numServers, decisions: logOf([decision]) };
  });
  const metrics: Metrics = computeMetrics("static", units, costSums(units), plan);
  const mean = (value: (answer: PaperAnswer) => number) =>
    estimate(plan, (weights) => {
      const sum = answers.reduce((total, answer, i) => total + weights[i] * value(answer), 0);
      return sum / answers.reduce((total, _, i) => total + weights[i], 0);
    });
  const own = {
    meanReward: mean(({ reward }) => reward),
    parseFailurePercent: mean(({ action }) => (action === null ? 100 : 0)),
  };
  const names = Object.keys(paperMetrics) as PaperMetricName[];
  const figures = names.map((name) => [
    name,
    name in own ? own[name as keyof typeof own] : metrics[name as MetricName],
  ]);
  return Object.fromEntries(figures) as Record<PaperMetricName, Estimate | null>;
}
