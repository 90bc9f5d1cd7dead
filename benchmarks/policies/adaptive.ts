/** `adaptive`: the smallest J plus a price of 23 weights that rises with queues, work and the load seen so far. */

import { observedCosts } from "../../env/batch/action-costs.js";
import type { CoreBase, Observation } from "../../env/index.js";
import type { Policy } from "./policy.js";
import { type BasePrices, cheapestBy } from "./prices.js";

/**
 * The names of the features that the price of an action is linear in. Each has no unit, or is in slots.
 *
 * Of a server: N, its tasks; wait = L·γ(N+1)/F and work = D·γ/F, both over Δt. Of the user's device: backlog = W_u·γ/f
 * and deviceWork = D·γ/f, both over Δt. Of all available servers: mean, their mean N; load, the slots of all servers
 * that the tasks of one slot have needed so far, if each task had a server for itself. The first fifteen features price
 * a server, the others the device.
 */
export const adaptiveFeatures = [
  ...["N", "N*N", "N*wait", "N*work", "N*mean", "N*load", "N*N*load", "N*work*load", "N*N*mean"],
  ...["N*load*load", "N*N*load*load", "N*mean*load", "work*mean", "work*load", "wait*load"],
  ...["backlog", "backlog*load", "backlog*mean", "deviceWork*load", "mean", "load", "mean*load", "load*load"],
] as const;

/** A weight for each of `adaptiveFeatures`, slots. */
export type AdaptiveWeights = ArrayLike<number>;

/** The assumed load before anything is seen: tasks of 3.5 Mbit, 0.6 for each server and slot. */
const PRIOR_SIZE_MBIT = 3.5;
const PRIOR_TASKS_PER_SERVER_SLOT = 0.6;
/** After this much is seen, the assumption counts half. */
const PRIOR_TASKS = 10;
const PRIOR_SLOTS = 10;

/** The prices of one episode's decisions. Allocates nothing after its construction. */
export class AdaptivePrices implements BasePrices {
  readonly #w: Float64Array;
  #sizeSumMbit = PRIOR_TASKS * PRIOR_SIZE_MBIT;
  #numSizes = PRIOR_TASKS;

  /** @param weights one for each of `adaptiveFeatures`, slots */
  constructor(weights: AdaptiveWeights) {
    this.#w = Float64Array.from(weights);
  }

  get coreBase(): CoreBase {
    return { name: "adaptive", weights: this.#w, sizeSumMbit: this.#sizeSumMbit, numSizes: this.#numSizes };
  }

  /** Takes in a task of the episode and remembers its size. */
  see(observation: Observation): void {
    this.#sizeSumMbit += observation.sizeMbit;
    this.#numSizes += 1;
  }

  priceAll(observation: Observation, out: Float64Array): void {
    const w = this.#w;
    const { numServers, sizeMbit, densityGcyclesPerMbit, slotSeconds, cpuGHz, activeTasks, workloadMbit } = observation;
    const { isAvailable } = observation;
    const slotsGHzPerMbit = densityGcyclesPerMbit / slotSeconds;
    let numThere = 0;
    let sumTasks = 0;
    let sumGHz = 0;
    for (let e = 0; e < numServers; e++) {
      if (isAvailable !== undefined && !isAvailable[e]) continue;
      numThere += 1;
      sumTasks += activeTasks[e];
      sumGHz += cpuGHz[e];
    }
    observedCosts(observation, out);
    if (numThere === 0) return;
    const mean = sumTasks / numThere;
    const tasksPerSlot =
      (observation.decisionIndex / numThere + PRIOR_SLOTS * PRIOR_TASKS_PER_SERVER_SLOT) /
      (observation.slot + PRIOR_SLOTS);
    const load = (tasksPerSlot * (this.#sizeSumMbit / this.#numSizes) * slotsGHzPerMbit * numThere) / sumGHz;
    const deviceSlotsPerMbit = slotsGHzPerMbit / observation.localCpuGHz;
    const backlog = observation.localBacklogMbit * deviceSlotsPerMbit;
    out[0] +=
      backlog * (w[15] + w[16] * load + w[17] * mean) +
      sizeMbit * deviceSlotsPerMbit * w[18] * load +
      w[19] * mean +
      load * (w[20] + w[21] * mean + w[22] * load);
    // the part that all servers share is multiplied out once
    const perTask = w[0] + w[4] * mean + load * (w[5] + w[9] * load + w[11] * mean);
    const perTaskSquared = w[1] + w[8] * mean + load * (w[6] + w[10] * load);
    const perTaskWork = w[3] + w[7] * load;
    const perWork = w[12] * mean + w[13] * load;
    const perWait = w[14] * load;
    for (let e = 0; e < numServers; e++) {
      const tasks = activeTasks[e];
      const slotsPerMbit = slotsGHzPerMbit / cpuGHz[e];
      const wait = workloadMbit[e] * slotsPerMbit * (tasks + 1);
      const work = sizeMbit * slotsPerMbit;
      out[e + 1] +=
        tasks * (perTask + tasks * perTaskSquared + w[2] * wait + work * perTaskWork) + work * perWork + wait * perWait;
    }
  }
}

/** @param weights one for each of `adaptiveFeatures`, slots */
export function makeAdaptive(weights: AdaptiveWeights): Policy {
  return cheapestBy(new AdaptivePrices(weights));
}
