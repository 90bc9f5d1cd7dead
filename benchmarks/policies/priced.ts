/** `priced`: the smallest J + κ·N_e, a toll for every task already on a server, which the oracle does not charge. */

import { observedCosts } from "../../env/batch/action-costs.js";
import type { CoreBase, Observation } from "../../env/index.js";
import type { Policy } from "./policy.js";
import { type BasePrices, cheapestBy } from "./prices.js";

/** J + κ·N_e; with κ = 0 this is J, the price of `oracle`. */
export class TollPrices implements BasePrices {
  readonly coreBase: CoreBase;
  readonly #tollSlots: number;

  constructor(tollSlots: number) {
    this.coreBase = { name: "priced", tollSlots };
    this.#tollSlots = tollSlots;
  }

  see(): void {}

  priceAll(observation: Observation, out: Float64Array): void {
    observedCosts(observation, out);
    const { activeTasks, numServers } = observation;
    for (let e = 0; e < numServers; e++) out[e + 1] += this.#tollSlots * activeTasks[e];
  }
}

/** @param tollSlots κ, slots for each active task */
export function makePriced(tollSlots: number): Policy {
  return cheapestBy(new TollPrices(tollSlots));
}
