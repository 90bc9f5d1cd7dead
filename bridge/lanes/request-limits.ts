/** What requests to lanes may cost: evaluations of an action, memory and reply bytes, with the errors of each limit. */

import { maxServersOf } from "../../env/scenario/scenario.js";
import { BridgeError } from "../wire/protocol.js";
import type { LaneRequest } from "../wire/requests.js";
import type { LaneOptions } from "./lane-options.js";
import type { PolicyProvider } from "./policy-provider.js";

/** The limits that lanes keep. The server's table of limits describes each of them. */
export interface LaneLimits {
  readonly maxReplyBytes: number;
  readonly maxSessionBytes: number;
  readonly maxCompletionBytes: number;
  readonly maxRequestWork: number;
}

/** Rough cost of one lane's prompt and snapshot, in evaluations of an action. */
const EVALUATIONS_PER_PROMPT = 500;
const EVALUATIONS_PER_SNAPSHOT = 300;

/**
 * The work of a request to lanes, in evaluations of an action.
 *
 * @throws MecgymError `unknownPolicy`
 */
export function workOf(options: LaneOptions, request: LaneRequest, policies: PolicyProvider | undefined): number {
  const numLanes = options.numLanes / options.numGroups;
  switch (request.op) {
    case "lookahead": {
      const { scenarios, maxServers = Math.max(...scenarios.map(maxServersOf)) } = options.batch;
      const samples = request.numSamples ?? Math.max(...scenarios.map(({ lookAhead }) => lookAhead.numSamples));
      const isSequential = (request.mode ?? scenarios[0].lookAhead.mode) === "sequential";
      const perAction = samples * (isSequential ? maxServers + 1 : 1);
      return numLanes * (maxServers + 1) * perAction;
    }
    case "policy":
      return numLanes * request.steps * (policies?.work(request.policy) ?? 0);
    case "prompt":
      return numLanes * EVALUATIONS_PER_PROMPT;
    case "snapshot":
    case "restore":
      return numLanes * EVALUATIONS_PER_SNAPSHOT;
    case "fork":
      return request.layout === undefined ? options.numLanes : numLanes;
    default:
      return 0; // the size of a session bounds its steps and resets, and has limits of its own
  }
}

/** @throws BridgeError `workExceeded` */
export function checkWork(work: number, { maxRequestWork }: Pick<LaneLimits, "maxRequestWork">): void {
  if (work <= maxRequestWork) return;
  const expected = `at most ${maxRequestWork} evaluations of an action (maxRequestWork)`;
  throw new BridgeError("workExceeded", { path: "request", expected, got: work });
}

/** @throws BridgeError `replyTooLarge` */
export function checkReplyBytes(numBytes: number, { maxReplyBytes }: Pick<LaneLimits, "maxReplyBytes">): void {
  if (numBytes <= maxReplyBytes) return;
  const expected = `a reply of at most ${maxReplyBytes} bytes (maxReplyBytes)`;
  throw new BridgeError("replyTooLarge", { path: "body", expected, got: `${numBytes} bytes` });
}

/** @throws BridgeError `sessionMemory` */
export function checkSessionBytes(numBytes: number, { maxSessionBytes }: Pick<LaneLimits, "maxSessionBytes">): void {
  if (numBytes <= maxSessionBytes) return;
  const expected = `at most ${maxSessionBytes} bytes (maxSessionBytes); task lists have grown, and no lane was changed`;
  throw new BridgeError("sessionMemory", { path: "session", expected, got: `${numBytes} bytes` });
}
