/** What a policy is: a function from an observation to an action. */

import {
  isServerAvailable,
  type LookAheadOptions,
  type LookAheadResult,
  type Observation,
  type RolloutRequest,
  type Scenario,
} from "../../env/index.js";

/** Asks what every action of the current decision costs now and may leave for later (eq. 22-26). */
export type LookAheadHandle = (options?: Partial<LookAheadOptions>) => LookAheadResult;

/** Plays the current decision on; fills [candidate][future] with sums of costs, slots. */
export type RolloutHandle = (request: RolloutRequest, out: Float64Array) => void;

/**
 * Answers one decision with an action: 0 runs the task locally, e sends it to server e. An absent server cannot be
 * chosen.
 *
 * A policy sees the observation and, where it declares so, a look-ahead or rollouts; nothing else of the simulator. It may remember
 * what it saw, within one episode.
 */
export type Policy = (observation: Observation, lookAhead?: LookAheadHandle, rollout?: RolloutHandle) => number;

/** How to get a policy by its name. */
export interface PolicyEntry {
  readonly name: string;
  /** One sentence for a reader. */
  readonly description: string;
  /** Whether the policy asks for look-aheads, and cannot be called without. */
  readonly needsLookAhead?: boolean;
  /** Whether the policy asks for rollouts: it can play episodes, and cannot answer recorded states. */
  readonly needsRollout?: boolean;
  /** Whether a decision depends on what it saw earlier in the episode. */
  readonly remembers?: boolean;
  /** Whether chance has a part in its choice: the same episode and another seed give other decisions. */
  readonly isRandom?: boolean;
  /** Whether it sees what will come: its figures are a mark, not those of a policy one could use. */
  readonly isClairvoyant?: boolean;
  /** What a name may set, as in `lacs:weight=1`; nothing where left out. */
  readonly options?: Readonly<Record<string, OptionBounds>>;
  /** The numbers it plays a scenario with, for results to name; none where left out. */
  readonly parameters?: (scenario: Scenario, options?: PolicyParameters) => PolicyParameters;
  /**
   * A fresh policy for one episode; the same seed, scenario and options give the same decisions.
   *
   * @param scenario the scenario of the episode, which is public knowledge
   * @param options what its name sets, checked against `options` of the entry
   */
  readonly make: (seed: number, scenario: Scenario, options?: PolicyParameters) => Policy;
}

/** What an option may be: a number within bounds, an integer where it says so, or one of some words. */
export type OptionBounds =
  | { readonly min: number; readonly max: number; readonly isInteger?: boolean }
  | { readonly words: readonly string[] };

/** What distinguishes a policy from others of its name, by name. */
export type PolicyParameters = Readonly<Record<string, number | string>>;

/**
 * The available server (1…E) of the smallest score, ties to the lowest index; 0 where none is available.
 *
 * @param score a number for the server at index e (0…E−1) of the observation's arrays
 */
export function serverOfSmallest(observation: Observation, score: (e: number) => number): number {
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let e = 0; e < observation.numServers; e++) {
    if (!isServerAvailable(observation, e)) continue;
    const value = score(e);
    if (best < 0 || value < bestScore) {
      best = e;
      bestScore = value;
    }
  }
  return best + 1;
}

/** How many servers are available. */
export function countAvailable(observation: Observation): number {
  let count = 0;
  for (let e = 0; e < observation.numServers; e++) if (isServerAvailable(observation, e)) count++;
  return count;
}

/** The n-th available server (1…E), n from 1; 0, the device, for n = 0. */
export function nthAvailable(observation: Observation, n: number): number {
  let left = n;
  for (let e = 0; left > 0 && e < observation.numServers; e++) {
    if (isServerAvailable(observation, e) && --left === 0) return e + 1;
  }
  return 0;
}
