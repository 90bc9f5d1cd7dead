/** Finds all places where two pieces of plain data differ, by JSON path. */

/** A place where a value is not the expected one. */
export interface Difference {
  readonly path: string;
  /** The expected value, in words or as JSON. */
  readonly expected: string;
  /** The value in the data; null if there is none. */
  readonly got: unknown;
}

/**
 * All differences in the order of `expected`, followed by the fields that only `got` has. Numbers are the same if they
 * have the same bits; −0 equals 0, which JSON does not distinguish. Undefined is the same as left out.
 *
 * @param path JSON path of both
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
