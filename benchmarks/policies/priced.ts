/** `priced`: the smallest J + κ·N_e: a toll for every task already on a server, which the oracle does not see. */

import { observedCostSlots } from "../../env/index.js";
import type { Policy } from "./policy.js";

/** @param tollSlots κ, slots for each active task */
export function makePriced(tollSlots: number): Policy {
  return (observation) => {
    let best = 0;
    let bestPrice = observedCostSlots(observation, 0);
    for (let action = 1; action <= observation.numServers; action++) {
      const price = observedCostSlots(observation, action) + tollSlots * observation.activeTasks[action - 1];
      if (price < bestPrice) {
        best = action;
        bestPrice = price;
      }
    }
    return best;
  };
}
