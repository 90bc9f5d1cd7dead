/** Checks `open` and `resume` requests against the server's limits, and turns them into options of lanes. */

import { MecgymError } from "../../env/errors.js";
import type { PromptOptions } from "../../env/language/prompt.js";
import { maxUsersOf, resolveScenario, type Scenario, type ScenarioInput } from "../../env/scenario/scenario.js";
import { type LaneOptions, promptOptionsOf } from "../lanes/lane-options.js";
import { BridgeError } from "../wire/protocol.js";
import { checkAbsent, type RequestOf } from "../wire/requests.js";
import type { Limits } from "./limits.js";

type OpenRequest = RequestOf<"open"> | RequestOf<"resume">;

/**
 * The lanes that a request asks for.
 *
 * @throws BridgeError `invalidRequest`, `sessionTooLarge`; MecgymError `unknownScenario`, `invalidScenario`
 */
export function laneOptionsOf(request: OpenRequest, limits: Limits): LaneOptions {
  const { numEnvs, groups = 1, laneScenario, maxServers } = request;
  const refuse = (path: string, expected: string, got: unknown) =>
    new BridgeError("invalidRequest", { path, expected, got });
  if (numEnvs % groups !== 0) throw refuse("/groups", `a divisor of numEnvs ${numEnvs}`, groups);
  if (laneScenario !== undefined && laneScenario.length !== numEnvs) {
    throw refuse("/laneScenario", `${numEnvs} indices, one for each lane`, laneScenario.length);
  }
  const scenarios = resolveScenarios(request);
  checkSize(scenarios, numEnvs, limits);
  const autoreset = request.autoreset ?? "next-step";
  const prompts = promptsOf(request);
  if (prompts !== undefined && autoreset === "same-step") {
    const expected = "numeric with same-step autoreset: a final observation would have no prompt";
    throw refuse("/observation", expected, request.observation);
  }
  return {
    batch: {
      scenarios,
      autoreset,
      invalidActions: "costliest",
      history: request.history ?? false,
      split: request.split ?? "train",
      seed: request.seed ?? 0,
      ...(maxServers === undefined ? {} : { maxServers }),
    },
    numLanes: numEnvs,
    numGroups: groups,
    laneScenario,
    prompts,
    limits: { maxReplyBytes: limits.maxReplyBytes, maxSessionBytes: limits.maxSessionBytes },
  };
}

function resolveScenarios({ scenarios }: OpenRequest): Scenario[] {
  return scenarios.map((scenario, i) => {
    try {
      return resolveScenario(scenario as string | ScenarioInput);
    } catch (error) {
      if (!(error instanceof MecgymError) || scenarios.length === 1) throw error;
      const path = `/scenarios/${i}${error.path.startsWith("/") ? error.path : ""}`;
      throw new MecgymError(error.code, { path, got: error.got, expected: error.expected });
    }
  });
}

function checkSize(scenarios: readonly Scenario[], numLanes: number, { maxUserLaneSlots }: Limits): void {
  const size = Math.max(...scenarios.map((one) => maxUsersOf(one) * one.episodeSlots)) * numLanes;
  if (size <= maxUserLaneSlots) return;
  const expected = `at most ${maxUserLaneSlots} users x lanes x slots (maxUserLaneSlots)`;
  throw new BridgeError("sessionTooLarge", { path: "/numEnvs", expected, got: size });
}

/** How a text session writes its prompts; undefined for a numeric session, which has no such options. */
function promptsOf(request: OpenRequest): PromptOptions | undefined {
  const options = promptOptionsOf(request);
  if (request.observation === "text") return options;
  checkAbsent({ ...options }, "with numeric observations");
  return undefined;
}

/**
 * The lease of a session, ms.
 *
 * @throws BridgeError `invalidRequest` if it is longer than the server allows
 */
export function leaseMsOf({ leaseSeconds }: OpenRequest, limits: Limits): number {
  const most = limits.leaseSeconds;
  if (leaseSeconds !== undefined && most > 0 && leaseSeconds > most) {
    const expected = `at most ${most} seconds (leaseSeconds)`;
    throw new BridgeError("invalidRequest", { path: "/leaseSeconds", expected, got: leaseSeconds });
  }
  const seconds = leaseSeconds ?? most;
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}
