/** Scenarios as the commands take them: an id, or a JSON file with the fields that differ from the defaults. */

import { ownSuite, type Suite, suites } from "../../../benchmarks/suites/suites.js";
import { MecgymError } from "../../../env/errors.js";
import { listScenarios, resolveScenario, type Scenario, type ScenarioInput } from "../../../env/index.js";
import { parseJson } from "../../../env/json.js";
import { suggestion } from "../../../schemas/nearest.js";
import { readText, reasonOf } from "./input.js";

/** What the options that take a scenario say about it. */
export const SCENARIO_HELP = "id of a scenario, or a .json file with the fields of your own";

/**
 * The scenario of an id or a file.
 *
 * @param option names it in errors
 * @throws MecgymError `unknownScenario`, `invalidScenario`; `invalidOption` for a file that cannot be read
 */
export function readScenario(given: string, option = "--scenario"): Scenario {
  if (!isFile(given)) return resolveScenario(given);
  const text = readText(given, option).replace(/^\uFEFF/, "");
  let fields: unknown;
  try {
    fields = parseJson(text);
  } catch (error) {
    const expected = `a JSON file with the fields of a scenario (${reasonOf(error)})`;
    throw new MecgymError("invalidScenario", { path: given, got: text.slice(0, 40), expected });
  }
  try {
    return resolveScenario(fields as ScenarioInput);
  } catch (error) {
    if (!(error instanceof MecgymError)) throw error;
    const { code, path, expected, got } = error;
    throw new MecgymError(code, { path: path.startsWith("/") ? given + path : given, expected, got });
  }
}

/** The scenarios of several ids or files. */
export function readScenarios(given: readonly string[], option = "--scenario"): Scenario[] {
  return given.map((one) => readScenario(one, option));
}

/**
 * What `mecgym run` plays: a suite by its id, or scenarios, in the place of a suite or as an option.
 *
 * @throws MecgymError `unknownSuite`, `invalidOption` for both or neither, and as `readScenario`
 */
export function suiteOrScenarios(name: string | undefined, scenarios: readonly string[] | undefined): Suite {
  if (scenarios !== undefined) {
    if (name === undefined) return ownSuite(readScenarios(scenarios));
    const expected = "no suite with --scenario, which plays your scenarios instead";
    throw new MecgymError("invalidOption", { path: "suite", got: name, expected });
  }
  const ids = suites.map(({ id }) => id);
  if (name === undefined) {
    const expected = `a suite (${ids.join(", ")}) or --scenario`;
    throw new MecgymError("invalidOption", { path: "suite", got: name, expected });
  }
  const suite = suites.find(({ id }) => id === name);
  if (suite !== undefined) return suite;
  const scenarioIds = listScenarios().map(({ id }) => id);
  if (isFile(name) || scenarioIds.includes(name)) return ownSuite([readScenario(name, "suite")]);
  const expected = `one of ${ids.join(", ")}, or ${SCENARIO_HELP}${suggestion(name, [...ids, ...scenarioIds])}`;
  throw new MecgymError("unknownSuite", { path: "suite", got: name, expected });
}

/** Whether a scenario is given as a file. */
export function isFile(given: string): boolean {
  return given.toLowerCase().endsWith(".json");
}
