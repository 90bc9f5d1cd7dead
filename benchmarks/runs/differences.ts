/** Where two pieces of plain data differ: every place, by its JSON path. */

/** A place where something else stands than was found. */
export interface Difference {
  readonly path: string;
  /** What was found, in words or as JSON. */
  readonly expected: string;
  /** What stands there; null for nothing. */
  readonly got: unknown;
}

/**
 * All differences, in the order of `expected`, then what `got` has beyond it. Numbers are the same where they have the same
 * bits, -0 and 0 apart, which JSON does not tell apart; undefined is the same as left out.
 *
 * @param path where both stand
 */
export function differences(expected: unknown, got: unknown, path = ""): Difference[] {
  if (isObject(expected) && isObject(got) && Array.isArray(expected) === Array.isArray(got)) {
    const names = new Set([...Object.keys(expected), ...Object.keys(got)]);
    return [...names].flatMap((name) => differences(expected[name], got[name], `${path}/${name}`));
  }
  if (expected === got) return [];
  const found = expected === undefined ? "nothing" : JSON.stringify(expected);
  return [{ path, expected: found, got: got ?? null }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
