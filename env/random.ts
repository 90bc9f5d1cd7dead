/** Named, seeded random streams: the only source of randomness in the project outside the core, which has the same. */

import seedrandom from "seedrandom";

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

/** A stream of Baagøe's Alea. */
export function createStream(name: string): Uniform {
  return seedrandom.alea(name);
}
