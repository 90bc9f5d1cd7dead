/** Scores answers to published records in the profile `comllm-release`, with the metrics of the published analysis. */

import {
  DROP_ABOVE_SLOTS,
  type ReleaseOptions,
  type ReleaseScore,
  type ReleaseState,
  readReleaseAnswer,
  readReleaseInput,
  readReleasePrompt,
  releaseCostSlots,
  scoreRelease,
} from "../../env/index.js";
import type { Estimate } from "../figures.js";
import { jainIndex } from "../metrics/metrics.js";
import { estimate, estimateBounded, type ResamplePlan } from "../metrics/statistics.js";
import { invalid, type PlacedRecord, textOf } from "./answer-files.js";

/** The question in a record, and its label. */
export interface ReleaseQuestion {
  readonly place: string;
  /** Null for a prompt that cannot be read. */
  readonly state: ReleaseState | null;
  /** The label's text; null if the record has none. */
  readonly label: string | null;
}

/** An answer with its figures and those of the label. */
export interface ReleaseAnswer extends ReleaseScore {
  /** Action and cost of the label; null if there is none, or none that can be read. */
  readonly labelAction: number | null;
  readonly labelCostSlots: number | null;
  /** Whether the action names a server that does not exist. */
  readonly isInvalid: boolean;
}

/**
 * The question in a record: the published form {instruction, input, output}, a published result {input, ground_truth},
 * or {prompt}.
 *
 * @param isLabelled whether the column `completion` is a label, as in training data, and not an answer
 * @throws MecgymError `invalidRecord`
 */
export function readQuestion({ place, fields }: PlacedRecord, isLabelled: boolean): ReleaseQuestion {
  const { input, prompt, output, ground_truth: truth, completion } = fields;
  const label = [output, truth, isLabelled ? completion : undefined].find((one) => one !== undefined && one !== null);
  const isNamed = label === output && typeof label === "object" && label !== null;
  const labelText = isNamed ? (label as { action_name?: unknown }).action_name : label;
  const read = {
    place,
    label: labelText === undefined ? null : textOf(labelText, `${place}/${isNamed ? "output/action_name" : "label"}`),
  };
  if (input !== undefined && input !== null) return { ...read, state: readReleaseInput(input, `${place}/input`) };
  if (prompt === undefined) throw invalid(place, Object.keys(fields), "a field input or prompt");
  const text = Array.isArray(prompt)
    ? prompt.map((message, i) => textOf([message], `${place}/prompt/${i}`)).join("\n\n")
    : textOf(prompt, `${place}/prompt`);
  return { ...read, state: readReleasePrompt(text, `${place}/prompt`) };
}

/** The score of an answer and of the label. */
export function scoreAnswer({ state, label }: ReleaseQuestion, answer: string, options: ReleaseOptions): ReleaseAnswer {
  const score = scoreRelease(state, answer, options);
  const { action } = score;
  const labelAction = label === null || state === null ? null : readReleaseAnswer(label);
  const labelCostSlots = labelAction === null || state === null ? null : releaseCostSlots(state, labelAction);
  const isInvalid = action !== null && action > 0 && !state?.servers.some(({ id }) => id === action);
  return { ...score, labelAction, labelCostSlots, isInvalid };
}

/** The published analysis counts servers up to this id for load balancing. */
const MAX_COUNTED_SERVER = 20;

/** The metrics of the profile, in the order of the table. */
export const releaseMetrics = {
  averageLatencySlots: { title: "average latency (slots)", unit: "slots", digits: 4, better: "lower" },
  performanceRatioPercent: { title: "performance ratio (%)", unit: "%", digits: 2, better: "higher" },
  dropRatePercent: { title: "drop rate (%)", unit: "%", digits: 2, better: "lower" },
  loadBalancingIndexPercent: { title: "load balancing (%)", unit: "%", digits: 2, better: "higher" },
  meanReward: { title: "reward", unit: "1", digits: 3, better: "higher" },
  labelAgreementPercent: { title: "as the label (%)", unit: "%", digits: 1, better: "higher" },
  parseFailurePercent: { title: "unread answers (%)", unit: "%", digits: 2, better: "lower" },
  invalidActionPercent: { title: "no such server (%)", unit: "%", digits: 2, better: "lower" },
  unreadablePromptPercent: { title: "unread prompts (%)", unit: "%", digits: 2, better: "lower" },
} as const;

export type ReleaseMetricName = keyof typeof releaseMetrics;

/**
 * The metrics of the published analysis, and how much it leaves out. An answer that cannot be read has no cost and
 * drops out of the means, which flatters a policy.
 *
 * @param plan resamples of the answers
 * @returns null for a figure that is not defined, such as load balancing if nothing was offloaded
 */
export function releaseFigures(
  answers: readonly ReleaseAnswer[],
  plan: ResamplePlan,
): Record<ReleaseMetricName, Estimate | null> {
  /** The mean over the answers whose `value` is not null. */
  const meanOf = (value: (answer: ReleaseAnswer) => number | null, weights: ArrayLike<number>): number => {
    let [sum, count] = [0, 0];
    answers.forEach((answer, i) => {
      const one = value(answer);
      if (one === null) return;
      sum += weights[i] * one;
      count += weights[i];
    });
    return sum / count;
  };
  const figure = (value: (answer: ReleaseAnswer) => number | null) =>
    orNull(estimate(plan, (weights) => meanOf(value, weights)));
  const share = (isSo: (answer: ReleaseAnswer) => boolean | null) =>
    figure((answer) => {
      const is = isSo(answer);
      return is === null ? null : 100 * Number(is);
    });
  const cost = ({ costSlots }: ReleaseAnswer) => costSlots;
  return {
    averageLatencySlots: figure(cost),
    performanceRatioPercent: orNull(
      estimate(
        plan,
        (weights) => (100 * meanOf(({ labelCostSlots }) => labelCostSlots, weights)) / meanOf(cost, weights),
      ),
    ),
    dropRatePercent: share(({ costSlots }) => (costSlots === null ? null : costSlots > DROP_ABOVE_SLOTS)),
    loadBalancingIndexPercent: orNull(estimateBounded(plan, (weights) => balance(answers, weights), 100)),
    meanReward: figure(({ reward }) => reward),
    labelAgreementPercent: share(({ action, labelAction }) => (labelAction === null ? null : action === labelAction)),
    parseFailurePercent: share(({ action, formatReward }) => (formatReward === null ? null : action === null)),
    invalidActionPercent: share(({ isInvalid }) => isInvalid),
    unreadablePromptPercent: share(({ formatReward }) => formatReward === null),
  };
}

/** Jain's index of how often each server was chosen, over the servers up to the highest chosen id, %. */
function balance(answers: readonly ReleaseAnswer[], weights: ArrayLike<number>): number {
  const counts = new Float64Array(MAX_COUNTED_SERVER);
  let highest = 0;
  answers.forEach(({ action }, i) => {
    if (weights[i] === 0 || action === null || action < 1 || action > MAX_COUNTED_SERVER) return;
    counts[action - 1] += weights[i];
    if (action > highest) highest = action;
  });
  return 100 * jainIndex(counts, highest);
}

function orNull(figure: Estimate): Estimate | null {
  return Number.isNaN(figure.value) ? null : figure;
}
