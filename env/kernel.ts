/**
 * The physics: cost of an action, its effect, and a slot of service, over lanes in typed arrays.
 *
 * Hot: nothing here allocates (but for a lane's task list outgrowing its block), throws or does I/O. The order of
 * operations is part of the definition (docs/model.md), because costs must have the same bits everywhere.
 */

import type { LaneArrays, LaneSize } from "./layout.js";
import type { Parameters } from "./parameters.js";
import type { TaskLists } from "./task-list.js";

/** Work that is left after a service and is not more than this is done, Mbit. */
const RESIDUAL_TOLERANCE_MBIT = 1e-12;

/** All lanes of a batch, with the constants of each lane's scenario and room to compute in. */
export interface Lanes {
  readonly size: LaneSize;
  readonly arrays: LaneArrays;
  readonly tasks: TaskLists;
  /** Constants of the scenario each lane plays. */
  readonly parameters: readonly Parameters[];
  /** Scratch, one number for each server. */
  readonly shareMbit: Float64Array;
  readonly serviceMbit: Float64Array;
  /** All zero between two services. */
  readonly sharingTasks: Int32Array;
  readonly busyServers: Int32Array;
  readonly fading: Float64Array;
  readonly fadingWords: Int32Array;
}

/** Latency of an edge server in slots (eq. 7): upload (eq. 2), queueing (eq. 6), execution (eq. 5). */
export function edgeLatencySlots(
  sizeMbit: number,
  rateMbps: number,
  workloadMbit: number,
  activeTasks: number,
  cpuGHz: number,
  densityGcyclesPerMbit: number,
  slotSeconds: number,
): number {
  const sharers = activeTasks + 1; // eq. 4: the task itself shares too
  return (
    (sizeMbit / rateMbps +
      (workloadMbit * densityGcyclesPerMbit * sharers) / cpuGHz +
      (sizeMbit * densityGcyclesPerMbit * sharers) / cpuGHz) /
    slotSeconds
  );
}

/** Latency on the user's own device in slots (eq. 3). */
export function localLatencySlots(
  sizeMbit: number,
  backlogMbit: number,
  localCpuGHz: number,
  densityGcyclesPerMbit: number,
  slotSeconds: number,
): number {
  return (
    ((backlogMbit * densityGcyclesPerMbit) / localCpuGHz + (sizeMbit * densityGcyclesPerMbit) / localCpuGHz) /
    slotSeconds
  );
}

/** Cost J of a latency in slots: the latency, and the penalty where it exceeds the deadline (eq. 11). */
export function costOfLatency(latencySlots: number, deadlineSlots: number, penaltySlots: number): number {
  return latencySlots > deadlineSlots ? latencySlots + penaltySlots : latencySlots;
}

/** Latency C of `action` in {0, …, E} for a lane's current task, slots (eq. 8); infinite where the server is absent. */
export function actionLatencySlots(lanes: Lanes, lane: number, action: number): number {
  const { arrays, size } = lanes;
  const p = lanes.parameters[lane];
  const sizeMbit = arrays.sizeMbit[lane];
  if (action === 0) {
    const user = lane * size.maxUsers + arrays.userIndex[lane];
    const backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
    return localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, p.densityGcyclesPerMbit, p.slotSeconds);
  }
  const server = lane * size.maxServers + action - 1;
  return edgeLatencySlots(
    sizeMbit,
    arrays.rateMbps[server],
    arrays.workloadMbit[server],
    arrays.activeTasks[server],
    arrays.cpuGHz[server],
    p.densityGcyclesPerMbit,
    p.slotSeconds,
  );
}

/** Whether a lane's current task can be given to `action`: 0, or a server that exists and is there. */
export function isActionAvailable(lanes: Lanes, lane: number, action: number): boolean {
  const { numServers, isAvailable } = lanes.arrays;
  if (action === 0) return true;
  return action > 0 && action <= numServers[lane] && isAvailable[lane * lanes.size.maxServers + action - 1] === 1;
}

/** Cost J of `action` for a lane's current task, slots (eq. 11); infinite where the server is absent. */
function actionCostSlots(lanes: Lanes, lane: number, action: number): number {
  const p = lanes.parameters[lane];
  return costOfLatency(actionLatencySlots(lanes, lane, action), p.deadlineSlots, p.penaltySlots);
}

