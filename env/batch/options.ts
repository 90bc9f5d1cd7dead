/** The options of a batch of episodes: their checks, their defaults, and the sizes that follow from them. */

import { checkChoice, checkFlag, checkInteger, checkNames, checkOption, checkPerLane, isIntegerIn } from "../checks.js";
import { MAX_SEED } from "../random.js";
import { maxServersOf, maxUsersOf, resolveScenario, type Scenario, type ScenarioInput } from "../scenario/scenario.js";
import { checkSeed, type Split, splits } from "../scenario/seeds.js";

/** What a batch does with a lane whose episode has ended: Gymnasium's three modes. */
export type AutoresetMode = "next-step" | "same-step" | "disabled";

export interface BatchEnvOptions {
  /** Scenarios, by id or by their fields. */
  readonly scenarios: readonly (string | ScenarioInput)[];
  readonly numLanes: number;
  /** Which scenario each lane plays; the first one by default. */
  readonly laneScenario?: ArrayLike<number>;
  /** Servers an observation has room for; by default the most that any scenario has. */
  readonly maxServers?: number;
  /** Whether observations end with the workload history. */
  readonly history?: boolean;
  readonly autoreset?: AutoresetMode;
  /** What an action outside {0, …, E} or an absent server causes: an error, or the costliest action with a flag. */
  readonly invalidActions?: "error" | "costliest";
  /** The split that resets without a seed draw from. */
  readonly split?: Split;
  /** Seed of the function that picks their episodes. */
  readonly seed?: number;
  /** Index of this batch's first lane among all lanes of a session; an argument of the same function. */
  readonly firstLane?: number;
}

/** The options with their defaults. */
export interface BatchSettings {
  readonly scenarios: readonly Scenario[];
  readonly numLanes: number;
  /** Which scenario each lane plays. */
  readonly laneScenario: Int32Array;
  readonly maxServers: number;
  readonly maxUsers: number;
  /** W: slots of workload history in the lanes. */
  readonly historySlots: number;
  /** Whether observations show the history. */
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
  const hasScenarios = Array.isArray(options.scenarios) && options.scenarios.length > 0;
  checkOption(hasScenarios, "scenarios", options.scenarios, "a list of scenarios");
  const scenarios = options.scenarios.map((scenario) => resolveScenario(scenario));
  checkFlag(history, "history");
  checkInteger(firstLane, "firstLane", 0, MAX_SEED);
  checkInteger(numLanes, "numLanes", 1, 1_048_576);
  const neededServers = Math.max(...scenarios.map(maxServersOf));
  const maxServers = options.maxServers ?? neededServers;
  checkInteger(maxServers, "maxServers", neededServers, 512);
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
    if (!isIntegerIn(index, 0, numScenarios - 1)) {
      checkOption(false, `laneScenario/${lane}`, index, `an index into the ${numScenarios} scenarios`);
    }
    indices[lane] = index;
  }
  return indices;
}
