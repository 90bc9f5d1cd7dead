/** Policies that take the smallest price: the prices of a decision, and the search for the cheapest actions. */

import { cheapestOf } from "../../env/batch/action-costs.js";
import type { CoreBase, Observation } from "../../env/index.js";
import type { Policy } from "./policy.js";

/** The prices of one episode's decisions. */
export interface Prices {
  /** Takes in a decision of the episode. Called once for each decision, before its prices are asked for. */
  see(observation: Observation): void;
  /**
   * The current price of every action. Remembers nothing.
   *
   * @param out receives the prices of 0 … E, slots; infinite for an absent server
   */
  priceAll(observation: Observation, out: Float64Array): void;
}

/** Prices whose policy the core plays itself in rollouts. */
export interface BasePrices extends Prices {
  /** The policy of the smallest price as the core has it, with what it has seen so far. */
  readonly coreBase: CoreBase;
}

/**
 * The actions with the smallest prices, cheapest first, ties to the lowest index. Infinite prices are left out.
 *
 * @param out receives the actions; its length is the largest number of actions
 * @returns the number of actions
 */
export function cheapestActions(prices: ArrayLike<number>, numServers: number, out: Int32Array): number {
  let count = 0;
  for (let action = 0; action <= numServers; action++) {
    const own = prices[action];
    if (own === Number.POSITIVE_INFINITY) continue;
    let at = count;
    while (at > 0 && own < prices[out[at - 1]]) at--;
    if (at === out.length) continue;
    if (count < out.length) count++;
    for (let i = count - 1; i > at; i--) out[i] = out[i - 1];
    out[at] = action;
  }
  return count;
}

/** An array with room for the prices of an observation: `prices` itself, or a larger one. */
export function roomFor(observation: Observation, prices: Float64Array): Float64Array {
  const { numServers } = observation;
  return prices.length > numServers ? prices : new Float64Array(numServers + 1);
}

/** Takes the smallest price and does not remember what it sees: for play in imagined futures. */
export function imagined(prices: Prices): Policy {
  let out: Float64Array = new Float64Array(0);
  return (observation) => {
    out = roomFor(observation, out);
    prices.priceAll(observation, out);
    return cheapestOf(out, observation.numServers);
  };
}

/** Takes the smallest price in an episode, and remembers what it sees. */
export function cheapestBy(prices: Prices): Policy {
  const choose = imagined(prices);
  return (observation) => {
    prices.see(observation);
    return choose(observation);
  };
}