/** The action of the smallest cost for a lane's current task (eq. 15), ties to the lowest index. */
export function cheapestAction(lanes: Lanes, lane: number): number {
  const { rateMbps, workloadMbit, activeTasks, cpuGHz, numServers } = lanes.arrays;
  const { densityGcyclesPerMbit, slotSeconds, deadlineSlots, penaltySlots } = lanes.parameters[lane];
  const sizeMbit = lanes.arrays.sizeMbit[lane];
  let best = 0;
  let bestCost = costOfLatency(actionLatencySlots(lanes, lane, 0), deadlineSlots, penaltySlots);
  const first = lane * lanes.size.maxServers;
  for (let e = first, end = first + numServers[lane]; e < end; e++) {
    const latency = edgeLatencySlots(
      sizeMbit,
      rateMbps[e],
      workloadMbit[e],
      activeTasks[e],
      cpuGHz[e],
      densityGcyclesPerMbit,
      slotSeconds,
    );
    // an absent server has rate 0 and costs infinitely much
    const cost = latency > deadlineSlots ? latency + penaltySlots : latency;
    if (cost < bestCost) {
      best = e - first + 1;
      bestCost = cost;
    }
  }
  return best;
}

/** The available action of the largest cost, ties to the lowest index: what one that is not available is charged. */
export function costliestAction(lanes: Lanes, lane: number): number {
  let worst = 0;
  for (let action = 1; action <= lanes.arrays.numServers[lane]; action++) {
    if (!isActionAvailable(lanes, lane, action)) continue;
    if (actionCostSlots(lanes, lane, action) > actionCostSlots(lanes, lane, worst)) worst = action;
  }
  return worst;
}

/** Gives a lane's current task to `action`: it waits from now on, and later tasks of the slot see it. */
export function assignTask(lanes: Lanes, lane: number, action: number): void {
  const { arrays, size, tasks } = lanes;
  const p = lanes.parameters[lane];
  const sizeMbit = arrays.sizeMbit[lane];
  const slot = arrays.slot[lane];
  if (action === 0) {
    const user = lane * size.maxUsers + arrays.userIndex[lane];
    arrays.addedBacklogMbit[user] += sizeMbit;
    followLocalTask(lanes, lane, user);
    return;
  }
  const server = lane * size.maxServers + action - 1;
  const numTasks = arrays.numTasks[lane];
  if (numTasks === tasks.capacity[lane]) tasks.reserve(lane, numTasks + 1);
  const index = tasks.offset[lane] + numTasks;
  tasks.residualMbit[index] = sizeMbit;
  tasks.serverIndex[index] = action - 1;
  tasks.decisionSlot[index] = slot;
  tasks.uploadSlots[index] = sizeMbit / arrays.rateMbps[server] / p.slotSeconds;
  arrays.numTasks[lane] = numTasks + 1;
  arrays.activeTasks[server] += 1;
  arrays.workloadMbit[server] += sizeMbit;
}

/**
 * Books what becomes of a local task. A device serves first come, first served, at a constant rate, so the slot in
 * which the newest task will be done is known when it is taken on.
 */
function followLocalTask(lanes: Lanes, lane: number, user: number): void {
  const { arrays } = lanes;
  const p = lanes.parameters[lane];
  const left = arrays.backlogMbit[user] - p.localServiceMbit;
  const aheadMbit = (left > RESIDUAL_TOLERANCE_MBIT ? left : 0) + arrays.addedBacklogMbit[user];
  const slots = Math.ceil((aheadMbit - RESIDUAL_TOLERANCE_MBIT) / p.localServiceMbit);
  const slotsToEnd = arrays.endSlot[lane] - arrays.slot[lane];
  if (slots < slotsToEnd) {
    arrays.finishedTasks[lane] += 1;
    arrays.realisedLatencySumSlots[lane] += slots;
    if (slots > p.deadlineSlots) arrays.finishedLateTasks[lane] += 1;
  } else {
    arrays.unfinishedTasks[lane] += 1;
    if (slotsToEnd > p.deadlineSlots) arrays.unfinishedLateTasks[lane] += 1;
  }
}

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
