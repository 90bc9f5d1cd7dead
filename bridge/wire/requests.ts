/** Reading requests: are they well formed, whose are they, and which place in a sequence do they have? */

import { findProblem } from "../../schemas/validate.js";
import { BridgeError, encodeHeader, majorOf, PROTOCOL_VERSION, type Reply, type Request } from "./protocol.js";

export type RequestOf<Op extends Request["op"]> = Extract<Request, { op: Op }>;
export type SequenceIds = Pick<RequestOf<"step">, "session" | "epoch" | "group" | "seq" | "ack">;

/** What the lanes of a session are asked for. */
export type LaneRequest =
  | RequestOf<"reset" | "step" | "lookahead" | "snapshot" | "restore" | "fork" | "policy">
  | (RequestOf<"prompt"> & SequenceIds);
export type SessionRequest = LaneRequest | RequestOf<"close">;
/** What needs computing and no session. */
export type QuestionRequest = RequestOf<"score" | "prompt">;
export type JobRequest = RequestOf<"dataset" | "evaluate" | "verify">;
export type StatelessRequest = Exclude<Request, SessionRequest> | QuestionRequest;

/** A session request as it came: either understood, or refused for something other than its place in the sequence. */
export interface SequencedMessage {
  readonly header: SequenceIds & Record<string, unknown>;
  readonly request: SessionRequest | undefined;
  readonly refusal: unknown;
  readonly body: Uint8Array | undefined;
}

/** Operations that every server has. */
export const basicOperations = ["hello", "ping", "stats", "scenarios", "open", "reset", "step", "close"] as const;

/**
 * @param operations those that this server has
 * @throws BridgeError `versionMismatch`, `unknownOperation`, `invalidRequest`
 */
export function checkRequest(header: Record<string, unknown>, operations: ReadonlySet<string>): Request {
  if (isPlainStep(header)) return header as unknown as Request;
  const { v, op } = header;
  if (typeof v === "string" && /^\d+\.\d+$/.test(v) && majorOf(v) !== majorOf(PROTOCOL_VERSION)) {
    throw new BridgeError("versionMismatch", {
      path: "/v",
      expected: `protocol version ${PROTOCOL_VERSION} or another of its major`,
      got: v,
    });
  }
  if (!operations.has(String(op))) {
    throw new BridgeError("unknownOperation", {
      path: "/op",
      expected: `one of ${[...operations].join(", ")}`,
      got: op,
    });
  }
  const problem = findProblem("request", header);
  if (problem !== undefined) throw new BridgeError("invalidRequest", problem);
  if (op === "prompt" && (header.session === undefined) === (header.requestId === undefined)) {
    const expected = "the ids of a session, or a requestId";
    throw new BridgeError("invalidRequest", { path: "", expected, got: Object.keys(header) });
  }
  return header as unknown as Request;
}

/** Names of a step's fields. */
const stepFields = 7;

/**
 * Whether a header is a step as clients send it: what the schema would say, without asking it. A header of which this
 * is not sure is none, and the schema decides.
 */
export function isPlainStep(header: Record<string, unknown>): boolean {
  const { v, op, session, epoch, group, seq, ack } = header;
  if (op !== "step" || v !== PROTOCOL_VERSION) return false;
  if (!isCount(epoch, 1) || !isCount(group, 0) || !isCount(seq, 1) || !isCount(ack, 0) || (group as number) > 65_535) {
    return false;
  }
  if (!isId(session)) return false;
  let count = 0;
  for (const name in header) {
    if (Object.hasOwn(header, name)) count++;
  }
  return count === stepFields;
}

function isCount(value: unknown, min: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

/** The ids of a request, for its reply: only those that have the right form. */
export function echo(header: Record<string, unknown> | Request): Pick<Reply, "v" | "op"> {
  const { op, requestId, session, epoch, group, seq } = header as Record<string, unknown>;
  const v = PROTOCOL_VERSION;
  const name = typeof op === "string" && op.length <= 64 ? op : null;
  const ids: Record<string, unknown> = { v, op: name };
  if (isId(session) && (seq !== undefined || !isId(requestId))) {
    ids.session = session;
    if (isCount(epoch, 0)) ids.epoch = epoch;
    if (isCount(group, 0)) ids.group = group;
    if (isCount(seq, 0)) ids.seq = seq;
  } else {
    ids.requestId = isId(requestId) ? requestId : null;
  }
  return ids as unknown as Pick<Reply, "v" | "op">;
}

/** Whether a header has its place in a sequence, whatever else is wrong with it: such a request uses up its number. */
export function hasSequence(header: Record<string, unknown>): header is SequenceIds & Record<string, unknown> {
  const { v, session, epoch, group, seq, ack } = header;
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

const idPattern = /^[0-9a-f]{32}$/;

export function isId(value: unknown): value is string {
  return typeof value === "string" && idPattern.test(value);
}

export function isSameRequest(entry: SequencedMessage, message: SequencedMessage): boolean {
  const withoutAck = (header: SequenceIds) => encodeHeader({ ...header, ack: 0 } as unknown as Request);
  if (!withoutAck(entry.header).equals(withoutAck(message.header))) return false;
  if (entry.body === undefined || message.body === undefined) return entry.body === message.body;
  return Buffer.compare(entry.body, message.body) === 0;
}
