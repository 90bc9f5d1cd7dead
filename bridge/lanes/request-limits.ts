/** What requests to lanes may cost: evaluations of an action, memory and reply bytes, with the errors of each limit. */

import { maxServersOf } from "../../env/scenario/scenario.js";
import { BridgeError } from "../wire/protocol.js";
import type { LaneRequest, StatelessQuery } from "../wire/requests.js";
import type { LaneLimits, LaneOptions } from "./lane-options.js";
import type { PolicyProvider } from "./policy-provider.js";

/** More work than this would block the socket for some milliseconds, in evaluations of an action. */
export const MAX_INLINE_WORK = 65_536;
/** A session whose snapshots are more work than this could not leave the socket's thread without blocking it. */
const MAX_MOVED_WORK = 4 * MAX_INLINE_WORK;

/** The largest number of servers and of slots of history that lanes have room for. */
interface LaneSizes {
  readonly servers: number;
  readonly historySlots: number;
}

function sizesOf({ scenarios, maxServers }: LaneOptions["batch"]): LaneSizes {
  return {
    servers: maxServers ?? Math.max(...scenarios.map(maxServersOf)),
    historySlots: Math.max(...scenarios.map(({ historySlots }) => historySlots)),
  };
}

/** Rough cost of one prompt: of its sentences, and of each number in it. */
export function promptWork({ servers, historySlots }: LaneSizes): number {
  return 500 + servers * (20 + 2 * historySlots);
}

function snapshotWork({ servers, historySlots }: LaneSizes): number {
  return 300 + servers * (8 + historySlots / 2);
}

/** Rough cost of copying a lane to another within a thread. */
function copyWork({ servers, historySlots }: LaneSizes): number {
  return 1 + (servers * (8 + historySlots)) / 64;
}

/** Whether the ordinary requests of a session, its steps, are small enough for the socket's thread. */
export function isInlineSession({ batch, numLanes, numGroups, prompts }: LaneOptions): boolean {
  const sizes = sizesOf(batch);
  const written = batch.history ? sizes.historySlots / 4 : 0;
  const step = (sizes.servers + 1) * (1 + written) + (prompts === undefined ? 0 : promptWork(sizes));
  return (numLanes / numGroups) * step <= MAX_INLINE_WORK && numLanes * snapshotWork(sizes) <= MAX_MOVED_WORK;
}

/** Whether a query outside sessions is small enough for the socket's thread, whatever its body holds. */
export function isInlineQuery(request: StatelessQuery, numBytes: number): boolean {
  if (numBytes > MAX_INLINE_QUERY_BYTES) return false;
  // sequential futures take the square of the servers, and a scenario in the request may ask for them
  return typeof request.scenario === "string" && (request.op !== "score" || request.mode !== "sequential");
}

const MAX_INLINE_QUERY_BYTES = 16_384;

/**
 * The work of a request to lanes, in evaluations of an action.
 *
 * @throws MecgymError `unknownPolicy`
 */
export function workOf(options: LaneOptions, request: LaneRequest, policies: PolicyProvider | undefined): number {
  const numLanes = options.numLanes / options.numGroups;
  // the size of a session bounds its steps and resets, and has limits of its own
  if ((request.op === "step" || request.op === "reset") && options.prompts === undefined) return 0;
  const sizes = sizesOf(options.batch);
  const prompts = options.prompts === undefined ? 0 : numLanes * promptWork(sizes);
  switch (request.op) {
    case "lookahead": {
      const { scenarios } = options.batch;
      const maxServers = sizes.servers;
      const samples = request.numSamples ?? Math.max(...scenarios.map(({ lookAhead }) => lookAhead.numSamples));
      const isSequential = (request.mode ?? scenarios[0].lookAhead.mode) === "sequential";
      const perAction = samples * (isSequential ? maxServers + 1 : 1);
      return numLanes * (maxServers + 1) * perAction;
    }
    case "policy":
      return numLanes * request.steps * (policies?.work(request.policy, options.batch.scenarios) ?? 0) + prompts;
    case "prompt":
      return numLanes * promptWork(sizes);
    case "snapshot":
      return numLanes * snapshotWork(sizes);
    case "restore":
      return numLanes * snapshotWork(sizes) + prompts;
    case "fork":
      if (request.layout === undefined) return options.numLanes * copyWork(sizes);
      return numLanes * copyWork(sizes) + prompts;
    default:
      return prompts;
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
