/** A session's lanes as the server holds them, in the socket's thread or in another, and the answers they give. */

import { type ReplyError, toReplyError } from "../wire/protocol.js";
import type { LaneRequest } from "../wire/requests.js";
import type { LaneOptions, LaneState } from "./lane-options.js";
import type { PolicyProvider } from "./policy-provider.js";
import { SessionLanes } from "./session-lanes.js";

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

/** The lanes of one session. Requests are carried out in the order in which they come. */
export interface LaneHandle {
  /** Whether the lanes' thread has ended, and the lanes with it. */
  readonly isLost: boolean;
  execute(group: number, request: LaneRequest, body: Uint8Array | undefined, done: Done): void;
  /** Frees the buffer of a reply. It is not used again if someone may still be reading it. */
  release(group: number, buffer: number, isReusable: boolean): void;
  /** Copies the lanes within their thread. `done` gets the copy's description. */
  fork(done: Done): LaneHandle;
  close(): void;
}

/** Lanes in the socket's thread: every request is answered at once. */
export class InlineLanes implements LaneHandle {
  readonly isLost = false;
  readonly #lanes: SessionLanes;

  constructor(lanes: SessionLanes) {
    this.#lanes = lanes;
  }

  /** @throws MecgymError, BridgeError */
  static open(options: LaneOptions, policies: PolicyProvider | undefined, done: Done): InlineLanes {
    const lanes = new SessionLanes(options, policies, false);
    done(describeLanes(lanes));
    return new InlineLanes(lanes);
  }

  execute(group: number, request: LaneRequest, body: Uint8Array | undefined, done: Done): void {
    const lanes = this.#lanes;
    done(
      answerOf(
        () => lanes.execute(group, request, body),
        () => lanes.numBytes,
      ),
    );
  }

  release(group: number, buffer: number, isReusable: boolean): void {
    this.#lanes.release(group, buffer, isReusable);
  }

  fork(done: Done): LaneHandle {
    const copy = this.#lanes.fork();
    done(describeLanes(copy));
    return new InlineLanes(copy);
  }

  save(): LaneState {
    return this.#lanes.save();
  }

  close(): void {}
}

/** The answer to `open`. */
export function describeLanes(lanes: SessionLanes): Answer {
  return answerOf(
    () => ({ result: lanes.describe() }),
    () => lanes.numBytes,
  );
}
