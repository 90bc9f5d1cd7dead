/** Where the lanes of sessions are, as the socket's thread sees it: here, or in another thread. */

import type { ReplyError } from "../../schemas/generated/types.js";
import type { Outcome } from "../wire/array-layout.js";
import type { Limits } from "../wire/limits.js";
import { toReplyError } from "../wire/protocol.js";
import type { LaneRequest, QuestionRequest } from "../wire/requests.js";
import type { PolicyBook } from "./policy-provider.js";
import { type LaneOptions, type LaneState, SessionLanes } from "./session-lanes.js";
import { promptsOfStates, scoreOutcome } from "./stateless.js";

/** What became of a request: its outcome, or why it was refused. */
export type Answer =
  | { readonly outcome: Outcome; readonly numBytes: number }
  | { readonly refusal: ReplyError; readonly cause?: string };

export type Done = (answer: Answer) => void;

/** The lanes of one session. Requests are carried out in the order they come. */
export interface LaneSeat {
  /** Whether they are in the socket's thread. */
  readonly isInline: boolean;
  /** Whether their thread has ended, and they with it. */
  readonly isLost: boolean;
  execute(group: number, request: LaneRequest, body: Uint8Array | undefined, done: Done): void;
  /** A reply's memory is free again, unless someone may still be reading it. */
  release(group: number, slot: number, isReusable: boolean): void;
  /** The lanes' copy, beside them; `done` gets its description. */
  fork(done: Done): LaneSeat;
  close(): void;
}

/** Takes sessions in. */
export interface LaneHost {
  /** Opens lanes, from a state where they have been played before; `done` gets their description. */
  open(options: LaneOptions, state: LaneState | undefined, done: Done): LaneSeat;
  /** Answers a question that needs no session. */
  ask(request: QuestionRequest, body: Uint8Array | undefined, done: Done): void;
}

/** Answers a question that needs no session, in the thread it is called in. */
export function answerQuestion(
  request: QuestionRequest,
  body: Uint8Array | undefined,
  limits: Pick<Limits, "maxCompletionBytes" | "maxRequestWork" | "maxReplyBytes">,
): Answer {
  return answerOf(() =>
    request.op === "score" ? scoreOutcome(request, body, limits) : promptsOfStates(request, body, limits),
  );
}

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

/** Lanes in the socket's thread: everything is answered at once. */
export class InlineLanes implements LaneSeat {
  readonly isInline = true;
  readonly isLost = false;
  readonly #lanes: SessionLanes;

  constructor(lanes: SessionLanes) {
    this.#lanes = lanes;
  }

  /** @throws MecgymError, BridgeError */
  static open(options: LaneOptions, policies: PolicyBook | undefined): { seat: InlineLanes; answer: Answer } {
    const lanes = new SessionLanes(options, policies, false);
    return { seat: new InlineLanes(lanes), answer: describe(lanes) };
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

  release(group: number, slot: number, isReusable: boolean): void {
    this.#lanes.release(group, slot, isReusable);
  }

  fork(done: Done): LaneSeat {
    const copy = this.#lanes.fork();
    done(describe(copy));
    return new InlineLanes(copy);
  }

  save(): LaneState {
    return this.#lanes.save();
  }

  close(): void {}
}

/** The answer that `open` gives. */
export function describe(lanes: SessionLanes): Answer {
  return answerOf(
    () => ({ result: lanes.describe() }),
    () => lanes.numBytes,
  );
}
