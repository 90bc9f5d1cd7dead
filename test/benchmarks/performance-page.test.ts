/** The figures of docs/performance.md are those of the kept run. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type SpeedFigure, valueText } from "../../benchmarks/speed/figures.js";
import { root } from "../bridge/processes.js";

it("every figure on the page is in the kept result, and every goal in the result is on the page", () => {
  const page = readFileSync(join(root, "docs/performance.md"), "utf8");
  const { figures } = JSON.parse(readFileSync(join(root, "benchmarks/results/speed.json"), "utf8")) as {
    figures: SpeedFigure[];
  };
  const rows = [...page.matchAll(/^\| `([^`]+)` \| ([\d.,]+) \| ([\d.,]+) to ([\d.,]+) \| (.*?) \|/gm)];
  expect(rows.length).toBeGreaterThan(10);
  for (const [, id, value, low, high, goal] of rows) {
    const figure = figures.find((one) => one.id === id);
    if (figure === undefined) throw new Error(`${id} is not in the kept result`);
    const { unit } = figure;
    const texts = [figure.value, figure.low, figure.high].map((number) => valueText(unit, number));
    expect([id, value, low, high]).toEqual([id, ...texts]);
    if (figure.goal === null) expect(goal).toBe("");
    else expect(goal).toMatch(new RegExp(`^[≤≥] ${figure.goal}, (met|missed)$`));
  }
  const shown = rows.map(([, id]) => id);
  for (const { id, goal } of figures) if (goal !== null) expect(shown).toContain(id);
});
