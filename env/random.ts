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
 * The kernel keeps its streams in typed arrays and steps them itself (four lines, `drawUniform` below), because a
 * stream in a closure cannot be saved, restored or copied without allocating. The draws are seedrandom's to the bit.
 */
export function seedStream(name: string, states: Float64Array, offset: number): void {
  const state = seedrandom.alea(name, { state: true }).state() as { s0: number; s1: number; s2: number; c: number };
  states[offset] = state.s0;
  states[offset + 1] = state.s1;
  states[offset + 2] = state.s2;
  states[offset + 3] = state.c;
}

/** The next uniform draw in [0, 1) of the stream at `offset`. */
export function drawUniform(states: Float64Array, offset: number): number {
  const t = ALEA_MULTIPLIER * states[offset] + states[offset + 3] * TWO_TO_MINUS_32;
  const carry = t | 0;
  const next = t - carry;
  states[offset] = states[offset + 1];
  states[offset + 1] = states[offset + 2];
  states[offset + 2] = next;
  states[offset + 3] = carry;
  return next;
}

/** Draws the two 32-bit keys under which an episode's look-ahead futures are found, into `keys` from `offset` on. */
export function seedFutureKeys(episodeSeed: number, keys: Int32Array, offset: number): void {
  const stream = seedrandom.alea(streamName("future", episodeSeed));
  keys[offset] = stream.int32();
  keys[offset + 1] = stream.int32();
}

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
