/** Scenarios: their checks, defaults and hashes, and the frozen ones by name. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { Scenario as ScenarioFields } from "../../schemas/generated/types.js";
import { suggestion } from "../../schemas/nearest.js";
import { findProblem } from "../../schemas/validate.js";
import { isPlainObject } from "../checks.js";
import { MecgymError } from "../errors.js";
import { frozenScenarios } from "./generated/scenarios.js";
import { valueHint } from "./hints.js";

/** A scenario as a user writes it: every field is optional. */
export type ScenarioInput = ScenarioFields;

type Complete<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** A checked, frozen scenario with all defaults filled in. Field names hold the units; see the schema. */
export type Scenario = Complete<Omit<ScenarioFields, "uplink" | "lookAhead" | "churn">> & {
  readonly uplink: Complete<NonNullable<ScenarioFields["uplink"]>>;
  readonly lookAhead: Complete<NonNullable<ScenarioFields["lookAhead"]>>;
  /** Absent if servers never leave, so that scenarios from before churn existed keep their hashes. */
  readonly churn?: Complete<NonNullable<ScenarioFields["churn"]>>;
};

const resolved = new WeakSet<object>();

/**
 * Turns a scenario's id or its fields into a checked, complete scenario.
 *
 * @throws MecgymError `unknownScenario` or `invalidScenario`
 */
export function resolveScenario(input: string | ScenarioInput): Scenario {
  if (typeof input === "string") {
    const fields = frozenScenarios.find((scenario) => scenario.id === input);
    if (fields === undefined) {
      const ids = frozenScenarios.map((scenario) => String(scenario.id));
      throw new MecgymError("unknownScenario", {
        path: "scenario",
        got: input,
        expected: `one of ${ids.join(", ")}, or the fields of a scenario${suggestion(input, ids)}`,
      });
    }
    return completeScenario(fields);
  }
  if (!isPlainObject(input)) {
    throw new MecgymError("invalidScenario", {
      path: "scenario",
      got: input,
      expected: "a scenario's id or an object with its fields",
    });
  }
  return resolved.has(input) ? (input as Scenario) : completeScenario(input);
}

function completeScenario(fields: ScenarioInput): Scenario {
  let copy: ScenarioInput;
  try {
    copy = structuredClone(fields);
  } catch {
    throw new MecgymError("invalidScenario", { path: "scenario", got: fields, expected: "plain JSON data" });
  }
  const problem = findProblem("scenario", copy);
  if (problem !== undefined) {
    const { path, expected, got } = problem;
    throw new MecgymError("invalidScenario", { path, expected: expected + valueHint(path, got), got });
  }
  const scenario = copy as Scenario;
  checkRanges(scenario);
  deepFreeze(scenario);
  resolved.add(scenario);
  return scenario;
}

/** Checks what a JSON Schema cannot say: min ≤ max, and one capacity for each server. */
function checkRanges(scenario: Scenario): void {
  const { numServers, serverCpuGHz, taskSizeMbit, lookAhead } = scenario;
  const ranges: [string, unknown][] = [
    ["/numServers", numServers],
    ["/serverCpuGHz", serverCpuGHz],
    ["/taskSizeMbit", taskSizeMbit],
    ["/lookAhead/sizeFactor", lookAhead.sizeFactor],
  ];
  for (const [path, value] of ranges) {
    const range = value as { min?: number; max?: number };
    if (range.min !== undefined && range.max !== undefined && range.min > range.max) {
      throw new MecgymError("invalidScenario", { path, got: range, expected: "min ≤ max" });
    }
  }
  const most = maxServersOf(scenario);
  if (Array.isArray(serverCpuGHz) && serverCpuGHz.length !== most) {
    throw new MecgymError("invalidScenario", {
      path: "/serverCpuGHz",
      got: `${serverCpuGHz.length} capacities`,
      expected: `${most}, one for each server`,
    });
  }
}

/** The largest number of servers an episode of the scenario can have. */
export function maxServersOf(scenario: Scenario): number {
  const { numServers } = scenario;
  if (typeof numServers === "number") return numServers;
  return Array.isArray(numServers) ? Math.max(...numServers) : numServers.max;
}

/** The largest number of users an episode of the scenario can have. */
export function maxUsersOf(scenario: Scenario): number {
  const { users } = scenario;
  return "count" in users ? users.count : users.perServer * maxServersOf(scenario);
}

/**
 * The content hash of a scenario: 64 hexadecimal digits, the same in every language.
 *
 * SHA-256 of `mecgym-scenario-v1`, a newline, and the scenario's fields except `id` and `description`, with defaults
 * filled in, as canonical JSON (RFC 8785). Two scenarios with the same hash are the same world.
 *
 * @throws MecgymError `unknownScenario` or `invalidScenario`
 */
export function scenarioHash(scenario: string | ScenarioInput): string {
  return hashOfScenario(resolveScenario(scenario));
}

/** The same of a scenario that is resolved. */
export function hashOfScenario({ id: _id, description: _description, ...fields }: Scenario): string {
  return bytesToHex(sha256(utf8ToBytes(`mecgym-scenario-v1\n${canonicalize(fields)}`)));
}

/** The frozen scenarios with their defaults, in order of their ids. */
export function listScenarios(): Scenario[] {
  return frozenScenarios.map((fields) => completeScenario(fields));
}

function deepFreeze(value: object): void {
  Object.freeze(value);
  for (const child of Object.values(value)) {
    if (typeof child === "object" && child !== null) deepFreeze(child);
  }
}
