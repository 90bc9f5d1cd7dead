/** Cells that tables of results share. */

import type { PolicyResult } from "../../schemas/generated/types.js";

export type MetricName = keyof PolicyResult["metrics"];

/** What stands in place of a mean that does not exist. */
export function unstableText({ metrics }: PolicyResult): string {
  return `*unstable*, ${metrics.collapsedEpisodePercent?.value.toFixed(0)} % collapsed`;
}

/** A figure with its interval; empty where there is none. */
export function interval(estimate: PolicyResult["metrics"][MetricName], digits: number): string {
  if (estimate === null || estimate === undefined) return "";
  const text = (value: number) => value.toFixed(digits);
  return `${text(estimate.value)} [${text(estimate.low)}, ${text(estimate.high)}]`;
}
