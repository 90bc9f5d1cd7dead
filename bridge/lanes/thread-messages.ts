/** What is said between the socket's thread (`lane-threads.ts`) and one that plays lanes (`lane-thread.ts`). */

import type { Limits } from "../wire/limits.js";
import type { LaneRequest, QuestionRequest } from "../wire/requests.js";
import type { Answer } from "./lane-handle.js";
import type { LaneOptions, LaneState } from "./session-lanes.js";

/** Memory of a reply that is done with. */
export interface Release {
  readonly group: number;
  readonly slot: number;
  readonly isReusable: boolean;
}

/** A request to a thread; each but `close` has its answer, in order. */
export type ThreadRequest =
  | { readonly kind: "open"; readonly key: number; readonly options: LaneOptions; readonly state?: LaneState }
  | { readonly kind: "fork"; readonly key: number; readonly newKey: number }
  | {
      readonly kind: "execute";
      readonly key: number;
      readonly group: number;
      readonly request: LaneRequest;
      readonly body?: Uint8Array;
      readonly releases: readonly Release[];
    }
  | {
      readonly kind: "question";
      readonly request: QuestionRequest;
      readonly body?: Uint8Array;
      readonly limits: Limits;
    }
  | { readonly kind: "close"; readonly key: number };

export interface ThreadAnswer {
  readonly answer: Answer;
}

/** What a thread is told at its start. */
export const LANE_THREAD = { role: "lanes" } as const;
