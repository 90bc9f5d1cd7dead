/** The figures on docs/performance.md: rows of the kept run of the speed benchmark. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { meetsGoal, type SpeedFigure, valueText } from "../benchmarks/speed/figures.js";
import { root } from "./schema-files.js";

const HEADER = "| figure | median | interval | goal |\n|---|---:|---:|---|\n";
/** Figures without a goal that the page shows besides. */
const shown = [
  /^peers\//,
  /^grid\/servers=\d+\/lanes=1024\/greedy\/times-floor$/,
  /^shape\/greedy\//,
  /^look-ahead\//,
  /^workers\/2-over-1$/,
];

export function readKeptSpeed(): SpeedFigure[] {
  return JSON.parse(readFileSync(join(root, "benchmarks/results/speed.json"), "utf8")).figures;
}

/** The page with its table made anew; what is written around it stays. */
export function performancePage(figures: readonly SpeedFigure[]): string {
  const page = readFileSync(join(root, "docs/performance.md"), "utf8");
  const start = page.indexOf(HEADER);
  if (start < 0) throw new Error("docs/performance.md has no table of figures");
  const end = page.indexOf("\n\n", start);
  const rows = figures.filter(({ id, goal }) => goal !== null || shown.some((pattern) => pattern.test(id)));
  return `${page.slice(0, start)}${HEADER}${rows.map(rowOf).join("\n")}${page.slice(end)}`;
}

function rowOf(figure: SpeedFigure): string {
  const { id, unit, value, low, high, goal, better } = figure;
  const [middle, from, to] = [value, low, high].map((number) => valueText(unit, number));
  const sign = better === "lower" ? "≤" : "≥";
  const verdict = goal === null ? "" : `${sign} ${goal}, ${meetsGoal(figure) ? "met" : "missed"}`;
  return `| \`${id}\` | ${middle} | ${from} to ${to} | ${verdict} |`;
}
