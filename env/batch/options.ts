/** Options of a batch of episodes: what they may be, their defaults, and the sizes that follow from them. */

import { checkNames, MecgymError } from "../errors.js";
import { MAX_SEED } from "../random.js";
import { maxServersOf, maxUsersOf, resolveScenario, type Scenario, type ScenarioInput } from "../scenario/scenario.js";
import { checkSeed, type Split, splits } from "../scenario/seeds.js";

/** What a batch does with a lane whose episode has ended; Gymnasium's three modes. */
export type AutoresetMode = "next-step" | "same-step" | "disabled";

export interface BatchEnvOptions {
  /** Scenarios by id or by their fields. */
  readonly scenarios: readonly (string | ScenarioInput)[];
  readonly numLanes: number;
  /** Which scenario each lane plays; the first one where left out. */
  readonly laneScenario?: ArrayLike<number>;
  /** Servers an observation has room for; the most any scenario has where left out. */
  readonly maxServers?: number;
  /** Whether observations end with the workload history. */
  readonly history?: boolean;
  readonly autoreset?: AutoresetMode;
  /** What an action outside {0, …, E}, or an absent server, does: an error, or the costliest action with a flag. */
  readonly invalidActions?: "error" | "costliest";
  /** Where the seeds of resets without one come from. */
  readonly split?: Split;
  /** Seed of the function that picks them. */
  readonly seed?: number;
  /** Index of this batch's first lane among all lanes of a session; part of the same function. */
  readonly firstLane?: number;
}

/** The options with nothing left open. */
export interface BatchSettings {
  readonly scenarios: readonly Scenario[];
  readonly numLanes: number;
  /** Which scenario each lane plays. */
  readonly laneScenario: Int32Array;
  readonly maxServers: number;
  readonly maxUsers: number;
  /** W: slots of workload history that the lanes keep. */
  readonly historySlots: number;
  /** Whether observations show them. */
  readonly history: boolean;
  readonly autoreset: AutoresetMode;
  readonly invalidActions: "error" | "costliest";
  readonly split: Split;
  readonly seed: number;
  readonly firstLane: number;
}

const optionNames: readonly (keyof BatchEnvOptions)[] = [
  "scenarios",
  "numLanes",
  "laneScenario",
  "maxServers",
  "history",
  "autoreset",
  "invalidActions",
  "split",
  "seed",
  "firstLane",
];

/** @throws MecgymError `invalidOption`, `invalidSeed`, `unknownScenario`, `invalidScenario` */
export function resolveBatchOptions(options: BatchEnvOptions): BatchSettings {
  checkNames(options, optionNames, "options");
  const { numLanes, history = false, autoreset = "disabled", invalidActions = "error", split = "train" } = options;
  const { seed = 0, firstLane = 0 } = options;
  if (!Array.isArray(options.scenarios) || options.scenarios.length === 0) {
    throw new MecgymError("invalidOption", {
      path: "scenarios",
      got: options.scenarios,
      expected: "a list of scenarios",
    });
  }
  const scenarios = options.scenarios.map((scenario) => resolveScenario(scenario));
  if (typeof history !== "boolean") {
    throw new MecgymError("invalidOption", { path: "history", got: history, expected: "true or false" });
  }
  checkCount(firstLane, "firstLane", 0, MAX_SEED);
  checkCount(numLanes, "numLanes", 1, 1_048_576);
  const neededServers = Math.max(...scenarios.map(maxServersOf));
  const maxServers = options.maxServers ?? neededServers;
  checkCount(maxServers, "maxServers", neededServers, 512);
  checkChoice(split, "split", Object.keys(splits));
  checkChoice(autoreset, "autoreset", ["next-step", "same-step", "disabled"]);
  checkChoice(invalidActions, "invalidActions", ["error", "costliest"]);
  checkSeed(seed, "seed");
  return {
    scenarios,
    numLanes,
    laneScenario: resolveLaneScenario(options, scenarios.length),
    maxServers,
    maxUsers: Math.max(...scenarios.map(maxUsersOf)),
    historySlots: Math.max(...scenarios.map((scenario) => scenario.historySlots)),
    history,
    autoreset,
    invalidActions,
    split,
    seed,
    firstLane,
  };
}

function resolveLaneScenario({ laneScenario, numLanes }: BatchEnvOptions, numScenarios: number): Int32Array {
  const indices = new Int32Array(numLanes);
  if (laneScenario === undefined) return indices;
  checkPerLane(laneScenario, numLanes, "laneScenario");
  for (let lane = 0; lane < numLanes; lane++) {
    const index = laneScenario[lane];
    if (!Number.isInteger(index) || index < 0 || index >= numScenarios) {
      throw new MecgymError("invalidOption", {
        path: `laneScenario/${lane}`,
        got: index,
        expected: `an index into the ${numScenarios} scenarios`,
      });
    }
    indices[lane] = index;
  }
  return indices;
}

/** @throws MecgymError `invalidOption` unless there is one value for each lane */
export function checkPerLane(values: ArrayLike<number> | undefined | null, numLanes: number, path: string): void {
  if (values?.length === numLanes) return;
  throw new MecgymError("invalidOption", {
    path,
    got: values?.length === undefined ? values : `${values.length} values`,
    expected: `${numLanes}, one for each lane`,
  });
}

function checkChoice(value: string, path: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new MecgymError("invalidOption", { path, got: value, expected: `one of ${choices.join(", ")}` });
}

function checkCount(value: unknown, path: string, min: number, max: number): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return;
  throw new MecgymError("invalidOption", { path, got: value, expected: `an integer from ${min} to ${max}` });
}
