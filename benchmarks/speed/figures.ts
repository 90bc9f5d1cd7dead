/** Figures of the speed benchmark: medians over repetitions, with their intervals. */

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

/** A value as it is printed, with its significant digits. */
export function valueText(unit: SpeedFigure["unit"], value: number): string {
  if (unit === "steps/s") return Math.round(value).toLocaleString("en");
  return value.toFixed(unit === "bytes/step" ? 4 : unit === "ns/step" ? 0 : 2);
}

/** Ratios of pairs; both values of a pair were measured one right after the other. */
export function ratio(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, i) => value / below[i]);
}

/**
 * The median, and the two values between which the true median lies with at least 95 % confidence, whatever the
 * distribution (an inverted sign test). With up to eight values these are the smallest and the largest; five give 94 %.
 */
export function medianInterval(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const value = n % 2 === 1 ? sorted[n >> 1] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  // P(fewer than k + 1 of n values are below the median), for n fair coins
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
