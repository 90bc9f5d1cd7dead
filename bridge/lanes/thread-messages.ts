/** Messages between the socket's thread (`thread-pool.ts`) and a thread of lanes (`thread-main.ts`). */

import type { LaneRequest, StatelessQuery } from "../wire/requests.js";
import type { Answer } from "./answer.js";
import type { LaneLimits, LaneOptions, LaneState } from "./lane-options.js";

/** A reply buffer that is free again. */
export interface Release {
  readonly group: number;
  readonly buffer: number;
  readonly isReusable: boolean;
}

/** A request to a thread. Each one except `close` is answered, in order. */
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
      readonly kind: "query";
      readonly request: StatelessQuery;
      readonly body?: Uint8Array;
      readonly limits: LaneLimits;
    }
  | { readonly kind: "close"; readonly key: number };

export interface ThreadAnswer {
  readonly answer: Answer;
}

/** The worker data that tells a thread to serve lanes. */
export const LANE_THREAD = { role: "lanes" } as const;
