/** Reading requests: are they well formed, whose are they, and which place in a sequence do they have? */

import { findProblem } from "../schemas/validate.js";
import { BridgeError, encodeHeader, majorOf, PROTOCOL_VERSION, type Reply, type Request } from "./protocol.js";

export type RequestOf<Op extends Request["op"]> = Extract<Request, { op: Op }>;
export type SessionRequest = RequestOf<"reset" | "step" | "lookahead" | "close">;

export type StatelessRequest = RequestOf<"hello" | "ping" | "scenarios" | "open">;

/** A session request as it came: either understood, or refused for something other than its place in the sequence. */
export interface SequencedMessage {
  readonly header: SequenceIds & Record<string, unknown>;
  readonly request: Request | undefined;
  readonly refusal: unknown;
  readonly body: Uint8Array | undefined;
}

export type SequenceIds = Pick<SessionRequest, "session" | "epoch" | "group" | "seq" | "ack">;

export function checkRequest(header: Record<string, unknown>): Request {
  const { v, op } = header;
  if (typeof v === "string" && /^\d+\.\d+$/.test(v) && majorOf(v) !== majorOf(PROTOCOL_VERSION)) {
    throw new BridgeError("versionMismatch", {
      path: "/v",
      expected: `protocol version ${PROTOCOL_VERSION} or another of its major`,
      got: v,
    });
  }
  if (!knownOperations.has(String(op))) {
    throw new BridgeError("unknownOperation", {
      path: "/op",
      expected: `one of ${[...knownOperations].join(", ")}`,
      got: op,
    });
  }
  const problem = findProblem("request", header);
  if (problem !== undefined) throw new BridgeError("invalidRequest", problem);
  return header as unknown as Request;
}

export const knownOperations = new Set(["hello", "ping", "scenarios", "open", "reset", "step", "lookahead", "close"]);

/** The ids of a request, for its reply: only those that have the right form. */
export function echo(header: Record<string, unknown> | Request): Pick<Reply, "v" | "op"> {
  const { op, requestId, session, epoch, group, seq } = header as Record<string, unknown>;
  const ids: Record<string, unknown> = {
    v: PROTOCOL_VERSION,
    op: typeof op === "string" && op.length <= 64 ? op : null,
  };
  if (isId(session)) {
    ids.session = session;
    for (const [name, value] of Object.entries({ epoch, group, seq })) {
      if (Number.isSafeInteger(value) && (value as number) >= 0) ids[name] = value;
    }
  } else {
    ids.requestId = isId(requestId) ? requestId : null;
  }
  return ids as unknown as Pick<Reply, "v" | "op">;
}

/** Whether a header has its place in a sequence, whatever else is wrong with it: such a request uses up its number. */
export function hasSequence(header: Record<string, unknown>): header is SequenceIds & Record<string, unknown> {
  const { v, session, epoch, group, seq, ack } = header;
  const isCount = (value: unknown, min: number) => Number.isSafeInteger(value) && (value as number) >= min;
  return (
    typeof v === "string" &&
    majorOf(v) === majorOf(PROTOCOL_VERSION) &&
    isId(session) &&
    isCount(epoch, 1) &&
    isCount(group, 0) &&
    isCount(seq, 1) &&
    isCount(ack, 0)
  );
}

export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

export function isSameRequest(entry: SequencedMessage, message: SequencedMessage): boolean {
  const withoutAck = (header: SequenceIds) => encodeHeader({ ...header, ack: 0 } as unknown as Request);
  if (!withoutAck(entry.header).equals(withoutAck(message.header))) return false;
  if (entry.body === undefined || message.body === undefined) return entry.body === message.body;
  return Buffer.compare(entry.body, message.body) === 0;
}
