/** Which episode seeds belong to which split, and which one an unseeded reset plays next. */

import { MecgymError } from "../errors.js";
import { drawUniform, MAX_SEED, STREAM_SIZE, seedStream, streamName } from "../random.js";

/** First seed of each split and how many there are. No two splits share a seed. */
export const splits = {
  train: { start: 0, size: 1_000_000 },
  validation: { start: 1_000_000, size: 10_000 },
  test: { start: 2_000_000, size: 10_000 },
} as const;

export type Split = keyof typeof splits;

/**
 * The episode seed that lane `lane` plays as its `episode`-th episode when it is reset without one.
 *
 * First draw of the stream `mecgym/v1/episode-seed/{split}/{seed}/{lane}/{episode}`, scaled to the split.
 */
export function nextEpisodeSeed(split: Split, seed: number, lane: number, episode: number): number {
  const { start, size } = splits[split];
  seedStream(streamName("episode-seed", split, seed, lane, episode), seedsStream, 0);
  return start + Math.floor(drawUniform(seedsStream, 0) * size);
}

const seedsStream = new Float64Array(STREAM_SIZE);

/** Whether `seed` is an integer in [0, 2^53). */
export function isSeed(seed: unknown): seed is number {
  return typeof seed === "number" && Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED;
}

/** @throws MecgymError `invalidSeed` unless `seed` is an integer in [0, 2^53) */
export function checkSeed(seed: unknown, path: string): void {
  if (!isSeed(seed)) {
    throw new MecgymError("invalidSeed", { path, got: seed, expected: "an integer from 0 to 2^53 − 1" });
  }
}
