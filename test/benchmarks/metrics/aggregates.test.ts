/** The aggregates over tasks and training runs, against values computed by hand. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  interquartileMean,
  meanScore,
  performanceProfile,
  probabilityOfImprovement,
  shareAbove,
  stratifiedEstimate,
  type TaskScores,
} from "../../../benchmarks/metrics/aggregates.js";

test("the interquartile mean leaves out a quarter at both ends", () => {
  // 8 scores: 2 fall away at each end, (3 + 4 + 5 + 6)/4 = 4.5
  expect(
    interquartileMean([
      [8, 1, 3, 100],
      [-50, 4, 5, 6],
    ]),
  ).toBe((3 + 4 + 5 + 6) / 4);
  // 5 scores: ⌊5/4⌋ = 1 falls away at each end
  expect(interquartileMean([[1, 2, 3, 4, 50]])).toBe(3);
  // 3 scores: none falls away
  expect(interquartileMean([[1], [2], [6]])).toBe(3);
  expect(meanScore([[1], [2, 3]])).toBe(2);
});

test("one very bad run moves the mean, not the interquartile mean", () => {
  const good: TaskScores = [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ];
  const oneBad: TaskScores = [
    [1, 1, 1, -1000],
    [1, 1, 1, 1],
  ];
  expect(interquartileMean(oneBad)).toBe(interquartileMean(good));
  expect(meanScore(oneBad)).toBe((7 - 1000) / 8);
});

test("a score equal to the threshold is not above it", () => {
  expect(
    shareAbove(
      [
        [1, 2],
        [3, 4],
      ],
      2,
    ),
  ).toBe(0.5);
  expect(
    shareAbove(
      [
        [1, 2],
        [3, 4],
      ],
      1.999,
    ),
  ).toBe(0.75);
  expect(
    shareAbove(
      [
        [1, 2],
        [3, 4],
      ],
      4,
    ),
  ).toBe(0);
});

test("the probability of improvement averages tasks, and a tie counts one half", () => {
  // task 0: pairs (1,0) win, (1,1) tie, (2,0) win, (2,1) win: 3.5/4; task 1: (0,5) lost: 0
  const x: TaskScores = [[1, 2], [0]];
  const y: TaskScores = [[0, 1], [5]];
  expect(probabilityOfImprovement(x, y)).toBe((3.5 / 4 + 0) / 2);
  expect(probabilityOfImprovement(y, x)).toBe(1 - (3.5 / 4 + 0) / 2);
  expect(probabilityOfImprovement(x, x)).toBe(0.5);
});

test("with one run in each task there is nothing to resample", () => {
  const scores: TaskScores = [[1], [2], [3], [6]];
  expect(stratifiedEstimate("one", [scores], interquartileMean)).toEqual({ value: 2.5, low: 2.5, high: 2.5 });
});

test("runs are resampled within their own task", () => {
  // task 0 holds only 0, task 1 only 10: whatever is drawn, the mean is 5
  const scores: TaskScores = [
    [0, 0, 0],
    [10, 10, 10],
  ];
  expect(stratifiedEstimate("strata", [scores], meanScore)).toEqual({ value: 5, low: 5, high: 5 });
});

test("two runs of one task give the interval of a fair coin", () => {
  // the mean of two draws from {0, 1} is 0 or 1 with probability 1/4 each, so both lie within the middle 95 %
  const { value, low, high } = stratifiedEstimate("coin", [[[0, 1]]], meanScore);
  expect([value, low, high]).toEqual([0.5, 0, 1]);
  // of 64 draws the mean lies within 1.96 · 0.5/8 of 1/2
  const many = [Array.from({ length: 64 }, (_, i) => i % 2)];
  const wide = stratifiedEstimate("coin", [many], meanScore);
  expect(wide.low).toBeGreaterThan(0.5 - 0.16);
  expect(wide.low).toBeLessThan(0.5 - 0.09);
  expect(wide.high).toBeGreaterThan(0.5 + 0.09);
  expect(wide.high).toBeLessThan(0.5 + 0.16);
});

test("agents are resampled separately, and the same name gives the same interval", () => {
  const x: TaskScores = [
    [1, 3],
    [2, 4],
  ];
  const first = stratifiedEstimate("pair", [x, x], probabilityOfImprovement);
  expect(first.value).toBe(0.5);
  // resampled together every resample would give exactly one half
  expect(first.low).toBeLessThan(0.5);
  expect(first.high).toBeGreaterThan(0.5);
  expect(stratifiedEstimate("pair", [x, x], probabilityOfImprovement)).toEqual(first);
  const uneven = [[0.13, 1.71, 2.02, 3.37, 4.9, 5.08, 6.66]];
  expect(stratifiedEstimate("other", [uneven], meanScore)).not.toEqual(
    stratifiedEstimate("third", [uneven], meanScore),
  );
});

test("a performance profile falls from 1 to 0", () => {
  const profile = performanceProfile(
    "profile",
    [
      [0.2, 0.4],
      [0.6, 0.8],
    ],
    [0, 0.3, 0.5, 0.7, 0.9],
  );
  expect(profile.map((point) => point.value)).toEqual([1, 0.75, 0.5, 0.25, 0]);
  for (const { value, low, high } of profile) {
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
});

test("the aggregates are those of rliable", () => {
  const golden = JSON.parse(readFileSync(new URL("../../golden/aggregates.json", import.meta.url), "utf8"));
  expect(golden.length).toBeGreaterThan(4);
  for (const { x, y, interquartileMeanOfX, probabilityThatXBeatsY, thresholds, profileOfX } of golden) {
    expect(interquartileMean(x)).toBeCloseTo(interquartileMeanOfX, 12);
    expect(probabilityOfImprovement(x, y)).toBeCloseTo(probabilityThatXBeatsY, 12);
    for (const [i, threshold] of thresholds.entries()) {
      expect(shareAbove(x, threshold)).toBeCloseTo(profileOfX[i], 12);
    }
  }
});
