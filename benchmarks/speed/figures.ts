/** Figures of the speed benchmark: a median over repetitions, with its interval. */

import type { Estimate, Figure } from "../figures.js";

/** A median over repetitions; see `medianInterval` for its interval. */
export type SpeedFigure = Figure<"steps/s" | "1" | "bytes/step" | "tasks/server" | "ns/step">;

export function figure(
  id: string,
  unit: SpeedFigure["unit"],
  values: readonly number[],
  better: SpeedFigure["better"],
  goal: number | null = null,
): SpeedFigure {
  return { id, unit, ...medianInterval(values), goal, better };
}

/** A value as it is printed, with as many digits as mean something. */
export function valueText(unit: SpeedFigure["unit"], value: number): string {
  if (unit === "steps/s") return Math.round(value).toLocaleString("en");
  return value.toFixed(unit === "bytes/step" ? 4 : unit === "ns/step" ? 0 : 2);
}

/** Ratios, pair by pair: both of a pair were measured one right after the other. */
export function ratio(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, i) => value / below[i]);
}

/**
 * The median, and between which two of the values the true one lies with at least 95 % confidence, whatever their
 * distribution (a sign test turned round). Up to eight values these are the smallest and the largest; five give 94 %.
 */
export function medianInterval(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const value = n % 2 === 1 ? sorted[n >> 1] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  // P(fewer than k + 1 of n values lie below the median), n fair coins
  let probability = 1;
  for (let i = 0; i < n; i++) probability /= 2;
  let below = probability;
  let k = 0;
  for (;;) {
    probability = (probability * (n - k)) / (k + 1);
    if (below + probability > 0.025) break;
    below += probability;
    k++;
  }
  return { value, low: sorted[k], high: sorted[n - 1 - k] };
}
