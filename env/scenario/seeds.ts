/** The episode seeds of each split, and the one that a reset without a seed plays next. */

import { isIntegerIn } from "../checks.js";
import { MecgymError } from "../errors.js";
import { createStream, MAX_SEED, streamName } from "../random.js";

/** First seed and number of seeds of each split. No two splits share a seed. */
export const splits = {
  train: { start: 0, size: 1_000_000 },
  validation: { start: 1_000_000, size: 10_000 },
  test: { start: 2_000_000, size: 10_000 },
} as const;

export type Split = keyof typeof splits;

/**
 * The episode seed that lane `lane` plays as its `episode`-th episode when it is reset without a seed.
 *
 * First draw of the stream `mecgym/v1/episode-seed/{split}/{seed}/{lane}/{episode}`, scaled to the split.
 */
export function nextEpisodeSeed(split: Split, seed: number, lane: number, episode: number): number {
  const { start, size } = splits[split];
  const draw = createStream(streamName("episode-seed", split, seed, lane, episode));
  return start + Math.floor(draw() * size);
}

/** Whether `seed` is an integer in [0, 2^53). */
export function isSeed(seed: unknown): seed is number {
  return isIntegerIn(seed, 0, MAX_SEED);
}

/** @throws MecgymError `invalidSeed` unless `seed` is an integer in [0, 2^53) */
export function checkSeed(seed: unknown, path: string): void {
  if (!isSeed(seed)) {
    throw new MecgymError("invalidSeed", { path, got: seed, expected: "an integer from 0 to 2^53 − 1" });
  }
}
