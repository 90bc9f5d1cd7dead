/**
 * CMA-ES: evolution strategy with covariance matrix adaptation, for functions that can only be tried out.
 *
 * The rules and default constants are those of Hansen, "The CMA evolution strategy: a tutorial" (arXiv:1604.00772), with
 * a Cholesky factor of the covariance matrix in place of its square root.
 */

import type { Uniform } from "../../env/index.js";
import { exp, ln } from "../../env/math.js";

export interface CmaEsOptions {
  /** Where the search starts. */
  readonly start: ArrayLike<number>;
  /** Standard deviation of the first generation in every coordinate. */
  readonly deviation: number;
  /** Points of a generation, 4 or more. */
  readonly population: number;
  /** Where chance comes from; the same draws give the same search. */
  readonly uniform: Uniform;
}

/** A search: `ask` for the points of a generation, `tell` what they are worth, and so on. */
export class CmaEs {
  /** The best guess so far. */
  readonly mean: Float64Array;
  /** The step size: what every deviation is multiplied by. */
  deviation: number;
  readonly #population: number;
  readonly #normal: () => number;
  readonly #weights: number[];
  readonly #covariance: Float64Array[];
  readonly #pathDeviation: Float64Array;
  readonly #pathCovariance: Float64Array;
  #factor: Float64Array[] = [];
  #draws: Float64Array[] = [];

  constructor({ start, deviation, population, uniform }: CmaEsOptions) {
    const n = start.length;
    this.mean = Float64Array.from(start);
    this.deviation = deviation;
    this.#population = population;
    this.#normal = normalOf(uniform);
    const parents = population >> 1;
    const raw = Array.from({ length: parents }, (_, i) => ln(parents + 0.5) - ln(i + 1));
    const sum = raw.reduce((a, b) => a + b);
    this.#weights = raw.map((weight) => weight / sum);
    this.#covariance = Array.from({ length: n }, (_, i) => new Float64Array(n).fill(1, i, i + 1));
    this.#pathDeviation = new Float64Array(n);
    this.#pathCovariance = new Float64Array(n);
  }

  /** The points of the next generation. */
  ask(): Float64Array[] {
    this.#factor = cholesky(this.#covariance);
    const n = this.mean.length;
    this.#draws = Array.from({ length: this.#population }, () => Float64Array.from({ length: n }, this.#normal));
    return this.#draws.map((draw) => {
      const step = multiply(this.#factor, draw);
      return this.mean.map((value, i) => value + this.deviation * step[i]);
    });
  }

  /** @param values what each point of `ask` is worth; small is good */
  tell(values: readonly number[]): void {
    const n = this.mean.length;
    const weights = this.#weights;
    const effective = 1 / weights.reduce((sum, weight) => sum + weight * weight, 0);
    const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
    const best = weights.map((_, i) => this.#draws[order[i]]);
    const draw = new Float64Array(n).map((_, i) => best.reduce((sum, one, k) => sum + weights[k] * one[i], 0));
    const step = multiply(this.#factor, draw);
    for (let i = 0; i < n; i++) this.mean[i] += this.deviation * step[i];

    // the path of the means tells whether the steps were too short or too long
    const deviationRate = (effective + 2) / (n + effective + 5);
    const grown = Math.sqrt(deviationRate * (2 - deviationRate) * effective);
    const path = this.#pathDeviation;
    for (let i = 0; i < n; i++) path[i] = (1 - deviationRate) * path[i] + grown * draw[i];
    const length = Math.sqrt(path.reduce((sum, one) => sum + one * one, 0));
    const expected = Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
    const damping = 1 + 2 * Math.max(0, Math.sqrt((effective - 1) / (n + 1)) - 1) + deviationRate;

    const isSteady = length / expected < 1.4 + 2 / (n + 1);
    const pathRate = (4 + effective / n) / (n + 4 + (2 * effective) / n);
    const along = isSteady ? Math.sqrt(pathRate * (2 - pathRate) * effective) : 0;
    const trail = this.#pathCovariance;
    for (let i = 0; i < n; i++) trail[i] = (1 - pathRate) * trail[i] + along * step[i];
    const oneRate = 2 / ((n + 1.3) * (n + 1.3) + effective);
    const manyRate = Math.min(1 - oneRate, (2 * (effective - 2 + 1 / effective)) / ((n + 2) * (n + 2) + effective));
    const lost = isSteady ? 0 : oneRate * pathRate * (2 - pathRate);
    const steps = best.map((one) => multiply(this.#factor, one));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const spread = steps.reduce((sum, one, k) => sum + weights[k] * one[i] * one[j], 0);
        this.#covariance[i][j] =
          (1 - oneRate - manyRate + lost) * this.#covariance[i][j] + oneRate * trail[i] * trail[j] + manyRate * spread;
      }
    }
    this.deviation *= exp((deviationRate / damping) * (length / expected - 1));
  }
}

/** Standard normal draws by Marsaglia's polar method: logarithm and square root alone. */
function normalOf(uniform: Uniform): () => number {
  let spare = Number.NaN;
  return () => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * ln(square)) / square);
      spare = y * scale;
      return x * scale;
    }
  };
}

/** The lower triangular factor of a symmetric matrix; directions without spread stay without. */
function cholesky(matrix: readonly Float64Array[]): Float64Array[] {
  const factor = matrix.map((row) => new Float64Array(row.length));
  for (let i = 0; i < matrix.length; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i][j];
      for (let k = 0; k < j; k++) rest -= factor[i][k] * factor[j][k];
      if (i === j) factor[i][i] = Math.sqrt(Math.max(rest, Number.MIN_VALUE));
      else factor[i][j] = rest / factor[j][j];
    }
  }
  return factor;
}

/** A lower triangular matrix times a vector. */
function multiply(factor: readonly Float64Array[], vector: Float64Array): Float64Array {
  return vector.map((_, i) => {
    let sum = 0;
    for (let k = 0; k <= i; k++) sum += factor[i][k] * vector[k];
    return sum;
  });
}
