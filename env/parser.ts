/** Reads a decision from what a language model wrote: an action, or the reason why there is none. */

import { Reader } from "./parser-reader.js";

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
  if (completion.length <= MAX_EXACT) {
    const exact = exactAnswer.exec(completion);
    if (exact !== null) return { action: exact[1] === undefined ? 0 : Number(exact[1]) || -1 };
  }
  const text = normalise(completion);
  if (text.trim() === "") return { failure: "empty" };
  const answer = afterReasoning(text);
  if (answer === undefined) return { failure: "unfinishedReasoning" };
  return new Reader(answer).read();
}

/** A decision string and nothing else: what trained models answer, and much quicker to read. */
const exactAnswer = /^\s*(?:(?:server |卸载到边缘服务器)(\d{1,9})|local|本地执行)\.?\s*$/i;
/** A longer text is not looked at for it, so that its white space costs nothing. */
const MAX_EXACT = 32;

/** Lower case, with full-width letters, digits and signs and circled digits as their usual forms, without what is invisible. */
function normalise(text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text.toLowerCase();
  return text
    .replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]/g, "")
    .replace(/[\u2460-\u2473]/g, (character) => ` ${character.charCodeAt(0) - 0x245f}`)
    .replace(/[\uff01-\uff5e]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/\u3000/g, " ")
    .toLowerCase();
}

const reasoningMarks = [
  ...["think", "thinking", "thought", "reasoning"].map((name) => [`<${name}>`, `</${name}>`]),
  ["◁think▷", "◁/think▷"],
];

/** What follows the reasoning; undefined where the reasoning does not end. */
function afterReasoning(text: string): string | undefined {
  const ends = reasoningMarks.map(([, close]) => {
    const at = text.lastIndexOf(close);
    return at < 0 ? 0 : at + close.length;
  });
  const rest = text.slice(Math.max(...ends));
  return reasoningMarks.some(([open]) => rest.includes(open)) ? undefined : rest;
}
