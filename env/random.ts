/** Named, seeded random streams: the only source of randomness in the project. */

import seedrandom from "seedrandom";

/** Numbers in the state of a stream: s0, s1, s2 and the carry c of Baagøe's Alea. */
export const STREAM_SIZE = 4;

/** Alea's multiplier and 2^-32, the weight of its carry. */
export const ALEA_MULTIPLIER = 2091639;
export const TWO_TO_MINUS_32 = 2.3283064365386963e-10;

/** Largest seed of an episode: the largest integer that every language's double holds exactly. */
export const MAX_SEED = 9007199254740991;

/**
 * The full name of a stream. It is long and canonical because Alea gives similar first draws to short, similar keys.
 */
export function streamName(purpose: string, ...key: readonly (number | string)[]): string {
  return `mecgym/v1/${purpose}/${key.join("/")}`;
}

/** Returns the next uniform draw in [0, 1), a multiple of 2^-32. */
export type Uniform = () => number;

/** A stream for code off the hot path: seedrandom's own generator. */
export function createStream(name: string): Uniform {
  return seedrandom.alea(name);
}

/**
 * Seeds the stream `name` into four numbers of `states`, starting at `offset`.
 *
 * The kernel keeps its streams in typed arrays and seeds and steps them itself: a stream in a closure cannot be saved,
 * restored or copied without allocating, and takes five times as long to make. States and draws are seedrandom's, bit
 * for bit.
 */
export function seedStream(name: string, states: Float64Array, offset: number): void {
  let sum = START_SUM;
  for (let i = 0; i < 3; i++) {
    for (let c = 0; c < name.length; c++) sum = hashed(sum, name.charCodeAt(c));
    states[offset + i] = lessWord(START_WORDS[i], sum);
  }
  states[offset + 3] = 1;
}

/**
 * Seeds the streams `streamName(purpose, key)` of several purposes together; `seedStream` does it one by one. A hash
 * must finish one character before it starts the next, so the processor works on several hashes in turn while it waits.
 */
export class StreamGroup {
  /** Characters of the names, one row for each; their number without the key, and with it. */
  readonly #codes: Uint8Array;
  readonly #prefixLengths: readonly number[];
  readonly #lengths: Int32Array;
  /** Hashes of the names up to the key, in the first pass; and the running hashes that continue them. */
  readonly #prefixSums: Float64Array;
  readonly #sums: Float64Array;

  constructor(purposes: readonly string[]) {
    const prefixes = purposes.map((purpose) => streamName(purpose, ""));
    this.#codes = new Uint8Array(purposes.length * MAX_NAME_LENGTH);
    this.#prefixLengths = prefixes.map(({ length }) => length);
    this.#lengths = new Int32Array(purposes.length);
    this.#prefixSums = new Float64Array(purposes.length).fill(START_SUM);
    this.#sums = new Float64Array(purposes.length);
    for (const [k, prefix] of prefixes.entries()) {
      for (let c = 0; c < prefix.length; c++) {
        this.#codes[k * MAX_NAME_LENGTH + c] = prefix.charCodeAt(c);
        this.#prefixSums[k] = hashed(this.#prefixSums[k], prefix.charCodeAt(c));
      }
    }
  }

