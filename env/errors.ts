/** The simulator's error type: a code to branch on, the place, what came and what was expected. */

export type ErrorCode =
  | "unknownScenario"
  | "invalidScenario"
  | "unknownPolicy"
  | "unknownSuite"
  | "invalidAction"
  | "invalidSeed"
  | "invalidOption"
  | "needsReset"
  | "invalidSnapshot"
  | "unsupportedState"
  | "invalidRecord"
  | "mixedProfiles";

export interface MecgymErrorDetails {
  /** Where: a JSON path such as `/numServers`, or the name of the argument. */
  readonly path: string;
  /** What came. */
  readonly got: unknown;
  /** What was expected, in words. */
  readonly expected: string;
}

/** Bad input to the simulator. It has changed no state. */
export class MecgymError<Code extends string = ErrorCode> extends Error {
  readonly code: Code;
  readonly path: string;
  readonly got: unknown;
  readonly expected: string;

  constructor(code: Code, details: MecgymErrorDetails) {
    super(`${code} at ${details.path}: expected ${details.expected}, got ${describeValue(details.got)}`);
    this.name = "MecgymError";
    this.code = code;
    this.path = details.path;
    this.got = details.got;
    this.expected = details.expected;
  }
}

/** A value as short text for an error message; NaN and −0 stay visible. */
export function describeValue(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === undefined) return "nothing";
  if (typeof value === "function") return "a function";
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = String(value);
  }
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
