/** The tables of docs/performance.md: figures of the kept runs of the speed benchmark. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { meetsGoal } from "../benchmarks/figures.js";
import { type SpeedFigure, valueText } from "../benchmarks/speed/figures.js";
import { root } from "../schemas/tools/files.js";

const HEADER = "| figure | median | interval | goal |\n|---|---:|---:|---|\n";
/** Kept runs, and the figures without a goal that the page also shows. */
const runs: Readonly<Record<string, readonly RegExp[]>> = {
  "speed.json": [
    /^peers\//,
    /^grid\/servers=\d+\/lanes=1024\/greedy\/times-floor$/,
    /^shape\/greedy\//,
    /^look-ahead\//,
    /^workers\/2-over-1$/,
  ],
  "speed-bridge.json": [/^bridge\//],
  "speed-python.json": [/^python\//],
};

export function readKeptSpeed(file = "speed.json"): SpeedFigure[] {
  return JSON.parse(readFileSync(join(root, "benchmarks/results", file), "utf8")).figures;
}

/** The page with new tables. A run's table is the first one after the name of its file; the prose stays as it is. */
export function performancePage(): string {
  let page = readFileSync(join(root, "docs/performance.md"), "utf8");
  for (const [file, shown] of Object.entries(runs)) {
    const start = page.indexOf(HEADER, page.indexOf(`benchmarks/results/${file}`));
    if (start < 0) throw new Error(`docs/performance.md has no table of figures for ${file}`);
    const end = page.indexOf("\n\n", start);
    const rows = readKeptSpeed(file).filter(({ id, goal }) => goal !== null || shown.some((one) => one.test(id)));
    page = `${page.slice(0, start)}${HEADER}${rows.map(rowOf).join("\n")}${page.slice(end)}`;
  }
  return page;
}

function rowOf(figure: SpeedFigure): string {
  const { id, unit, value, low, high, goal, better } = figure;
  const [middle, from, to] = [value, low, high].map((number) => valueText(unit, number));
  const sign = better === "lower" ? "≤" : "≥";
  const verdict = goal === null ? "" : `${sign} ${goal}, ${meetsGoal(figure) ? "met" : "missed"}`;
  return `| \`${id}\` | ${middle} | ${from} to ${to} | ${verdict} |`;
}
