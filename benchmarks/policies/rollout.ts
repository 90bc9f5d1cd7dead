/** `rollout`: tries the cheapest actions in sampled futures, and departs from its base policy only for a clear gain. */

import { rolloutKeys, type Scenario } from "../../env/index.js";
import { AdaptivePrices } from "./adaptive.js";
import { BusyBelief } from "./busy-belief.js";
import { adaptiveWeights, tollSlotsOf } from "./manifest.js";
import type { Policy, RolloutHandle } from "./policy.js";
import { TollPrices } from "./priced.js";
import { type BasePrices, cheapestActions, roomFor } from "./prices.js";

export interface RolloutOptions {
  /** M: sampled futures of a decision; only half of them are played if no candidate looks promising after these. */
  readonly numFutures: number;
  /** H: slots that are played in each future. */
  readonly horizonSlots: number;
  /** The largest number of actions that are tried: the cheapest ones by the base's price. */
  readonly numCandidates: number;
  /** An action is tried if its price exceeds the cheapest by no more than this, slots. */
  readonly mostGapSlots: number;
  /** The smallest paired t statistic of a gain that counts. */
  readonly threshold: number;
  /** The policy that plays on in the futures; `oracle` has no toll. */
  readonly base: "oracle" | "priced" | "adaptive";
}

export const rolloutDefaults: RolloutOptions = {
  numFutures: 16,
  horizonSlots: 5,
  numCandidates: 4,
  mostGapSlots: 1,
  threshold: 2,
  base: "adaptive",
};

/** The prices of a base policy, for one episode. */
export function basePrices(base: RolloutOptions["base"], scenario: Scenario): BasePrices {
  if (base === "adaptive") return new AdaptivePrices(adaptiveWeights);
  return new TollPrices(base === "oracle" ? 0 : tollSlotsOf(scenario));
}

/** t·|t| of n paired gains, t = mean·√n/sd. If all are equal, infinite with their sign; if all are 0, 0. */
export function signedTSquare(base: ArrayLike<number>, other: ArrayLike<number>, count: number): number {
  let mean = 0;
  for (let m = 0; m < count; m++) mean += (base[m] - other[m]) / count;
  let squares = 0;
  for (let m = 0; m < count; m++) {
    const deviation = base[m] - other[m] - mean;
    squares += deviation * deviation;
  }
  if (squares > 0) return (mean * (mean < 0 ? -mean : mean) * count * (count - 1)) / squares;
  return mean === 0 ? 0 : mean * Number.POSITIVE_INFINITY;
}

/**
 * @param seed selects the policy's own futures
 * @throws TypeError if the policy is called without a rollout handle
 */
export function makeRollout(seed: number, scenario: Scenario, options: RolloutOptions = rolloutDefaults): Policy {
  const { numFutures, horizonSlots, numCandidates, mostGapSlots, threshold } = options;
  const base = basePrices(options.base, scenario);
  let prices: Float64Array = new Float64Array(0);
  const belief = new BusyBelief(scenario.arrivals);
  const candidates = new Int32Array(numCandidates);
  const half = numFutures >> 1;
  const sums = new Float64Array(numCandidates * numFutures);
  const rows = Array.from({ length: numCandidates }, () => new Float64Array(numFutures));
  const request = {
    candidates,
    numCandidates: 0,
    firstFuture: 0,
    numFutures: 0,
    horizonSlots,
    base: base.coreBase,
    future: "sampled" as const,
    keys: rolloutKeys(seed),
    busyProbability: 0,
    tasksSeen: 0,
  };
  let lastSlot = -1;
  let lastUser = -1;

  const draw = (rollout: RolloutHandle, first: number, count: number) => {
    request.firstFuture = first;
    request.numFutures = count;
    rollout(request, sums);
    for (let i = 0; i < request.numCandidates; i++) {
      for (let m = 0; m < count; m++) rows[i][first + m] = sums[i * count + m];
    }
  };
  /** Drops the candidates that did worse than the base's choice in the first futures. */
  const keepPromising = (count: number) => {
    let kept = 1;
    for (let i = 1; i < request.numCandidates; i++) {
      if (signedTSquare(rows[0], rows[i], count) <= 0) continue;
      candidates[kept] = candidates[i];
      rows[kept].set(rows[i]);
      kept++;
    }
    request.numCandidates = kept;
  };
  /** The candidate with the largest t above the threshold; the base's choice if there is none. */
  const choose = () => {
    let best = 0;
    let bestT = threshold * threshold;
    for (let i = 1; i < request.numCandidates; i++) {
      const t = signedTSquare(rows[0], rows[i], numFutures);
      if (t > bestT) {
        best = i;
        bestT = t;
      }
    }
    return candidates[best];
  };

  return (observation, _lookAhead, rollout) => {
    if (rollout === undefined) throw new TypeError("the policy rollout needs a rollout handle");
    const { slot, userIndex, numServers } = observation;
    const isSameUser = slot === lastSlot && userIndex === lastUser;
    const { users } = scenario;
    request.tasksSeen = isSameUser ? request.tasksSeen + 1 : 1;
    if (!isSameUser) {
      const numUsers = "count" in users ? users.count : users.perServer * numServers;
      request.busyProbability = belief.see(slot, userIndex, numUsers);
    }
    lastSlot = slot;
    lastUser = userIndex;
    base.see(observation);
    request.base = base.coreBase;
    prices = roomFor(observation, prices);
    base.priceAll(observation, prices);
    request.numCandidates = cheapestActions(prices, numServers, candidates);
    const mostPrice = prices[candidates[0]] + mostGapSlots;
    while (prices[candidates[request.numCandidates - 1]] > mostPrice) request.numCandidates--;
    if (request.numCandidates === 1) return candidates[0];
    draw(rollout, 0, half);
    keepPromising(half);
    if (request.numCandidates === 1) return candidates[0];
    draw(rollout, half, numFutures - half);
    return choose();
  };
}
