/** Seeds random streams from their names: Baagøe's Mash over the bytes of a long, canonical name. */

// A stream is seeded here and not by the host, because a host in Python has no seedrandom, and because a batch seeds
// streams in the middle of a step. The npm package seedrandom is the oracle in the tests.

import { drawUniform, drawWord } from "./alea";
import { Lane, Stream } from "./lane";

/** u8 [256]: an ASCII name. */
export const NAME: usize = memory.data(256);
/** Stream that `seedStream` seeds, apart from those of the lanes. */
export const FREE_STREAM: usize = memory.data(16, 8);

/** Text that names begin with, and the purposes that streams have. */
const ROOT: string = "mecgym/v1/";

/** What Mash has made of all it was given, with one more character. */
// @ts-ignore: decorator
@inline
export function hashed(sum: f64, code: f64): f64 {
  let h = 0.02519603282416938 * (sum + code);
  const high = floor<f64>(h);
  h = (h - high) * high;
  const low = floor<f64>(h);
  return low + (h - low) * 4294967296.0;
}

/** Alea's words before a name is taken from them: hashes of one, two and three spaces. */
const START_SUM_1: f64 = hashed(<f64>(<u32>0xefc8249d), 32);
const START_SUM_2: f64 = hashed(START_SUM_1, 32);
export const START_SUM: f64 = hashed(START_SUM_2, 32);

/** Word i of a stream: the start word less the hash, modulo 2³². */
// @ts-ignore: decorator
@inline
export function seedWord(index: i32, sum: f64): u32 {
  const start = index == 0 ? START_SUM_1 : index == 1 ? START_SUM_2 : START_SUM;
  return <u32>(<u64>start) - <u32>(<u64>sum);
}

/** Seeds a stream with the `length` bytes of a name. */
export function seedWithName(stream: Stream, name: usize, length: i32): void {
  let sum = START_SUM;
  sum = hashName(sum, name, length);
  stream.s0 = seedWord(0, sum);
  sum = hashName(sum, name, length);
  stream.s1 = seedWord(1, sum);
  sum = hashName(sum, name, length);
  stream.s2 = seedWord(2, sum);
  stream.carry = 1;
}

function hashName(start: f64, name: usize, length: i32): f64 {
  let sum = start;
  for (let i = 0; i < length; i++) sum = hashed(sum, <f64>load<u8>(name + i));
  return sum;
}

/** Writes an ASCII text; the length of all that is then in `NAME`. */
export function putText(at: i32, text: string): i32 {
  const length = text.length;
  for (let i = 0; i < length; i++) store<u8>(NAME + at + i, load<u16>(changetype<usize>(text) + 2 * i));
  return at + length;
}

/** Writes a whole number in decimal digits, at most 20. */
export function putNumber(at: i32, value: f64): i32 {
  let rest = <u64>value;
  let numDigits = 1;
  for (let v = rest; v >= 10; v /= 10) numDigits++;
  for (let i = numDigits - 1; i >= 0; i--) {
    store<u8>(NAME + at + i, <u8>(48 + (rest % 10)));
    rest /= 10;
  }
  return at + numDigits;
}

/** Seeds the stream mecgym/v1/{purpose}/{seed}. */
export function seedEpisodeStream(stream: Stream, purpose: string, seed: f64): void {
  let length = putText(0, ROOT);
  length = putText(length, purpose);
  length = putText(length, "/");
  length = putNumber(length, seed);
  seedWithName(stream, NAME, length);
}

/** Draws the two 32-bit keys of an episode's look-ahead futures from its stream `future`. */
export function drawFutureKeys(lane: Lane, stream: Stream): void {
  lane.futureKey0 = drawWord(stream);
  lane.futureKey1 = drawWord(stream);
}

/** First seed of a split, and how many it has: train, validation, test. */
function splitStart(split: i32): f64 {
  return <f64>(split * 1000000);
}
function splitSize(split: i32): f64 {
  return split == 0 ? 1000000 : 10000;
}

/** The seed that lane `lane` plays as its `episode`-th episode when it is reset without one. */
export function nextEpisodeSeed(split: i32, seed: f64, lane: f64, episode: f64): f64 {
  let length = putText(0, ROOT);
  length = putText(length, "episode-seed/");
  length = putText(length, split == 0 ? "train/" : split == 1 ? "validation/" : "test/");
  length = putNumber(length, seed);
  length = putText(length, "/");
  length = putNumber(length, lane);
  length = putText(length, "/");
  length = putNumber(length, episode);
  const stream = changetype<Stream>(FREE_STREAM);
  seedWithName(stream, NAME, length);
  return splitStart(split) + floor<f64>(drawUniform(stream) * splitSize(split));
}
