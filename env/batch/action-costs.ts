/** What the actions of a decision cost, all of them at once, and which of them is the cheapest or the costliest. */

import type { BatchEnv } from "./batch-env.js";
import { costOfLatency, edgeLatencySlots, localLatencySlots } from "./latency.js";
import { isObservedActionAvailable, type Observation } from "./observation.js";

/**
 * J of every action, with the bits of `observedCostSlots`. Each field is read once, because a view looks up its lane at
 * every read.
 *
 * @param out receives J for 0 … E, slots; infinite for an absent server
 */
export function observedCosts(observation: Observation, out: Float64Array): void {
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

/**
 * The action of the smallest cost, ties to the lowest index.
 *
 * @param costs of 0 … E; infinite for an absent server
 */
export function cheapestOf(costs: ArrayLike<number>, numServers: number): number {
  let best = 0;
  for (let action = 1; action <= numServers; action++) if (costs[action] < costs[best]) best = action;
  return best;
}

/**
 * The available action of the largest cost, ties to the lowest index. An action that cannot be taken is charged as this
 * one.
 *
 * @param costs of 0 … E
 */
export function costliestOf(costs: ArrayLike<number>, observation: Observation): number {
  let worst = 0;
  for (let action = 1; action <= observation.numServers; action++) {
    if (isObservedActionAvailable(observation, action) && costs[action] > costs[worst]) worst = action;
  }
  return worst;
}

/** The action of the smallest cost for the current task of a batch's lane (eq. 15), ties to the lowest index. */
export function cheapestAction(batch: BatchEnv, lane: number): number {
  return batch.cheapestActions()[lane];
}
