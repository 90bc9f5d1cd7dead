/** The replies of the server, and the count of those that refuse. */

import type { Outcome } from "./bodies.js";
import type { Counters } from "./counters.js";
import type { Answer } from "./lane-host.js";
import { encodeHeader, type Reply, type Request, toReplyError } from "./protocol.js";
import { echo } from "./requests.js";
import type { Message } from "./sequence.js";

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
