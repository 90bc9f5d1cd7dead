/** Cells of the tables of results. */

import type { PolicyResult } from "../../schemas/generated/types.js";
import { type Estimate, intervalText } from "../figures.js";

export type MetricName = keyof PolicyResult["metrics"];

/** The text in place of a mean that does not exist. */
export function unstableText({ metrics }: PolicyResult): string {
  return `*unstable*, ${metrics.collapsedEpisodePercent?.value.toFixed(0)} % collapsed`;
}

/** Whether a policy answers in words, or has named actions that cannot be taken. */
export function mayFail({ policy, failures }: PolicyResult): boolean {
  return policy.answers === "words" || failures !== undefined;
}

/** The shares of answers that failed, to stand after a mean; empty for a policy whose answers cannot fail. */
export function failedText(policy: PolicyResult): string {
  if (!mayFail(policy)) return "";
  const { parseFailurePercent: unread, invalidActionPercent: invalid } = policy.metrics;
  return `, ${(unread?.value ?? 0).toFixed(1)} % unread, ${(invalid?.value ?? 0).toFixed(1)} % invalid`;
}

/** A figure with its interval; empty for a figure that is not defined. */
export function interval(estimate: Estimate | null | undefined, digits: number): string {
  return estimate === null || estimate === undefined ? "" : intervalText(estimate, digits);
}
