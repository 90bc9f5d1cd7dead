/** Reads a decision from what a language model wrote: an action, or the reason why there is none. */

import { Reader } from "./reader.js";
import type { ParseResult } from "./result.js";
import { afterReasoning, mayHoldMarks, normalise } from "./text.js";
import { MAX_CALL_SPACE } from "./tokens.js";

export type { ParseFailure, ParseResult } from "./result.js";

/**
 * Reads the decision of a completion, English or Chinese, by the rules of docs/prompts.md: the last stated decision
 * counts; in a phrase that names a server and local execution, the server counts; a bare digit is not a decision.
 *
 * It does not know the number of servers, so the caller checks whether the action exists. Time and memory are linear in
 * the length of the text.
 */
export function parseCompletion(completion: string): ParseResult {
  // without a character that can open a mark, no reasoning can continue into the last line
  const early = mayHoldMarks(completion) ? undefined : exactAction(completion);
  if (early !== undefined) return { action: early };
  const text = normalise(completion);
  if (text.trim() === "") return { failure: "empty" };
  const answer = afterReasoning(text);
  if (answer === undefined) return { failure: "unfinishedReasoning" };
  const action = exactAction(answer);
  return action === undefined ? readLines(answer) : { action };
}

/** A decision string and nothing else. */
const exactAnswer = /^\s*(?:(?:server |卸载到边缘服务器)(\d{1,9})|local(?: execution)?|本地执行)\.?$/i;
/** Longer lines are not tested, so that their white space costs nothing. */
const MAX_EXACT = 32;

/**
 * The action of a text whose last line is a decision string. Trained models end with one, and it is much faster to
 * read. It is the last decision stated, whatever comes before, because a phrase ends with its line.
 */
function exactAction(text: string): number | undefined {
  const end = text.trimEnd().length;
  const start = text.lastIndexOf("\n", end) + 1;
  if (start >= end || end - start > MAX_EXACT) return undefined;
  const exact = exactAnswer.exec(text.slice(start, end));
  if (exact === null) return undefined;
  return exact[1] === undefined ? 0 : Number(exact[1]) || -1;
}

/**
 * Reads the lines of a text from the last to the first until one states a decision. Reading forwards would end with the
 * same one: phrases end with their line, and the order of mentions that decide nothing does not matter.
 */
function readLines(text: string): ParseResult {
  const reader = new Reader(text);
  for (let end = text.length; end > 0; ) {
    const start = startOfLine(text, end);
    reader.read(start, end);
    if (reader.hasDecision) break;
    end = start;
  }
  return reader.result();
}

/**
 * The start of the line before `end`. A line into which a mark of a tool call can continue belongs to the one before.
 */
function startOfLine(text: string, end: number): number {
  for (let at = end - 2; at >= 0; at--) {
    at = text.lastIndexOf("\n", at);
    // "<server>", and the number in the next line
    if (
      at < 0 ||
      !text
        .slice(Math.max(0, at - MAX_CALL_SPACE), at)
        .trimEnd()
        .endsWith(">")
    )
      return at + 1;
  }
  return 0;
}
