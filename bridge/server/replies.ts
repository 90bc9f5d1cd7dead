/** The replies of the server, and the count of those that refuse. */

import type { Answer } from "../lanes/lane-handle.js";
import type { Outcome } from "../wire/array-layout.js";
import { encodeHeader, type Reply, type Request, toReplyError } from "../wire/protocol.js";
import { echo } from "../wire/requests.js";
import type { Message } from "./request-window.js";
import type { Counters } from "./stats.js";

export class Replies {
  readonly #counters: Counters;
  readonly #report: (error: unknown) => void;

  /** @param report told of errors that are the server's own fault; their replies say no more than that */
  constructor(counters: Counters, report: (error: unknown) => void) {
    this.#counters = counters;
    this.#report = report;
  }

  /** The reply to a request that threw. */
  error(ids: object, error: unknown): Message {
    return this.#refusal(ids, toReplyError(error), error);
  }

  answer(header: Record<string, unknown> | Request, answer: Answer): Message {
    if ("outcome" in answer) return successReply(header, answer.outcome);
    return this.#refusal(echo(header), answer.refusal, answer.cause);
  }

  #refusal(ids: object, error: ReturnType<typeof toReplyError>, cause: unknown): Message {
    this.#counters.countError(error.code);
    if (error.code === "internalError") this.#report(cause);
    return [encodeHeader({ ...ids, ok: false, error } as Reply)];
  }
}

export function successReply(request: Record<string, unknown> | Request, outcome: Outcome): Message {
  const reply = echo(request) as Record<string, unknown>;
  reply.ok = true;
  reply.result = outcome.result;
  const header = encodeHeader(reply as unknown as Reply);
  return outcome.body === undefined ? [header] : [header, outcome.body];
}
