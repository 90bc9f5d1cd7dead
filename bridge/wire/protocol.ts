/** The version of the protocol, its error codes, and errors as replies carry them. */

import { describeValue, MecgymError } from "../../env/errors.js";
import type { Reply, ReplyError, Request } from "../../schemas/generated/types.js";
import { redact } from "./secret-ids.js";

export type { Reply, ReplyError, Request };

export const PROTOCOL_VERSION = "1.2";

/** Codes of errors that the bridge itself raises. The simulator's own codes pass through unchanged. */
export type BridgeErrorCode =
  | "malformedMessage"
  | "versionMismatch"
  | "unknownOperation"
  | "invalidRequest"
  | "invalidBody"
  | "unknownSession"
  | "sessionLost"
  | "staleEpoch"
  | "staleSequence"
  | "sequenceConflict"
  | "windowExceeded"
  | "tooManySessions"
  | "tooManyLanes"
  | "sessionTooLarge"
  | "sessionMemory"
  | "replyTooLarge"
  | "completionTooLong"
  | "workExceeded"
  | "unknownJob"
  | "tooManyJobs"
  | "jobNotDone"
  | "jobTooLarge"
  | "internalError";

/** A request the server refuses. */
export class BridgeError extends MecgymError<BridgeErrorCode> {}

/**
 * An error as a reply carries it. An error that is not a MecgymError is a fault of the server, and its details stay
 * there.
 */
export function toReplyError(error: unknown): ReplyError {
  if (error instanceof MecgymError) {
    // a text may end in a log, and what came may hold the id of a session
    return {
      code: error.code,
      path: redact(error.path),
      message: redact(error.message),
      expected: redact(error.expected),
      got: redact(describeValue(error.got)),
    };
  }
  return { code: "internalError", path: "", message: "the server failed on this request", expected: "", got: "" };
}
