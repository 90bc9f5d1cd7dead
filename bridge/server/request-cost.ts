/** How much a request asks of the lanes, in evaluations of an action: for a limit, and for where it is carried out. */

import { maxServersOf } from "../../env/scenario/scenario.js";
import type { PolicyBook } from "../lanes/policy-provider.js";
import type { LaneOptions } from "../lanes/session-lanes.js";
import type { LaneRequest } from "../wire/requests.js";

/** What a prompt and a snapshot of a lane take, about. */
const EVALUATIONS_PER_PROMPT = 500;
const EVALUATIONS_PER_SNAPSHOT = 300;

/** @throws MecgymError `unknownPolicy` */
export function workOf(options: LaneOptions, request: LaneRequest, policies: PolicyBook | undefined): number {
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
      return 0; // a step takes what the session's size allows, which has limits of its own
  }
}

/** Work that would keep the socket's thread from its other clients: some milliseconds. */
const HEAVY_EVALUATIONS = 65_536;

export function isHeavy(evaluations: number): boolean {
  return evaluations > HEAVY_EVALUATIONS;
}
