/** What is said between `worker-pool.ts` and its threads. */

import type { Job } from "./jobs.js";

/** A job on its way to a thread, which has one at a time. */
export interface JobMessage {
  readonly job: Job;
}

/** What became of it. */
export type AnswerMessage =
  | { readonly result: unknown }
  | { readonly refusal: { code: string; path: string; got: unknown; expected: string } }
  | { readonly failure: string };

/** The memory behind the typed arrays in plain data: it can be moved to another thread instead of copied. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null) for (const one of Object.values(value)) buffersOf(one, found);
  return [...found];
}
