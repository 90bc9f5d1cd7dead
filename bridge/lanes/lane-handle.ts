/** A session's lanes as the server holds them, in the socket's thread or in another. */

import type { LaneRequest } from "../wire/requests.js";
import { type Answer, answerOf, type Done } from "./answer.js";
import type { LaneOptions, LaneState } from "./lane-options.js";
import type { PolicyProvider } from "./policy-provider.js";
import { SessionLanes } from "./session-lanes.js";

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
