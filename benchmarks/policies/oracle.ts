/** `oracle`: the action with the smallest cost J now (eq. 15), ties to the lowest index. It ignores later tasks. */

import { type Observation, observedCostSlots } from "../../env/index.js";

export function oracle(observation: Observation): number {
  let best = 0;
  let bestCost = observedCostSlots(observation, 0);
  for (let action = 1; action <= observation.numServers; action++) {
    const cost = observedCostSlots(observation, action);
    if (cost < bestCost) {
      best = action;
      bestCost = cost;
    }
  }
  return best;
}
