/** JSON from outside: its depth is bounded, and nothing in strings counts. */

import { describe, expect, it } from "vitest";
import { MAX_JSON_DEPTH, parseJson } from "../../env/json.js";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("parseJson", () => {
  it("takes the deepest text that is allowed, and refuses one level more", () => {
    expect(JSON.stringify(parseJson(nested(MAX_JSON_DEPTH)))).toBe(nested(MAX_JSON_DEPTH));
    expect(() => parseJson(nested(MAX_JSON_DEPTH + 1))).toThrow(/more than 64 levels of lists and objects/);
    expect(() => parseJson(nested(1_000_000))).toThrow(SyntaxError);
    expect(() => parseJson(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`)).toThrow(/64 levels/);
  });

  it("counts levels, not brackets", () => {
    const wide = `[${Array(1000).fill("[[]]").join(",")}]`;
    expect(parseJson(wide)).toEqual(JSON.parse(wide));
  });

  it.each(["[[[[".repeat(50), `a"${"[".repeat(100)}`, `\\${"{".repeat(100)}`, `"\\\\"${"[".repeat(100)}"`])(
    "does not count brackets in strings: %j",
    (text) => {
      const json = JSON.stringify([text, { [text]: text }]);
      expect(parseJson(json)).toEqual([text, { [text]: text }]);
    },
  );

  it("refuses what JSON.parse refuses", () => {
    for (const text of ["", '"open', '"\\', "[1", "]", "{}}", "nothing"])
      expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
