/** Cells of the tables of results. */

import type { PolicyResult } from "../../schemas/generated/types.js";
import { type Estimate, intervalText } from "../figures.js";

export type MetricName = keyof PolicyResult["metrics"];

/** The text in place of a mean that does not exist. */
export function unstableText({ metrics }: PolicyResult): string {
  return `*unstable*, ${metrics.collapsedEpisodePercent?.value.toFixed(0)} % collapsed`;
}

/** A figure with its interval; empty for a figure that is not defined. */
export function interval(estimate: Estimate | null | undefined, digits: number): string {
  return estimate === null || estimate === undefined ? "" : intervalText(estimate, digits);
}
