/** What can go wrong between a question and its answer: what may pass, how long to wait, and what ends a run. */

import { APIConnectionError, APIError } from "openai";

/** A model that cannot be asked. The answers so far are kept. */
export class ModelFailed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "ModelFailed";
  }
}

/** A reply that cannot be used. */
export class BadReply extends Error {}

/** An attempt that had no answer. */
export interface Fault {
  readonly reason: string;
  /** Whether the same question may be answered later. */
  readonly mayPass: boolean;
  /** The wait that the endpoint asks for, ms; 0 if it asks for none. */
  readonly retryAfterMs: number;
}

/** Refusals that may pass: the endpoint is busy, restarts, or gave up waiting. */
const PASSING = [408, 409, 425, 429];
/** Refusals with these codes do not pass, whatever their status. */
const LASTING = ["insufficient_quota", "billing_hard_limit_reached"];

/** What an error of an attempt means. */
export function faultOf(error: unknown, nowMs: number): Fault {
  if (error instanceof BadReply) return { reason: error.message, mayPass: true, retryAfterMs: 0 };
  if (error instanceof APIConnectionError) {
    return { reason: `no connection (${rootOf(error)})`, mayPass: true, retryAfterMs: 0 };
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    return { reason: `the reply ended too early (${rootOf(error)})`, mayPass: true, retryAfterMs: 0 };
  }
  const { status, code, headers } = error;
  const isPassing = (PASSING.includes(status) || status >= 500) && !LASTING.includes(code ?? "");
  const retryAfterMs = isPassing ? readRetryAfter(headers, nowMs) : 0;
  return { reason: `status ${error.message}`, mayPass: isPassing, retryAfterMs };
}

/** The wait of a Retry-After header, which is a number of seconds or a date, ms; 0 for none. */
export function readRetryAfter(headers: Headers | undefined, nowMs: number): number {
  const inMs = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (inMs >= 0) return inMs;
  const text = headers?.get("retry-after")?.trim() ?? "";
  if (text === "") return 0;
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return Math.max(0, 1000 * seconds);
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

/**
 * Wait before attempt `attempt` + 1, ms: it doubles, and questions that failed together do not return together.
 *
 * @param question SHA-256 of the question
 */
export function backOffMs(firstMs: number, attempt: number, question: string): number {
  const spread = Number.parseInt(question.slice(0, 4), 16) / 0x10000;
  return Math.min(30_000, firstMs * 2 ** attempt) * (0.75 + 0.5 * spread);
}

/** The message of the error that caused all the others. */
function rootOf(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root instanceof Error ? root.message || root.name : String(root);
}
