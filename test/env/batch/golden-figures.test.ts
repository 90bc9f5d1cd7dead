/** The golden figures: computed here, they must give the hashes on file, which Python's tests hold the bridge to. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { computeFigures } from "../../golden/figures.js";

it("gives the hashes on file, each of them another", { timeout: 120_000 }, async () => {
  const file = JSON.parse(readFileSync(new URL("../../golden/figures.json", import.meta.url), "utf8"));
  expect(await computeFigures()).toEqual(file);
  const hashes = Object.values(file as Record<string, { sha256: string }[]>)
    .flat()
    .map(({ sha256 }) => sha256);
  expect(new Set(hashes).size).toBe(hashes.length);
});
