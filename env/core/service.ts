/**
 * What a slot of service does to lanes: processor sharing at their servers, first come, first served at their devices.
 *
 * Hot, as kernel.ts is, and under the same rules. Branches that go now one way and now the other cost more here than the
 * arithmetic: where both ways are cheap, both are computed.
 */

import { type Lanes, RESIDUAL_TOLERANCE_MBIT } from "./kernel.js";

/** One slot of service at every server and device (eq. 9, 10), for the work that was there as the slot began. */
export function serveSlots(lanes: Lanes, list: Int32Array, count: number): void {
  shareServers(lanes, list, count);
  serveDevices(lanes, list, count);
  appendHistory(lanes, list, count);
}

/**
 * Processor sharing: a server's work of the slot is shared equally among its tasks; what a task does not need goes to
 * the others. Rounds: every task that needs no more than its share is done, then the rest is shared anew, until all
 * that are left need more than their share.
 */
function shareServers(lanes: Lanes, list: Int32Array, count: number): void {
  const { arrays, size, tasks, parameters, shareMbit, serviceMbit, sharingTasks, changedServers, isChanged } = lanes;
  const { residualMbit, serverIndex } = tasks;
  const { cpuGHz, numServers, numTasks, numTasksAtSlotStart } = arrays;
  for (let l = 0; l < count; l++) {
    const lane = list[l];
    const first = tasks.offset[lane];
    const end = first + numTasksAtSlotStart[lane];
    if (end > first) {
      const { slotSeconds, densityGcyclesPerMbit, isSharedRate } = parameters[lane];
      const firstServer = lane * size.maxServers;
      const laneServers = numServers[lane];
      for (let e = 0; e < laneServers; e++) sharingTasks[e] = 0;
      for (let i = first; i < end; i++) sharingTasks[serverIndex[i]] += 1;
      for (let e = 0; e < laneServers; e++) {
        const sharers = sharingTasks[e];
        const work = cpuGHz[firstServer + e] * slotSeconds;
        const service = isSharedRate
          ? work / (densityGcyclesPerMbit * (sharers + 1)) // eq. 9
          : work / densityGcyclesPerMbit;
        serviceMbit[e] = service;
        shareMbit[e] = service / sharers; // infinite where nobody asks for it
      }

      let isAgain: boolean;
      do {
        let numChanged = 0;
        for (let i = first; i < end; i++) {
          const residual = residualMbit[i];
          const e = serverIndex[i];
          if (residual - shareMbit[e] > RESIDUAL_TOLERANCE_MBIT || residual === 0) continue;
          residualMbit[i] = 0;
          const left = serviceMbit[e] - residual;
          serviceMbit[e] = left > 0 ? left : 0;
          sharingTasks[e] -= 1;
          changedServers[numChanged] = e;
          numChanged += 1 - isChanged[e];
          isChanged[e] = 1;
        }
        isAgain = false;
        for (let c = 0; c < numChanged; c++) {
          const e = changedServers[c];
          isChanged[e] = 0;
          if (sharingTasks[e] === 0) continue;
          const share = serviceMbit[e] / sharingTasks[e];
          if (share !== shareMbit[e]) isAgain = true;
          shareMbit[e] = share;
        }
      } while (isAgain);
      settleServers(lanes, lane);
    }
    numTasksAtSlotStart[lane] = numTasks[lane];
  }
}

/** Takes its share from every task that is left, drops those that are done, and sums N and L anew in arrival order. */
function settleServers(lanes: Lanes, lane: number): void {
  const { arrays, size, tasks, shareMbit } = lanes;
  const { residualMbit, serverIndex, decisionSlot, uploadSlots, wasLate } = tasks;
  const { activeTasks, workloadMbit } = arrays;
  const { deadlineSlots, hasChurn } = lanes.parameters[lane];
  const firstServer = lane * size.maxServers;
  const slot = arrays.slot[lane];
  const first = tasks.offset[lane];
  const served = first + arrays.numTasksAtSlotStart[lane];
  const end = first + arrays.numTasks[lane];
  for (let e = firstServer, last = firstServer + arrays.numServers[lane]; e < last; e++) {
    activeTasks[e] = 0;
    workloadMbit[e] = 0;
  }

  let kept = first;
  let finished = 0;
  let finishedLate = 0;
  let latencySum = arrays.realisedLatencySumSlots[lane];
  for (let i = first; i < end; i++) {
    const residual = residualMbit[i];
    const e = serverIndex[i];
    if (residual === 0) {
      const latencySlots = uploadSlots[i] + (slot - decisionSlot[i]);
      finished += 1;
      latencySum += latencySlots;
      if (latencySlots > deadlineSlots) finishedLate += 1;
      continue;
    }
    // tasks of this slot were not served
    const left = i < served ? residual - shareMbit[e] : residual;
    activeTasks[firstServer + e] += 1;
    workloadMbit[firstServer + e] += left;
    residualMbit[kept] = left;
    serverIndex[kept] = e;
    decisionSlot[kept] = decisionSlot[i];
    uploadSlots[kept] = uploadSlots[i];
    if (hasChurn) wasLate[kept] = wasLate[i];
    kept++;
  }
  arrays.numTasks[lane] = kept - first;
  if (slot >= arrays.endSlot[lane]) return;
  arrays.finishedTasks[lane] += finished;
  arrays.finishedLateTasks[lane] += finishedLate;
  arrays.realisedLatencySumSlots[lane] = latencySum;
}

/** A slot of local computing on every device (eq. 10's local counterpart). */
function serveDevices(lanes: Lanes, list: Int32Array, count: number): void {
  const { backlogMbit, addedBacklogMbit, numUsers } = lanes.arrays;
  const { maxUsers } = lanes.size;
  for (let l = 0; l < count; l++) {
    const lane = list[l];
    const { localServiceMbit } = lanes.parameters[lane];
    for (let u = lane * maxUsers, end = u + numUsers[lane]; u < end; u++) {
      const before = backlogMbit[u];
      const added = addedBacklogMbit[u];
      if (before === 0 && added === 0) continue;
      const left = before - localServiceMbit;
      backlogMbit[u] = (left > RESIDUAL_TOLERANCE_MBIT ? left : 0) + added;
      addedBacklogMbit[u] = 0;
    }
  }
}

/** Writes L_e over the oldest row of the history. */
function appendHistory(lanes: Lanes, list: Int32Array, count: number): void {
  const { historyMbit, workloadMbit, numServers, slot } = lanes.arrays;
  const { maxServers, historySlots } = lanes.size;
  for (let l = 0; l < count; l++) {
    const lane = list[l];
    const row = lane * historySlots + (slot[lane] % lanes.parameters[lane].historySlots);
    let entry = row * maxServers;
    for (let e = lane * maxServers, end = e + numServers[lane]; e < end; e++) historyMbit[entry++] = workloadMbit[e];
  }
}

/** Counts the tasks that the episode's last slot left unfinished, and those of them that can only be late. */
export function countUnfinished(lanes: Lanes, lane: number): void {
  const { arrays, tasks } = lanes;
  const { deadlineSlots } = lanes.parameters[lane];
  const endSlot = arrays.endSlot[lane];
  const first = tasks.offset[lane];
  for (let i = first, end = first + arrays.numTasks[lane]; i < end; i++) {
    arrays.unfinishedTasks[lane] += 1;
    if (tasks.uploadSlots[i] + (endSlot - tasks.decisionSlot[i]) > deadlineSlots) {
      arrays.unfinishedLateTasks[lane] += 1;
    }
  }
}
