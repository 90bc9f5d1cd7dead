/** Cells of a table of figures that say what a figure should be, and whether it is. */

import { meetsGoal } from "../../../benchmarks/figures.js";
import type { SpeedFigure } from "../../../benchmarks/speed/figures.js";

/** The goal, and `met` or `missed`; both empty if a figure has no goal. */
export function goalCells(figure: Pick<SpeedFigure, "value" | "goal" | "better">): [string, string] {
  if (figure.goal === null) return ["", ""];
  return [`${figure.better === "lower" ? "≤" : "≥"} ${figure.goal}`, meetsGoal(figure) ? "met" : "missed"];
}

/** A line for a figure that could not be measured here. */
export function notMeasuredLine(id: string, reason: string, command: string | null = null): string {
  return `not measured: ${id} (${reason})${command === null ? "" : `; to measure it: ${command}`}`;
}
