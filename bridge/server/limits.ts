/** Server limits: each with its name in `hello`, its default, the range of its flag, and its error. */

import type { BridgeErrorCode } from "../wire/protocol.js";

interface LimitEntry {
  readonly default: number;
  /** Smallest and largest value of the flag. */
  readonly min: number;
  readonly max: number;
  /** What it limits, as the flag's help says it. */
  readonly what: string;
  readonly error: BridgeErrorCode;
}

const MIB = 1024 * 1024;

/** The limits that `mecgym serve` takes flags for; a flag is the name with dashes. */
export const limitTable = {
  maxBodyBytes: entry(64 * MIB, 4096, 1024 * MIB, "bytes of a request's body", "malformedMessage"),
  maxReplyBytes: entry(64 * MIB, 4096, 1024 * MIB, "bytes of a reply's body", "replyTooLarge"),
  maxSessions: entry(256, 1, 65_536, "sessions at once", "tooManySessions"),
  maxLanes: entry(131_072, 1, 16_777_216, "lanes of all sessions together", "tooManyLanes"),
  maxUserLaneSlots: entry(2 ** 30, 1, 2 ** 50, "users x lanes x slots of an episode, of a session", "sessionTooLarge"),
  maxSessionBytes: entry(1024 * MIB, 4096, 2 ** 50, "memory of a session's lanes, bytes", "sessionMemory"),
  maxQueuedBytes: entry(256 * MIB, 4096, 2 ** 50, "bytes of replies kept for a session", "sessionLost"),
  maxInFlight: entry(16, 1, 1024, "unacknowledged requests of a group", "windowExceeded"),
  leaseSeconds: entry(3600, 1, 31_536_000, "seconds a session is kept without a request", "sessionLost"),
  maxCompletionBytes: entry(MIB, 16, 64 * MIB, "bytes of one completion to score", "completionTooLong"),
  maxRequestWork: entry(2 ** 28, 1, 2 ** 50, "evaluations of an action in one request", "workExceeded"),
  maxJobs: entry(16, 1, 1024, "jobs that run or whose results are kept", "tooManyJobs"),
  maxJobBytes: entry(256 * MIB, 4096, 2 ** 31, "bytes of a job's result", "jobTooLarge"),
} as const satisfies Readonly<Record<string, LimitEntry>>;

export type LimitName = keyof typeof limitTable;
/** Values of all limits. With `leaseSeconds` 0, sessions are kept forever. */
export type Limits = Readonly<Record<LimitName, number>>;

export const limitNames = Object.keys(limitTable) as LimitName[];

export const defaultLimits: Limits = Object.fromEntries(
  limitNames.map((name) => [name, limitTable[name].default]),
) as Limits;

function entry(value: number, min: number, max: number, what: string, error: BridgeErrorCode): LimitEntry {
  return { default: value, min, max, what, error };
}
