/**
 * The golden figures: computed here, they must give the recorded hashes. Python's tests check the bridge against them.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { computeFigures } from "../../golden/figures.js";

it("gives the recorded hashes, all of them different", { timeout: 300_000 }, async () => {
  const file = JSON.parse(readFileSync(new URL("../../golden/figures.json", import.meta.url), "utf8"));
  expect(await computeFigures()).toEqual(file);
  const hashes = Object.values(file as Record<string, { sha256: string }[]>)
    .flat()
    .map(({ sha256 }) => sha256);
  expect(new Set(hashes).size).toBe(hashes.length);
});
