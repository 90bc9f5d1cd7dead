/**
 * The physics of a decision: cost of an action and its effect, over lanes in typed arrays. A slot's service is in
 * service.ts.
 *
 * Hot: nothing here allocates (but for a lane's task list outgrowing its block), throws or does I/O. The order of
 * operations is part of the definition (docs/model.md), because costs must have the same bits everywhere. What plays many
 * lanes takes a list of them and goes through it once, so that the arrays are looked up once and not for each lane.
 */

import { BLOCK_LENGTH } from "./block-ln.js";
import { FLAG_INVALID_ACTION, FLAG_LATE } from "./flags.js";
import type { LaneArrays, LaneSize } from "./layout.js";
import type { BatchOutputs } from "./outputs.js";
import type { Parameters } from "./parameters.js";
import type { TaskLists } from "./task-list.js";

/** Work that is left after a service and is not more than this is done, Mbit. */
export const RESIDUAL_TOLERANCE_MBIT = 1e-12;

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
  readonly sharingTasks: Int32Array;
  /** One place more than there are servers. */
  readonly changedServers: Int32Array;
  /** All zero between two services. */
  readonly isChanged: Uint8Array;
  /** Most lanes that a list may hold: what they need to compute in stays in the processor's nearest cache. */
  readonly blockLanes: number;
  /** Scratch for a list of lanes: those whose rates are drawn, and those that still look for their next task. */
  readonly drawingLanes: Int32Array;
  readonly searchingLanes: Int32Array;
  /** A list of one lane. */
  readonly oneLane: Int32Array;
}

/** The room to compute in that belongs to lanes of a size. */
export function allocateScratch({ numLanes, maxServers }: LaneSize) {
  const blockLanes = Math.max(1, Math.min(numLanes, MAX_BLOCK_LANES, Math.floor(BLOCK_LENGTH / maxServers)));
  return {
    shareMbit: new Float64Array(maxServers),
    serviceMbit: new Float64Array(maxServers),
    sharingTasks: new Int32Array(maxServers),
    changedServers: new Int32Array(maxServers + 1),
    isChanged: new Uint8Array(maxServers),
    blockLanes,
    drawingLanes: new Int32Array(blockLanes),
    searchingLanes: new Int32Array(blockLanes),
    oneLane: new Int32Array(1),
  };
}

const MAX_BLOCK_LANES = 64;

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

/**
 * Carries out one decision in each lane of a list: its cost, and the current task given to its action. It waits from now
 * on, and later tasks of the slot see it.
 *
 * @param list the lanes; the first `count` entries
 * @param actions what is asked for, by lane; one that is not available is replaced by the costliest
 * @param out receives what came of it, by lane
 */
export function decideTasks(
  lanes: Lanes,
  list: Int32Array,
  count: number,
  actions: Int32Array,
  out: Pick<BatchOutputs, "latencySlots" | "costSlots" | "reward" | "executedAction" | "flags">,
): void {
  // what is rare and calls others comes before the loop that all lanes go through: after a call within a loop, V8 looks up
  // every array anew
  prepareDecisions(lanes, list, count, actions, out);
  const { arrays, size, tasks, parameters } = lanes;
  const { maxServers, maxUsers } = size;
  const { rateMbps, workloadMbit, activeTasks, cpuGHz, numTasks, decisionIndex, slot } = arrays;
  const { residualMbit, serverIndex, decisionSlot, uploadSlots, wasLate, offset } = tasks;
  const { latencySlots, costSlots, reward, executedAction, flags } = out;
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    const p = parameters[lane];
    const sizeMbit = arrays.sizeMbit[lane];
    const action = executedAction[lane];
    let latency: number;
    if (action === 0) {
      const user = lane * maxUsers + arrays.userIndex[lane];
      const backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
      latency = localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, p.densityGcyclesPerMbit, p.slotSeconds);
      arrays.addedBacklogMbit[user] += sizeMbit;
    } else {
      const server = lane * maxServers + action - 1;
      const rate = rateMbps[server];
      latency = edgeLatencySlots(
        sizeMbit,
        rate,
        workloadMbit[server],
        activeTasks[server],
        cpuGHz[server],
        p.densityGcyclesPerMbit,
        p.slotSeconds,
      );
      const position = numTasks[lane];
      const index = offset[lane] + position;
      residualMbit[index] = sizeMbit;
      serverIndex[index] = action - 1;
      decisionSlot[index] = slot[lane];
      uploadSlots[index] = sizeMbit / rate / p.slotSeconds;
      // where servers never leave, nobody asks
      if (p.hasChurn) wasLate[index] = latency > p.deadlineSlots ? 1 : 0;
      numTasks[lane] = position + 1;
      activeTasks[server] += 1;
      workloadMbit[server] += sizeMbit;
    }
    const isLate = latency > p.deadlineSlots;
    const cost = isLate ? latency + p.penaltySlots : latency; // eq. 11
    decisionIndex[lane] += 1;
    latencySlots[lane] = latency;
    costSlots[lane] = cost;
    reward[lane] = -cost; // eq. 14
    if (isLate) flags[lane] |= FLAG_LATE;
  }
}

/** What each lane's action will be, and room for the task where its list is full. */
function prepareDecisions(
  lanes: Lanes,
  list: Int32Array,
  count: number,
  actions: Int32Array,
  { executedAction, flags }: Pick<BatchOutputs, "executedAction" | "flags">,
): void {
  const { tasks } = lanes;
  const { numTasks, userIndex } = lanes.arrays;
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    const action = actions[lane];
    const isAvailable = isActionAvailable(lanes, lane, action);
    executedAction[lane] = isAvailable ? action : costliestAction(lanes, lane);
    flags[lane] = isAvailable ? 0 : FLAG_INVALID_ACTION;
    if (executedAction[lane] === 0) followLocalTask(lanes, lane, lane * lanes.size.maxUsers + userIndex[lane]);
    else if (numTasks[lane] === tasks.capacity[lane]) tasks.reserve(lane, numTasks[lane] + 1);
  }
}

/**
 * Books what becomes of a lane's current task on its user's device, before it is added there. A device serves first come, first served, at a constant rate, so the slot in
 * which the newest task will be done is known when it is taken on.
 */
function followLocalTask(lanes: Lanes, lane: number, user: number): void {
  const { arrays } = lanes;
  const p = lanes.parameters[lane];
  const left = arrays.backlogMbit[user] - p.localServiceMbit;
  const addedMbit = arrays.addedBacklogMbit[user] + arrays.sizeMbit[lane];
  const aheadMbit = (left > RESIDUAL_TOLERANCE_MBIT ? left : 0) + addedMbit;
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
