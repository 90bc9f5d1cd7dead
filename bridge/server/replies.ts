/** Replies: how they are written, and a count of those that refuse. */

import type { Answer, Outcome } from "../lanes/answer.js";
import { encodeHeader } from "../wire/header.js";
import { PROTOCOL_VERSION, type Reply, type ReplyError, type Request, toReplyError } from "../wire/protocol.js";
import { isCount, isId } from "../wire/requests.js";
import type { Counters } from "./stats.js";

/** Parts of a message after the identity frame: a header, and a body if there is one. */
export type Message = readonly Uint8Array[];
/** Sends a reply to the client that asked. */
export type Send = (reply: Message) => void;

const MAX_ECHOED_NAME = 64;

export class Replies {
  readonly #counters: Counters;
  readonly #report: (error: unknown) => void;

  /** @param report called with errors that are the server's own fault; their replies give no details */
  constructor(counters: Counters, report: (error: unknown) => void) {
    this.#counters = counters;
    this.#report = report;
  }

  /** The reply to a request that threw. */
  error(header: Record<string, unknown>, error: unknown): Message {
    return this.#refusal(replyIds(header), toReplyError(error), error);
  }

  /** The reply to a message whose header cannot be read. */
  unreadable(error: unknown): Message {
    return this.#refusal({ v: PROTOCOL_VERSION, op: null, requestId: null }, toReplyError(error), error);
  }

  answer(header: Record<string, unknown> | Request, answer: Answer): Message {
    if ("outcome" in answer) return successReply(header, answer.outcome);
    return this.#refusal(replyIds(header), answer.refusal, answer.cause);
  }

  #refusal(ids: object, error: ReplyError, cause: unknown): Message {
    this.#counters.countError(error.code);
    if (error.code === "internalError") this.#report(cause);
    return [encodeHeader({ ...ids, ok: false, error } as Reply)];
  }
}

export function successReply(header: Record<string, unknown> | Request, { result, body }: Outcome): Message {
  const reply = replyIds(header);
  reply.ok = true;
  reply.result = result;
  const head = encodeHeader(reply as unknown as Reply);
  return body === undefined ? [head] : [head, body];
}

/** Repeats the ids of a request in its reply, except those that have a wrong form. */
function replyIds(header: Record<string, unknown> | Request): Record<string, unknown> {
  const { op, requestId, session, epoch, group, seq } = header as Record<string, unknown>;
  const v = PROTOCOL_VERSION;
  const ids: Record<string, unknown> = { v, op: typeof op === "string" && op.length <= MAX_ECHOED_NAME ? op : null };
  if (isId(session) && (seq !== undefined || !isId(requestId))) {
    ids.session = session;
    if (isCount(epoch, 0)) ids.epoch = epoch;
    if (isCount(group, 0)) ids.group = group;
    if (isCount(seq, 0)) ids.seq = seq;
  } else {
    ids.requestId = isId(requestId) ? requestId : null;
  }
  return ids;
}

/** Bytes of all parts of a message. */
export function messageBytes(message: Message): number {
  return message.reduce((sum, { length }) => sum + length, 0);
}
