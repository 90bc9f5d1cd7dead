/** What a policy is: a function from an observation to an action. */

import {
  isServerAvailable,
  type LookAheadOptions,
  type LookAheadResult,
  type Observation,
  type RolloutRequest,
  type Scenario,
} from "../../env/index.js";

/** Computes what every action of the current decision costs now and may cost later (eq. 22-26). */
export type LookAheadHandle = (options?: Partial<LookAheadOptions>) => LookAheadResult;

/** Plays on from the current decision; fills [candidate][future] with sums of costs, slots. */
export type RolloutHandle = (request: RolloutRequest, out: Float64Array) => void;

/**
 * Answers one decision with an action: 0 runs the task locally, e sends it to server e. An absent server cannot be
 * chosen.
 *
 * A policy sees the observation and, if its entry says so, a look-ahead or rollouts. It sees nothing else of the
 * simulator. Within one episode it may remember what it saw.
 */
export type Policy = (observation: Observation, lookAhead?: LookAheadHandle, rollout?: RolloutHandle) => number;

/** A policy by its name, and how to make it. */
export interface PolicyEntry {
  readonly name: string;
  /** One sentence for a reader. */
  readonly description: string;
  /** Whether the policy needs a look-ahead handle. */
  readonly needsLookAhead?: boolean;
  /** Whether the policy needs a rollout handle. Such a policy can play episodes, but cannot answer recorded states. */
  readonly needsRollout?: boolean;
  /** Whether a decision depends on earlier ones of the episode. */
  readonly remembers?: boolean;
  /** Whether it draws at random: another seed gives other decisions in the same episode. */
  readonly isRandom?: boolean;
  /** Whether it sees the future: its figures are a bound, not those of a policy one could use. */
  readonly isClairvoyant?: boolean;
  /** Options that a name may set, as in `lacs:weight=1`; none if left out. */
  readonly options?: Readonly<Record<string, OptionBounds>>;
  /** The parameters it plays a scenario with, which results name; none if left out. */
  readonly parameters?: (scenario: Scenario, options?: PolicyParameters) => PolicyParameters;
  /**
   * Makes a fresh policy for one episode. The same seed, scenario and options give the same decisions.
   *
   * @param scenario the scenario of the episode, which is public knowledge
   * @param options the options in its name, checked against `options` of the entry
   */
  readonly make: (seed: number, scenario: Scenario, options?: PolicyParameters) => Policy;
}

/** The values of an option: a number or an integer within bounds, or one of some words. */
export type OptionBounds =
  | { readonly min: number; readonly max: number; readonly isInteger?: boolean }
  | { readonly words: readonly string[] };

/** The options or parameters of a policy, by name. */
export type PolicyParameters = Readonly<Record<string, number | string>>;

/**
 * The available server (1…E) with the smallest score, ties to the lowest index; 0 if none is available.
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

/** The n-th available server (1…E), n from 1; for n = 0 the device, 0. */
export function nthAvailable(observation: Observation, n: number): number {
  let left = n;
  for (let e = 0; left > 0 && e < observation.numServers; e++) {
    if (isServerAvailable(observation, e) && --left === 0) return e + 1;
  }
  return 0;
}
