/** `oracle`: the action with the smallest cost J now (eq. 15), ties to the lowest index. It ignores later tasks. */

import { cheapestOf, observedCosts } from "../../env/batch/action-costs.js";
import type { Observation } from "../../env/index.js";
import { roomFor } from "./prices.js";

/** Scratch, overwritten by every decision. */
let costs: Float64Array = new Float64Array(0);

export function oracle(observation: Observation): number {
  costs = roomFor(observation, costs);
  observedCosts(observation, costs);
  return cheapestOf(costs, observation.numServers);
}
