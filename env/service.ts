/**
 * What a slot of service does to a lane: processor sharing at its servers, first come, first served at its devices.
 *
 * Hot, as kernel.ts is, and under the same rules.
 */

import { type Lanes, RESIDUAL_TOLERANCE_MBIT } from "./kernel.js";

/** One slot of service at every server and device (eq. 9, 10), for the work that was there as the slot began. */
export function serveSlot(lanes: Lanes, lane: number): void {
  if (lanes.arrays.numTasksAtSlotStart[lane] > 0) serveServers(lanes, lane);
  lanes.arrays.numTasksAtSlotStart[lane] = lanes.arrays.numTasks[lane];
  serveDevices(lanes, lane);
  appendHistory(lanes, lane);
}

/**
 * Processor sharing: a server's work of the slot is shared equally among its tasks; what a task does not need goes to
 * the others. Rounds: every task that needs no more than its share is done, then the rest is shared anew, until all
 * that are left need more than their share.
 *
 * Only servers that have tasks are looked at: most have none or one, and a pass over all of them would cost more than
 * the service itself.
 */
function serveServers(lanes: Lanes, lane: number): void {
  const { arrays, size, tasks, shareMbit, serviceMbit, sharingTasks, busyServers } = lanes;
  const { residualMbit, serverIndex } = tasks;
  const p = lanes.parameters[lane];
  const firstServer = lane * size.maxServers;
  const first = tasks.offset[lane];
  const end = first + arrays.numTasksAtSlotStart[lane];

  let numBusy = 0;
  for (let i = first; i < end; i++) {
    const e = serverIndex[i];
    if (sharingTasks[e] === 0) busyServers[numBusy++] = e;
    sharingTasks[e]++;
  }
  for (let b = 0; b < numBusy; b++) {
    const e = busyServers[b];
    const sharers = sharingTasks[e];
    const work = arrays.cpuGHz[firstServer + e] * p.slotSeconds;
    serviceMbit[e] = p.isSharedRate
      ? work / (p.densityGcyclesPerMbit * (sharers + 1)) // eq. 9
      : work / p.densityGcyclesPerMbit;
    shareMbit[e] = serviceMbit[e] / sharers;
  }

  let numDone = 0;
  let again = true;
  while (again) {
    again = false;
    let numDoneNow = 0;
    for (let i = first; i < end; i++) {
      const residual = residualMbit[i];
      const e = serverIndex[i];
      if (residual === 0 || residual - shareMbit[e] > RESIDUAL_TOLERANCE_MBIT) continue;
      residualMbit[i] = 0;
      const left = serviceMbit[e] - residual;
      serviceMbit[e] = left > 0 ? left : 0;
      sharingTasks[e]--;
      numDoneNow++;
    }
    numDone += numDoneNow;
    if (numDoneNow === 0 || numDone === end - first) break;
    for (let b = 0; b < numBusy; b++) {
      const e = busyServers[b];
      if (sharingTasks[e] === 0) continue;
      const share = serviceMbit[e] / sharingTasks[e];
      if (share !== shareMbit[e]) again = true;
      shareMbit[e] = share;
    }
  }
  settleServers(lanes, lane, numBusy);
}

/** Takes its share from every task that is left, drops those that are done, and sums N and L anew in arrival order. */
function settleServers(lanes: Lanes, lane: number, numBusy: number): void {
  const { arrays, size, tasks, shareMbit, sharingTasks, busyServers } = lanes;
  const { residualMbit, serverIndex, decisionSlot, uploadSlots, wasLate } = tasks;
  const { activeTasks, workloadMbit } = arrays;
  const p = lanes.parameters[lane];
  const firstServer = lane * size.maxServers;
  const slot = arrays.slot[lane];
  const isCounted = slot < arrays.endSlot[lane];
  const first = tasks.offset[lane];
  const served = first + arrays.numTasksAtSlotStart[lane];
  const end = first + arrays.numTasks[lane];

  for (let b = 0; b < numBusy; b++) {
    const e = busyServers[b];
    // from here on a mark of the servers that are summed anew; the others have new tasks alone, and stay as they are
    sharingTasks[e] = 1;
    activeTasks[firstServer + e] = 0;
    workloadMbit[firstServer + e] = 0;
  }
  let kept = first;
  for (let i = first; i < end; i++) {
    let residual = residualMbit[i];
    if (residual === 0) {
      if (!isCounted) continue;
      const latencySlots = uploadSlots[i] + (slot - decisionSlot[i]);
      arrays.finishedTasks[lane] += 1;
      arrays.realisedLatencySumSlots[lane] += latencySlots;
      if (latencySlots > p.deadlineSlots) arrays.finishedLateTasks[lane] += 1;
      continue;
    }
    const e = serverIndex[i];
    if (i < served) residual -= shareMbit[e];
    if (sharingTasks[e] !== 0) {
      activeTasks[firstServer + e] += 1;
      workloadMbit[firstServer + e] += residual;
    }
    residualMbit[kept] = residual;
    if (kept !== i) {
      serverIndex[kept] = e;
      decisionSlot[kept] = decisionSlot[i];
      uploadSlots[kept] = uploadSlots[i];
      if (p.hasChurn) wasLate[kept] = wasLate[i];
    }
    kept++;
  }
  arrays.numTasks[lane] = kept - first;
  for (let b = 0; b < numBusy; b++) sharingTasks[busyServers[b]] = 0;
}

/** A slot of local computing on every device (eq. 10's local counterpart). */
function serveDevices(lanes: Lanes, lane: number): void {
  const { backlogMbit, addedBacklogMbit, numUsers } = lanes.arrays;
  const serviceMbit = lanes.parameters[lane].localServiceMbit;
  const first = lane * lanes.size.maxUsers;
  for (let u = first, end = first + numUsers[lane]; u < end; u++) {
    const before = backlogMbit[u];
    const added = addedBacklogMbit[u];
    if (before === 0 && added === 0) continue;
    const left = before - serviceMbit;
    backlogMbit[u] = (left > RESIDUAL_TOLERANCE_MBIT ? left : 0) + added;
    addedBacklogMbit[u] = 0;
  }
}

/** Writes L_e over the oldest row of the history. */
function appendHistory(lanes: Lanes, lane: number): void {
  const { arrays, size } = lanes;
  const firstServer = lane * size.maxServers;
  const row = lane * size.historySlots + (arrays.slot[lane] % lanes.parameters[lane].historySlots);
  const firstEntry = row * size.maxServers;
  for (let e = 0, numServers = arrays.numServers[lane]; e < numServers; e++) {
    arrays.historyMbit[firstEntry + e] = arrays.workloadMbit[firstServer + e];
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
