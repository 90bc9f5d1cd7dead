/** Policies that take the smallest price: what a price list is, and how the cheapest actions are found in one. */

import { costOfLatency, edgeLatencySlots, localLatencySlots } from "../../env/core/kernel.js";
import type { Observation } from "../../env/index.js";
import type { Policy } from "./policy.js";

/** The prices of one episode's decisions. */
export interface Prices {
  /** Takes in a decision of the episode, once each, before it is priced. */
  see(observation: Observation): void;
  /**
   * The price of every action as it is now; remembers nothing.
   *
   * @param out receives them for 0 … E, slots; infinite for a server that is absent
   */
  priceAll(observation: Observation, out: Float64Array): void;
}

/**
 * J of every action, with the bits of `observedCostSlots`. Each field is read once: a view looks up its lane each time.
 *
 * @param out receives J for 0 … E, slots; infinite for a server that is absent
 */
export function costAll(observation: Observation, out: Float64Array): void {
  const { sizeMbit, densityGcyclesPerMbit, slotSeconds, deadlineSlots, penaltySlots, numServers } = observation;
  const { rateMbps, workloadMbit, activeTasks, cpuGHz, isAvailable } = observation;
  const { localBacklogMbit, localCpuGHz } = observation;
  const local = localLatencySlots(sizeMbit, localBacklogMbit, localCpuGHz, densityGcyclesPerMbit, slotSeconds);
  out[0] = costOfLatency(local, deadlineSlots, penaltySlots);
  for (let e = 0; e < numServers; e++) {
    if (isAvailable !== undefined && !isAvailable[e]) {
      out[e + 1] = Number.POSITIVE_INFINITY;
      continue;
    }
    const latency = edgeLatencySlots(
      sizeMbit,
      rateMbps[e],
      workloadMbit[e],
      activeTasks[e],
      cpuGHz[e],
      densityGcyclesPerMbit,
      slotSeconds,
    );
    out[e + 1] = costOfLatency(latency, deadlineSlots, penaltySlots);
  }
}

/** The action of the smallest price, ties to the lowest index. */
export function cheapestOf(prices: ArrayLike<number>, numServers: number): number {
  let best = 0;
  for (let action = 1; action <= numServers; action++) if (prices[action] < prices[best]) best = action;
  return best;
}

/**
 * The actions of the smallest prices, cheapest first, ties to the lowest index; none of infinite price.
 *
 * @param out receives the actions; its length is the most that are wanted
 * @returns how many there are
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

/** An array with room for the prices of an observation: the one given, or a larger one. */
export function roomFor(observation: Observation, prices: Float64Array): Float64Array {
  const { numServers } = observation;
  return prices.length > numServers ? prices : new Float64Array(numServers + 1);
}

/** Takes the smallest price without remembering what it sees: for play in futures that are only imagined. */
export function imagined(prices: Prices): Policy {
  let out: Float64Array = new Float64Array(0);
  return (observation) => {
    out = roomFor(observation, out);
    prices.priceAll(observation, out);
    return cheapestOf(out, observation.numServers);
  };
}

/** Takes the smallest price in an episode. */
export function cheapestBy(prices: Prices): Policy {
  const choose = imagined(prices);
  return (observation) => {
    prices.see(observation);
    return choose(observation);
  };
}