  /** Seeds the streams of a key into `states`, one after another. */
  seed(key: number, states: Float64Array): void {
    const codes = this.#codes;
    const lengths = this.#lengths;
    const sums = this.#sums;
    const count = sums.length;
    const digits = String(key);
    let shortest = MAX_NAME_LENGTH;
    for (let k = 0; k < count; k++) {
      sums[k] = this.#prefixSums[k];
      const prefixLength = this.#prefixLengths[k];
      const length = prefixLength + digits.length;
      lengths[k] = length;
      if (length < shortest) shortest = length;
      const at = k * MAX_NAME_LENGTH + prefixLength;
      for (let d = 0; d < digits.length; d++) codes[at + d] = digits.charCodeAt(d);
    }
    for (let d = 0; d < digits.length; d++) {
      for (let k = 0; k < count; k++) sums[k] = hashed(sums[k], digits.charCodeAt(d));
    }
    for (let k = 0; k < count; k++) {
      states[k * STREAM_SIZE] = lessWord(START_WORDS[0], sums[k]);
      states[k * STREAM_SIZE + 3] = 1;
    }
    for (let i = 1; i < 3; i++) {
      for (let c = 0; c < shortest; c++) {
        for (let k = 0; k < count; k++) sums[k] = hashed(sums[k], codes[k * MAX_NAME_LENGTH + c]);
      }
      for (let k = 0; k < count; k++) {
        let sum = sums[k];
        for (let c = shortest; c < lengths[k]; c++) sum = hashed(sum, codes[k * MAX_NAME_LENGTH + c]);
        states[k * STREAM_SIZE + i] = lessWord(START_WORDS[i], sum);
        sums[k] = sum;
      }
    }
  }
}

/** Room for a purpose and a seed of 16 digits. */
const MAX_NAME_LENGTH = 64;

/**
 * One step of Baagøe's Mash: the hash so far, with one more character. His code takes the lower 32 bits with `>>> 0`;
 * the number is below 2^32, so `Math.floor` gives the same and is twice as fast.
 */
function hashed(sum: number, code: number): number {
  let h = 0.02519603282416938 * (sum + code);
  const high = Math.floor(h);
  h = (h - high) * high;
  const low = Math.floor(h);
  return low + (h - low) * 0x100000000;
}

/** A hash in [0, 1). */
function wordOf(sum: number): number {
  return (sum >>> 0) * TWO_TO_MINUS_32;
}

/** `word` minus the word of `sum`, modulo 1. */
function lessWord(word: number, sum: number): number {
  const value = word - wordOf(sum);
  return value < 0 ? value + 1 : value;
}

/** Alea starts every stream by hashing three spaces; it takes a word after each. */
const startSums = [0xefc8249d];
for (let i = 0; i < 3; i++) startSums.push(hashed(startSums[i], " ".charCodeAt(0)));
const START_WORDS = Float64Array.from(startSums.slice(1), wordOf);
const START_SUM = startSums[3];

/** The next uniform draw in [0, 1) of the stream at `offset`. */
export function drawUniform(states: Float64Array, offset: number): number {
  const t = ALEA_MULTIPLIER * states[offset] + states[offset + 3] * TWO_TO_MINUS_32;
  const carry = Math.floor(t); // not t | 0: through an integer, each draw would wait twice as long for the last carry
  const next = t - carry;
  states[offset] = states[offset + 1];
  states[offset + 1] = states[offset + 2];
  states[offset + 2] = next;
  states[offset + 3] = carry;
  return next;
}

/** Draws the two 32-bit keys of an episode's look-ahead futures into `keys`, starting at `offset`. */
export function seedFutureKeys(episodeSeed: number, keys: Int32Array, offset: number): void {
  seedStream(streamName("future", episodeSeed), futureStream, 0);
  drawFutureKeys(futureStream, 0, keys, offset);
}

/** The same from a stream that has been seeded, at `from` in `states`. */
export function drawFutureKeys(states: Float64Array, from: number, keys: Int32Array, offset: number): void {
  keys[offset] = drawUniform(states, from) * 0x100000000;
  keys[offset + 1] = drawUniform(states, from) * 0x100000000;
}

const futureStream = new Float64Array(STREAM_SIZE);

/**
 * The uniform draw in [0, 1) that belongs to item `item` of future `sample` at decision `decisionIndex`.
 *
 * A counter-based generator (two rounds of MurmurHash3's 32-bit finaliser over the keys and the counters). It gives any
 * draw of any decision's futures directly, in any order. A sequential stream cannot do that, and seeding a stream for
 * each decision would cost twenty times as much.
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
