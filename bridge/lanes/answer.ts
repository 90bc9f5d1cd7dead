/** What becomes of a request: its outcome, or the reason it was refused. */

import { type ReplyError, toReplyError } from "../wire/protocol.js";

/** The outcome of a request that was carried out, for its reply. */
export interface Outcome {
  readonly result: Record<string, unknown>;
  readonly body?: Uint8Array;
  /** The group's reply buffer that the body lies in. It is free again once the reply is acknowledged. */
  readonly buffer?: number;
}

/** What became of a request: its outcome, or the reason it was refused. */
export type Answer =
  | { readonly outcome: Outcome; readonly numBytes: number }
  | { readonly refusal: ReplyError; readonly cause?: string };

export type Done = (answer: Answer) => void;

/** The answer to a request that `work` carries out. */
export function answerOf(work: () => Outcome, numBytes: () => number = () => 0): Answer {
  try {
    const outcome = work();
    return { outcome, numBytes: numBytes() };
  } catch (error) {
    const refusal = toReplyError(error);
    if (refusal.code !== "internalError") return { refusal };
    return { refusal, cause: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
