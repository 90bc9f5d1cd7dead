/** From an `open` or `resume` request to the lanes it asks for, within the server's limits. */

import { MecgymError } from "../../env/errors.js";
import type { PromptOptions } from "../../env/language/prompt.js";
import {
  listScenarios,
  maxUsersOf,
  resolveScenario,
  type Scenario,
  type ScenarioInput,
  scenarioHash,
} from "../../env/scenario/scenario.js";
import type { LaneOptions } from "../lanes/session-lanes.js";
import type { Limits } from "../wire/limits.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";

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

/** How a text session words its prompts; undefined for a numeric one, which takes no options of prompts. */
function promptsOf(request: OpenRequest): PromptOptions | undefined {
  const { observation = "numeric", template, perturbation, instruction, system } = request;
  const options = Object.fromEntries(
    Object.entries({ template, perturbation, instruction, system }).filter(([, value]) => value !== undefined),
  );
  if (observation === "text") return options;
  for (const [name, got] of Object.entries(options)) {
    throw new BridgeError("invalidRequest", { path: `/${name}`, expected: "nothing, with numeric observations", got });
  }
  return undefined;
}

/** What `scenarios` lists. */
export function describeScenarios(scenario: unknown): Record<string, unknown>[] {
  const list = scenario === undefined ? listScenarios() : [resolveScenario(scenario as string | ScenarioInput)];
  return list.map((one) => ({ id: one.id, description: one.description, hash: scenarioHash(one), scenario: one }));
}
