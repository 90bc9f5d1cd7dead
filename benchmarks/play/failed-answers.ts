/** Answers that could not be carried out: how a log keeps them, and what such a log must be. */

import { costliestOf, observedCosts } from "../../env/batch/action-costs.js";
import { isObservedActionAvailable, type Observation } from "../../env/index.js";
import type { FailedAnswer } from "../../schemas/generated/types.js";

export type { FailedAnswer };

/** What a policy returns for an answer in which no decision was read. No answer names this action. */
export const UNREAD = -0x80000000;

/** A place in a list of failed answers that cannot be right. */
export interface FailedAnswerProblem {
  /** Index in the list. */
  readonly index: number;
  readonly field: "" | "/unit" | "/decision" | "/action";
  readonly expected: string;
  readonly got: unknown;
}

/**
 * The first entry that is out of order, or at a place that the logs do not have.
 *
 * @param logs the actions that were carried out, one list for each unit
 */
export function failedAnswerProblem(
  failures: readonly FailedAnswer[],
  logs: readonly (readonly number[])[],
): FailedAnswerProblem | undefined {
  let before = { unit: -1, decision: -1 };
  for (const [index, { unit, decision, failure, action }] of failures.entries()) {
    if (unit >= logs.length) return { index, field: "/unit", expected: `below ${logs.length}`, got: unit };
    const { length } = logs[unit];
    if (decision >= length) return { index, field: "/decision", expected: `below ${length}`, got: decision };
    if (unit < before.unit || (unit === before.unit && decision <= before.decision)) {
      return { index, field: "", expected: "a later decision than that of the entry before", got: { unit, decision } };
    }
    if ((failure === "invalidAction") !== (action !== undefined)) {
      const expected = failure === "invalidAction" ? "the action that was named" : "no action: none was read";
      return { index, field: "/action", expected, got: action ?? null };
    }
    before = { unit, decision };
  }
  return undefined;
}

/** The failed answers of units start … start + count − 1, with the first of these as unit 0. */
export function failuresOfUnits(failures: readonly FailedAnswer[], start: number, count: number): FailedAnswer[] {
  return failures
    .filter(({ unit }) => unit >= start && unit < start + count)
    .map((failed) => ({ ...failed, unit: failed.unit - start }));
}

/** The available action of the largest cost in a state: what a failed answer is charged with. */
export function costliestAction(observation: Observation): number {
  const costs = new Float64Array(observation.numServers + 1);
  observedCosts(observation, costs);
  return costliestOf(costs, observation);
}

/** The action that a failed answer asked for, which cannot be carried out in its state. */
export function askedAction({ action }: FailedAnswer): number {
  return action ?? UNREAD;
}

/** Why a logged decision cannot be a failed answer's; undefined if it can. */
export function failureFault(
  observation: Observation,
  failed: FailedAnswer,
  charged: number,
): { readonly expected: string; readonly got: number } | undefined {
  const asked = askedAction(failed);
  if (isObservedActionAvailable(observation, asked)) {
    return { expected: "an answer that names an action that cannot be taken then, as its entry says", got: asked };
  }
  const costliest = costliestAction(observation);
  if (charged === costliest) return undefined;
  return { expected: `${costliest}, the costliest action, with which a failed answer is charged`, got: charged };
}
