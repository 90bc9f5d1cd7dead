/** Aggregates over tasks and training runs: interquartile mean, performance profile, probability of improvement. */

import { createStream, streamName } from "../../env/index.js";
import type { Estimate } from "../figures.js";
import { NUM_RESAMPLES, percentileInterval } from "./statistics.js";

/**
 * Scores of one agent: `scores[t][r]` is its score in task t (a setting of a suite) after training run r. Higher is
 * better. Tasks may have different numbers of runs, but every task has at least one.
 */
export type TaskScores = readonly (readonly number[])[];

/** A point of a performance profile: the share of all runs and tasks with a score above `threshold`, in [0, 1]. */
export interface ProfilePoint extends Estimate {
  readonly threshold: number;
}

/** The mean of all scores, whatever their task. */
export function meanScore(scores: TaskScores): number {
  const all = scores.flat();
  return all.reduce((sum, one) => sum + one, 0) / all.length;
}

/**
 * The interquartile mean of all scores: the mean without the lowest and the highest quarter.
 *
 * Both ends lose ⌊n/4⌋ of the n scores, as in Agarwal et al., *Deep Reinforcement Learning at the Edge of the
 * Statistical Precipice* (2021), and their package rliable.
 */
export function interquartileMean(scores: TaskScores): number {
  const all = scores.flat().sort((a, b) => a - b);
  const cut = Math.floor(all.length / 4);
  const kept = all.slice(cut, all.length - cut);
  return kept.reduce((sum, one) => sum + one, 0) / kept.length;
}

/** The share of all runs and tasks with a score above `threshold`. */
export function shareAbove(scores: TaskScores, threshold: number): number {
  const all = scores.flat();
  return all.filter((one) => one > threshold).length / all.length;
}

/**
 * The probability that a run of `x` beats a run of `y` in the same task, averaged over tasks. A tie counts one half.
 *
 * In each task it is the Mann-Whitney statistic U of the two samples, divided by the product of their sizes.
 */
export function probabilityOfImprovement(x: TaskScores, y: TaskScores): number {
  let sum = 0;
  for (const [task, own] of x.entries()) {
    const others = y[task];
    let wins = 0;
    for (const a of own) {
      for (const b of others) wins += a > b ? 1 : a === b ? 0.5 : 0;
    }
    sum += wins / (own.length * others.length);
  }
  return sum / x.length;
}

/**
 * A statistic of one or more agents, with the 95 % percentile interval of a stratified bootstrap: each resample draws
 * the runs of each task with replacement, for every agent and task separately.
 *
 * The interval says how much the statistic depends on the training runs. With one run in each task it has width 0.
 *
 * @param name selects the stream of the draws; the same name and sizes give the same interval
 */
export function stratifiedEstimate<const A extends readonly TaskScores[]>(
  name: string,
  agents: A,
  statistic: (...agents: A) => number,
  numResamples = NUM_RESAMPLES,
): Estimate {
  const uniform = createStream(streamName("bootstrap", name, agents.length));
  const resample = (scores: TaskScores): TaskScores =>
    scores.map((runs) => runs.map(() => runs[Math.floor(uniform() * runs.length)]));
  const values: number[] = [];
  for (let r = 0; r < numResamples; r++) values.push(statistic(...(agents.map(resample) as unknown as A)));
  return { value: statistic(...agents), ...percentileInterval(values) };
}

/**
 * The performance profile of an agent: for each threshold, the share of runs and tasks above it, with intervals of one
 * stratified bootstrap.
 */
export function performanceProfile(
  name: string,
  scores: TaskScores,
  thresholds: readonly number[],
  numResamples = NUM_RESAMPLES,
): ProfilePoint[] {
  return thresholds.map((threshold) => ({
    threshold,
    ...stratifiedEstimate(name, [scores], (own) => shareAbove(own, threshold), numResamples),
  }));
}
