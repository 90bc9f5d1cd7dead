/** `lacs`: the action with the largest look-ahead reward −(J + λ·C_impact) (eq. 26), ties to the lowest index. */

import { checkOption } from "../../env/checks.js";
import type { LookAheadOptions, Observation } from "../../env/index.js";
import type { LookAheadHandle, Policy } from "./policy.js";

/** Uses the scenario's K and λ. @throws MecgymError `invalidOption` if it gets no look-ahead */
export function lacs(observation: Observation, lookAhead?: LookAheadHandle): number {
  return largestReward(observation, lookAhead, {});
}

/** Uses other options, such as `weight` for λ. */
export function makeLacs(options: Partial<LookAheadOptions>): Policy {
  return (observation, lookAhead) => largestReward(observation, lookAhead, options);
}

function largestReward(
  observation: Observation,
  lookAhead: LookAheadHandle | undefined,
  options: Partial<LookAheadOptions>,
): number {
  const expected = "a look-ahead as second argument of the policy lacs";
  checkOption(lookAhead !== undefined, "lookAhead", lookAhead, expected);
  const { reward } = lookAhead(options);
  let chosen = 0;
  for (let action = 1; action <= observation.numServers; action++) {
    if (reward[action] > reward[chosen]) chosen = action;
  }
  return chosen;
}
