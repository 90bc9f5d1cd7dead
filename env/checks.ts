/** Checks of arguments: each throws the error that says where, what came and what was expected. */

import { MecgymError } from "./errors.js";

/** Whether a value is an object of fields: not an array, a date, a map or an instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // objects of another realm (a test's sandbox, a worker) have their own Object.prototype
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether a value is an integer in [min, max]. */
export function isIntegerIn(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && isNumberIn(value, min, max);
}

/** Whether a value is a number in [min, max]. */
export function isNumberIn(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

/** @throws MecgymError `invalidOption` unless `isValid` */
export function checkOption(isValid: boolean, path: string, got: unknown, expected: string): asserts isValid {
  if (!isValid) throw new MecgymError("invalidOption", { path, got, expected });
}

/**
 * @throws MecgymError `invalidOption` unless `options` is a plain object with no other names: a typo is not a default
 */
export function checkNames(options: unknown, names: readonly string[], path: string): void {
  const expected = `an object with some of ${names.join(", ")}`;
  if (!isPlainObject(options)) throw new MecgymError("invalidOption", { path, got: options, expected });
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) checkOption(false, `${path}/${name}`, name, expected);
  }
}

/** @throws MecgymError `invalidOption` unless `value` is an integer in [min, max] */
export function checkInteger(value: unknown, path: string, min: number, max: number): void {
  if (!isIntegerIn(value, min, max)) checkOption(false, path, value, `an integer from ${min} to ${max}`);
}

/** @throws MecgymError `invalidOption` unless `value` is a number in [min, max] */
export function checkNumber(value: unknown, path: string, min: number, max: number): void {
  if (!isNumberIn(value, min, max)) checkOption(false, path, value, `a number from ${min} to ${max}`);
}

/** @throws MecgymError `invalidOption` unless `value` is one of `choices` */
export function checkChoice(value: unknown, path: string, choices: readonly string[]): void {
  if (!choices.includes(value as string)) checkOption(false, path, value, `one of ${choices.join(", ")}`);
}

/** @throws MecgymError `invalidOption` unless `value` is a boolean */
export function checkFlag(value: unknown, path: string): void {
  checkOption(typeof value === "boolean", path, value, "true or false");
}

/** @throws MecgymError `invalidOption` unless there is one value for each lane */
export function checkPerLane(values: ArrayLike<number> | undefined | null, numLanes: number, path: string): void {
  if (values?.length === numLanes) return;
  const got = values?.length === undefined ? values : `${values.length} values`;
  checkOption(false, path, got, `${numLanes}, one for each lane`);
}

/** The actions a lane could take, in words, for errors. */
export function describeActionRange(numServers: number): string {
  return `an integer from 0 (local) to ${numServers} (server ${numServers})`;
}

/** @throws MecgymError `invalidAction` unless `action` is an integer of 0 or more */
export function checkActionNumber(action: number): void {
  if (Number.isSafeInteger(action) && action >= 0) return;
  throw new MecgymError("invalidAction", { path: "action", got: action, expected: "an integer of 0 or more" });
}
