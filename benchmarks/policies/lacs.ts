/** `lacs`: the action of the largest look-ahead reward −(J + λ·C_impact) (eq. 26), ties to the lowest index. */

import { MecgymError, type Observation } from "../../env/index.js";
import type { LookAheadHandle } from "./policy.js";

/** @throws MecgymError `invalidOption` where no look-ahead is handed in */
export function lacs(observation: Observation, lookAhead?: LookAheadHandle): number {
  if (lookAhead === undefined) {
    const expected = "a look-ahead as second argument of the policy lacs";
    throw new MecgymError("invalidOption", { path: "lookAhead", got: lookAhead, expected });
  }
  const { reward } = lookAhead();
  let best = 0;
  for (let action = 1; action <= observation.numServers; action++) {
    if (reward[action] > reward[best]) best = action;
  }
  return best;
}
