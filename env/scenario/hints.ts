/** What a wrong value of a scenario's field was probably meant to be, for error messages. */

import { describeValue } from "../errors.js";

/**
 * A hint to append to what was expected at `path`; empty if there is nothing to suggest. `engine/nearest.py` is the
 * same rule.
 */
export function valueHint(path: string, got: unknown): string {
  if (path === "/hash") return " (leave hash out: it follows from the other fields)";
  if (path === "/id" && typeof got === "string") {
    const id = got
      .toLowerCase()
      .replace(/[^a-z0-9.-]+/g, "-")
      .replace(/^[^a-z0-9]+/, "")
      .slice(0, 64);
    return id === "" || id === got ? "" : ` (did you mean ${JSON.stringify(id)}?)`;
  }
  if (typeof got !== "number") return "";
  const number = describeValue(got);
  switch (path) {
    case "/users":
      return ` (did you mean {"count":${number}}?)`;
    case "/serverCpuGHz":
    case "/taskSizeMbit":
    case "/lookAhead/sizeFactor":
      return ` (did you mean {"min":${number},"max":${number}}?)`;
    case "/arrivals":
      return ` (did you mean {"process":"bernoulli","probability":${number}}?)`;
    default:
      return "";
  }
}
