/** All that is computed for one policy in one setting, from the units it played. */

import type { Estimate } from "../figures.js";
import {
  actionCounts,
  type CostSums,
  compareAverageLatency,
  computeMetrics,
  costSums,
  type Metrics,
  type Protocol,
} from "./metrics.js";
import { isCollapsed, isUnstable, JUDGED_SLOTS } from "./stability.js";
import type { ResamplePlan } from "./statistics.js";
import { type PackedUnits, unpackUnits } from "./units.js";

/** What the figures are computed from. */
export interface FiguresInput {
  readonly protocol: Protocol;
  /** In order. */
  readonly units: readonly PackedUnits[];
  /** Costs of the oracle on the same seeds. */
  readonly oracle: CostSums;
  /** Costs of the policy that foresight is measured by, on the same seeds. */
  readonly reference: CostSums | null;
  readonly episodeSlots: number;
  /** Whether the policy answers in words; false if left out. */
  readonly isInWords?: boolean;
}

/** Metrics, comparisons and the action log of one policy. */
export interface PolicyFigures {
  readonly metrics: Metrics;
  readonly differenceToOracleSlots: Estimate;
  readonly isUnstable: boolean | null;
  readonly actionCounts: readonly number[];
  /** The action log: the number of decisions in each unit, and the actions of all units in order. */
  readonly lengths: Uint32Array;
  readonly actions: Uint16Array;
}

export function computeFigures(input: FiguresInput, plan: ResamplePlan): PolicyFigures {
  const { protocol, oracle, reference, episodeSlots, isInWords } = input;
  const units = input.units.flatMap(unpackUnits);
  const isJudged = protocol === "episodic" && episodeSlots >= JUDGED_SLOTS;
  const lengths = input.units.map((packed) => packed.lengths);
  const actions = input.units.map((packed) => packed.actions);
  return {
    metrics: computeMetrics(protocol, units, oracle, plan, reference, episodeSlots, isInWords),
    isUnstable: isJudged ? isUnstable(units.filter(isCollapsed).length, units.length) : null,
    differenceToOracleSlots: compareAverageLatency(costSums(units), oracle, plan),
    actionCounts: actionCounts(units),
    lengths: joined(Uint32Array, lengths),
    actions: joined(Uint16Array, actions),
  };
}

function joined<A extends Uint16Array | Uint32Array>(make: new (length: number) => A, parts: readonly A[]): A {
  const whole = new make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
