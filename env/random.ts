/** Named, seeded random streams: every draw of the project comes from here, and from nowhere else. */

import seedrandom from "seedrandom";

/** Numbers that make up one stream's state: s0, s1, s2 and the carry c of Baagøe's Alea. */
export const STREAM_SIZE = 4;

/** Alea's multiplier and 2^-32, the weight of its carry. */
export const ALEA_MULTIPLIER = 2091639;
export const TWO_TO_MINUS_32 = 2.3283064365386963e-10;

/** Largest seed of an episode: the largest integer that every language's double holds exactly. */
export const MAX_SEED = 9007199254740991;

/**
 * The full name of a stream. Long and canonical, because Alea's seeding gives short, similar keys similar first draws.
 */
export function streamName(purpose: string, ...key: readonly (number | string)[]): string {
  return `mecgym/v1/${purpose}/${key.join("/")}`;
}

/** A function that gives the next uniform draw in [0, 1), a multiple of 2^-32. */
export type Uniform = () => number;

/** A stream for code off the hot path: seedrandom's own generator. */
export function createStream(name: string): Uniform {
  return seedrandom.alea(name);
}

/**
 * Seeds the stream `name` into four numbers of `states` from `offset` on.
 *
 * The kernel keeps its streams in typed arrays, and seeds and steps them itself, because a stream in a closure cannot be
 * saved, restored or copied without allocating, and takes five times as long to make. The states and the draws are
 * seedrandom's to the bit.
 */
export function seedStream(name: string, states: Float64Array, offset: number): void {
  hashSum = 0xefc8249d;
  for (let i = 0; i < 3; i++) states[offset + i] = mash(" ");
  for (let i = 0; i < 3; i++) {
    const value = states[offset + i] - mash(name);
    states[offset + i] = value < 0 ? value + 1 : value;
  }
  states[offset + 3] = 1;
}

/** What Baagøe's Mash has made of all it was given since it was started. */
let hashSum = 0;

/** Adds `text` to the hash; what it is now, in [0, 1). */
function mash(text: string): number {
  let n = hashSum;
  for (let i = 0; i < text.length; i++) {
    n += text.charCodeAt(i);
    let h = 0.02519603282416938 * n;
    n = h >>> 0;
    h -= n;
    h *= n;
    n = h >>> 0;
    h -= n;
    n += h * 0x100000000;
  }
  hashSum = n;
  return (n >>> 0) * TWO_TO_MINUS_32;
}

/** The next uniform draw in [0, 1) of the stream at `offset`. */
export function drawUniform(states: Float64Array, offset: number): number {
  const t = ALEA_MULTIPLIER * states[offset] + states[offset + 3] * TWO_TO_MINUS_32;
  const carry = Math.floor(t); // not t | 0: by way of an integer, each draw would wait twice as long for the last carry
  const next = t - carry;
  states[offset] = states[offset + 1];
  states[offset + 1] = states[offset + 2];
  states[offset + 2] = next;
  states[offset + 3] = carry;
  return next;
}

/** Draws the two 32-bit keys under which an episode's look-ahead futures are found, into `keys` from `offset` on. */
export function seedFutureKeys(episodeSeed: number, keys: Int32Array, offset: number): void {
  seedStream(streamName("future", episodeSeed), futureStream, 0);
  keys[offset] = drawUniform(futureStream, 0) * 0x100000000;
  keys[offset + 1] = drawUniform(futureStream, 0) * 0x100000000;
}

const futureStream = new Float64Array(STREAM_SIZE);

/**
 * The uniform draw in [0, 1) that belongs to item `item` of future `sample` at decision `decisionIndex`.
 *
 * A counter-based generator (two rounds of MurmurHash3's 32-bit finaliser over the keys and the counters): any future
 * of any decision can be asked for at once, in any order, which a sequential stream cannot do and which seeding a
 * stream for each decision would make twenty times dearer.
 */
export function futureUniform(key0: number, key1: number, decisionIndex: number, sample: number, item: number): number {
  const first = finalise(key0 ^ Math.imul(decisionIndex + 1, 0x9e3779b1));
  const second = first + key1 + Math.imul(sample + 1, 0x85ebca77) + Math.imul(item, 0xc2b2ae3d);
  return (finalise(second | 0) >>> 0) * TWO_TO_MINUS_32;
}

/** MurmurHash3's 32-bit finaliser (Appleby, public domain): every input bit reaches every output bit. */
function finalise(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
