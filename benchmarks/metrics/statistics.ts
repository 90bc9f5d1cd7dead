/** Intervals by a seeded bootstrap: resample whole episodes or states, the same ones for every policy. */

import { quantileSorted } from "simple-statistics";
import { createStream, streamName } from "../../env/index.js";

export const NUM_RESAMPLES = 2000;

/** A figure with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How often each of `numUnits` units (episodes or states) is drawn in each resample.
 *
 * One plan serves all policies of a setting, so that differences and ratios are paired.
 */
export class ResamplePlan {
  readonly numUnits: number;
  readonly numResamples: number;
  readonly #weights: Uint16Array;

  /** @param name names the stream of the draws: the same name and sizes give the same plan */
  constructor(name: string, numUnits: number, numResamples = NUM_RESAMPLES) {
    this.numUnits = numUnits;
    this.numResamples = numResamples;
    this.#weights = new Uint16Array(numUnits * numResamples);
    const uniform = createStream(streamName("bootstrap", name, numUnits));
    for (let r = 0; r < numResamples; r++) {
      for (let i = 0; i < numUnits; i++) this.#weights[r * numUnits + Math.floor(uniform() * numUnits)]++;
    }
  }

  weights(resample: number): Uint16Array {
    return this.#weights.subarray(resample * this.numUnits, (resample + 1) * this.numUnits);
  }
}

/**
 * A statistic of weighted units with its 95 % percentile interval.
 *
 * @param statistic value for given weights of the units; NaN where it is not defined (such resamples are left out)
 */
export function estimate(plan: ResamplePlan, statistic: (weights: ArrayLike<number>) => number): Estimate {
  const value = statistic(new Uint8Array(plan.numUnits).fill(1));
  const values: number[] = [];
  for (let r = 0; r < plan.numResamples; r++) {
    const resampled = statistic(plan.weights(r));
    if (!Number.isNaN(resampled)) values.push(resampled);
  }
  return { value, ...percentileInterval(values) };
}

/**
 * As `estimate`, for an index between 0 and `most` that resampling itself pushes down: the resampled values are moved by
 * the difference of the figure to their mean, and kept within the index's bounds.
 */
export function estimateBounded(
  plan: ResamplePlan,
  statistic: (weights: ArrayLike<number>) => number,
  most: number,
): Estimate {
  const value = statistic(new Uint8Array(plan.numUnits).fill(1));
  const values: number[] = [];
  for (let r = 0; r < plan.numResamples; r++) {
    const resampled = statistic(plan.weights(r));
    if (!Number.isNaN(resampled)) values.push(resampled);
  }
  const bias = value - values.reduce((sum, one) => sum + one, 0) / values.length;
  return { value, ...percentileInterval(values.map((one) => Math.min(most, Math.max(0, one + bias)))) };
}

/** Middle 95 % of the resampled values. */
export function percentileInterval(values: number[]): { low: number; high: number } {
  if (values.length === 0) return { low: Number.NaN, high: Number.NaN };
  values.sort((a, b) => a - b);
  return { low: quantileSorted(values, 0.025), high: quantileSorted(values, 0.975) };
}
