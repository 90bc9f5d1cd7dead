/** Churn: servers that leave an episode and return to it, and what becomes of the tasks they held. */

import { drawUniform, seedStream, streamName } from "../random.js";
import type { Lanes } from "./kernel.js";

/** Starts an episode's churn: every server is there. */
export function startChurn(lanes: Lanes, lane: number, seed: number): void {
  const { arrays, size } = lanes;
  const first = lane * size.maxServers;
  arrays.isAvailable.fill(0, first, first + size.maxServers);
  arrays.isAvailable.fill(1, first, first + arrays.numServers[lane]);
  arrays.lostTasks[lane] = 0;
  arrays.lostOnTimeTasks[lane] = 0;
  if (lanes.parameters[lane].hasChurn) seedStream(streamName("churn", seed), arrays.churnStream, lane * 4);
  else arrays.churnStream.fill(0, lane * 4, lane * 4 + 4);
}

/**
 * Between two slots, before the arrivals of the later one: every server leaves, returns or stays where it is.
 *
 * There is one draw for each server, whether it is there or not, so that who is there depends on the seed alone.
 */
export function changeServers(lanes: Lanes, lane: number): void {
  const { isAvailable, activeTasks, churnStream, numServers } = lanes.arrays;
  const { leaveProbability, returnProbability } = lanes.parameters[lane];
  const first = lane * lanes.size.maxServers;
  let isTaskLost = false;
  for (let e = first, end = first + numServers[lane]; e < end; e++) {
    const u = drawUniform(churnStream, lane * 4);
    if (isAvailable[e] === 0) {
      if (u < returnProbability) isAvailable[e] = 1;
    } else if (u < leaveProbability) {
      isAvailable[e] = 0;
      if (activeTasks[e] > 0) isTaskLost = true;
    }
  }
  if (isTaskLost) loseTasks(lanes, lane);
}

/** Takes the tasks of absent servers out of the list, and counts them while the episode's slots last. */
function loseTasks(lanes: Lanes, lane: number): void {
  const { arrays, size, tasks } = lanes;
  const { residualMbit, serverIndex, decisionSlot, uploadSlots, wasLate } = tasks;
  const { isAvailable, activeTasks, workloadMbit } = arrays;
  const firstServer = lane * size.maxServers;
  const isCounted = arrays.slot[lane] < arrays.endSlot[lane];
  const first = tasks.offset[lane];
  const end = first + arrays.numTasks[lane];
  let kept = first;
  for (let i = first; i < end; i++) {
    const server = firstServer + serverIndex[i];
    if (isAvailable[server] === 0) {
      activeTasks[server] = 0;
      workloadMbit[server] = 0;
      if (!isCounted) continue;
      arrays.lostTasks[lane] += 1;
      if (wasLate[i] === 0) arrays.lostOnTimeTasks[lane] += 1;
      continue;
    }
    if (kept !== i) {
      residualMbit[kept] = residualMbit[i];
      serverIndex[kept] = serverIndex[i];
      decisionSlot[kept] = decisionSlot[i];
      uploadSlots[kept] = uploadSlots[i];
      wasLate[kept] = wasLate[i];
    }
    kept++;
  }
  arrays.numTasks[lane] = kept - first;
  // the slot has just begun: whatever is left was there as it did
  arrays.numTasksAtSlotStart[lane] = kept - first;
}

/** Rates of absent servers: 0, which makes every cost there infinite. Their draws have been made all the same. */
export function hideRates(lanes: Lanes, lane: number): void {
  const { isAvailable, rateMbps, numServers } = lanes.arrays;
  const first = lane * lanes.size.maxServers;
  for (let e = first, end = first + numServers[lane]; e < end; e++) if (isAvailable[e] === 0) rateMbps[e] = 0;
}
