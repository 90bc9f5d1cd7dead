/** `clairvoyant`: tries the cheapest actions in the true future. It is not a fair policy, but a bound for others. */

import type { Scenario } from "../../env/index.js";
import type { Policy } from "./policy.js";
import { cheapestActions, roomFor } from "./prices.js";
import { basePrices } from "./rollout.js";

export const clairvoyantDefaults = { horizonSlots: 20, numCandidates: 4, base: "adaptive" } as const;

/** @throws TypeError if the policy is called without a rollout handle */
export function makeClairvoyant(scenario: Scenario): Policy {
  const { horizonSlots, numCandidates, base } = clairvoyantDefaults;
  const own = basePrices(base, scenario);
  let prices: Float64Array = new Float64Array(0);
  const candidates = new Int32Array(numCandidates);
  const sums = new Float64Array(numCandidates);
  const request = {
    candidates,
    numCandidates: 0,
    firstFuture: 0,
    numFutures: 1,
    horizonSlots,
    base: own.coreBase,
    future: "true" as const,
    keys: new Int32Array(2),
    busyProbability: 0,
    tasksSeen: 1,
  };
  return (observation, _lookAhead, rollout) => {
    if (rollout === undefined) throw new TypeError("the policy clairvoyant needs a rollout handle");
    own.see(observation);
    request.base = own.coreBase;
    prices = roomFor(observation, prices);
    own.priceAll(observation, prices);
    request.numCandidates = cheapestActions(prices, observation.numServers, candidates);
    rollout(request, sums);
    let best = 0;
    for (let i = 1; i < request.numCandidates; i++) if (sums[i] < sums[best]) best = i;
    return candidates[best];
  };
}
