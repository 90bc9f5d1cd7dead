/** `least-loaded`: the server with the smallest (L+D)(N+1)/F, the work up to the task over the rate it would get. */

import type { Observation } from "../../env/index.js";
import { serverOfSmallest } from "./policy.js";

export function leastLoaded(observation: Observation): number {
  return serverOfSmallest(observation, (e) => loadOf(observation, e));
}

/** Load of the server at index e after the task has joined it, Mbit/GHz. */
export function loadOf(observation: Observation, e: number): number {
  const workMbit = observation.workloadMbit[e] + observation.sizeMbit;
  return (workMbit * (observation.activeTasks[e] + 1)) / observation.cpuGHz[e];
}
