/** Reads a decision from what a language model wrote: an action, or the reason why there is none. */

import { Reader } from "./reader.js";
import { afterReasoning, mayHoldMarks, normalise } from "./text.js";
import { MAX_CALL_SPACE } from "./tokens.js";

/** Why a completion holds no decision. */
export type ParseFailure =
  /** Nothing but white space. */
  | "empty"
  /** No decision is stated. */
  | "noDecision"
  /** Several servers are named as alternatives. */
  | "ambiguous"
  /** It ends within its reasoning. */
  | "unfinishedReasoning";

/** Either an action, which need not exist (12 where there are 11 servers, −1 for a server 0), or a failure. */
export type ParseResult = { readonly action: number } | { readonly failure: ParseFailure };

/**
 * Reads the decision of a completion, English or Chinese, by the rules of docs/prompts.md: the last stated decision
 * counts; where one phrase names a server and local execution, the server does; a digit alone is no decision.
 *
 * It does not know how many servers there are: whether the action exists is the caller's to check. Time and memory are
 * linear in the length of the text.
 */
export function parseCompletion(completion: string): ParseResult {
  // without a sign that could open a mark, nothing before the last line can be reasoning that goes on in it
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
/** A longer line is not looked at for it, so that its white space costs nothing. */
const MAX_EXACT = 32;

/**
 * The action of a text whose last line is a decision string: what trained models end with, and much quicker to read. It is
 * the last decision stated, whatever stands before it, for a phrase ends with its line.
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
 * Reads the lines of a text from the last to the first, until one states a decision. That is the one a reading from the
 * front would end with: a line is phrases of its own, and what phrases name without deciding adds up in any order.
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

/** Where the line begins that ends before `end`. One that a mark of a tool call could go on in belongs to the one before. */
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
