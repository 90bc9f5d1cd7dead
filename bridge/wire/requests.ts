/** Requests: their types, whether a header is well formed, and whether it has a place in a session's sequence. */

import { findProblem } from "../../schemas/validate.js";
import { encodeHeader } from "./header.js";
import { BridgeError, PROTOCOL_VERSION, type Request } from "./protocol.js";

export type RequestOf<Op extends Request["op"]> = Extract<Request, { op: Op }>;
export type SequenceIds = Pick<RequestOf<"step">, "session" | "epoch" | "group" | "seq" | "ack">;

/** Requests to the lanes of a session. */
export type LaneRequest =
  | RequestOf<"reset" | "step" | "lookahead" | "snapshot" | "restore" | "fork" | "policy">
  | (RequestOf<"prompt"> & SequenceIds);
export type SessionRequest = LaneRequest | RequestOf<"close">;
/** Requests that compute something without a session. */
export type StatelessQuery = RequestOf<"score" | "prompt">;
/** Requests that start long work, and requests about it. */
export type JobRequest = RequestOf<"dataset" | "evaluate" | "verify">;
export type JobQuery = RequestOf<"job-status" | "job-result" | "cancel">;
export type StatelessRequest = Exclude<Request, SessionRequest> | StatelessQuery;

/** A session request as it arrived: understood, or refused for something other than its place in the sequence. */
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
      expected: `protocol version ${PROTOCOL_VERSION}, or another minor version of it`,
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
    const expected = "either the ids of a session or a requestId";
    throw new BridgeError("invalidRequest", { path: "", expected, got: Object.keys(header) });
  }
  return header as unknown as Request;
}

const NUM_STEP_FIELDS = 7;

/**
 * Whether a header is a step as clients send it: a fast path that accepts only what the schema accepts. If this
 * returns false, the schema decides.
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
  return count === NUM_STEP_FIELDS;
}

/** Whether a header has a place in a sequence, whatever else is wrong with it: such a request uses up its number. */
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

/** The major version: the number before the first dot. */
function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/** Whether a value is a whole number of at least `min`. */
export function isCount(value: unknown, min: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

const idPattern = /^[0-9a-f]{32}$/;

export function isId(value: unknown): value is string {
  return typeof value === "string" && idPattern.test(value);
}

/** Whether two messages ask for the same. `ack` may differ: it grows until a request is sent again. */
export function isSameRequest(one: SequencedMessage, other: SequencedMessage): boolean {
  const withoutAck = (header: SequenceIds) => encodeHeader({ ...header, ack: 0 } as unknown as Request);
  if (!withoutAck(one.header).equals(withoutAck(other.header))) return false;
  if (one.body === undefined || other.body === undefined) return one.body === other.body;
  return Buffer.compare(one.body, other.body) === 0;
}

/** The fields that have a value: functions with options take undefined for a value, and refuse it. */
export function definedFields<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/**
 * @param where the case in which the request has no such fields, as in "with numeric observations"
 * @throws BridgeError `invalidRequest` if one of the fields has a value
 */
export function checkAbsent(fields: Readonly<Record<string, unknown>>, where: string): void {
  for (const [name, got] of Object.entries(definedFields(fields))) {
    throw new BridgeError("invalidRequest", { path: `/${name}`, expected: `no such field ${where}`, got });
  }
}
