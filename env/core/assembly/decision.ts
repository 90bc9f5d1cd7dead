/** Carries out a decision: its cost, and the current task given to its action. */

import { theBatch } from "./batch";
import { currentBacklogMbit, isActionAvailable, Lane, serverOf, serverOffset, taskOf, User, userOf } from "./lane";
import { costliestAction, localLatencySlots, serverLatencySlots } from "./latency";
import { FLAG_INVALID_ACTION, FLAG_LATE } from "./outputs";
import { noteAdded } from "./task-list";

/** Work that is left after a service and is not more than this is done, Mbit. */
export const RESIDUAL_TOLERANCE_MBIT: f64 = 1e-12;

/** C of the action, and its task waits from now on; later tasks of the slot see it. There is room for the task. */
// @ts-ignore: decorator
@inline
export function giveTask(lane: Lane, action: i32): f64 {
  lane.decisionIndex += 1;
  return action == 0 ? giveToDevice(lane) : giveToServer(lane, action - 1);
}

// @ts-ignore: decorator
@inline
function giveToDevice(lane: Lane): f64 {
  const latency = localLatencySlots(lane.sizeMbit, currentBacklogMbit(lane), lane.scenario);
  const user = userOf(lane, lane.userIndex);
  followLocalTask(lane, user);
  user.addedMbit += lane.sizeMbit;
  return latency;
}

// @ts-ignore: decorator
@inline
function giveToServer(lane: Lane, index: i32): f64 {
  const scenario = lane.scenario;
  const server = serverOf(lane, index);
  const sizeMbit = lane.sizeMbit;
  const latency = serverLatencySlots(lane, server);
  const task = taskOf(lane, lane.numTasks);
  task.residualMbit = sizeMbit;
  task.uploadSlots = sizeMbit / server.rateMbps / scenario.slotSeconds;
  task.serverOffset = <u32>serverOffset(index);
  task.decisionSlot = lane.slot;
  task.wasLate = <i32>(latency > scenario.deadlineSlots);
  lane.numTasks += 1;
  server.activeTasks += 1;
  server.workloadMbit += sizeMbit;
  noteAdded(lane);
  return latency;
}

/**
 * Books what becomes of the current task on its user's device, before it is added there. A device serves first come,
 * first served, at a constant rate, so the slot in which its newest task will be done is known from the start.
 */
function followLocalTask(lane: Lane, user: User): void {
  const scenario = lane.scenario;
  const serviceMbit = scenario.localServiceMbit;
  const left = user.backlogMbit - serviceMbit;
  const addedMbit = user.addedMbit + lane.sizeMbit;
  const aheadMbit = (left > RESIDUAL_TOLERANCE_MBIT ? left : 0) + addedMbit;
  const slots = ceil<f64>((aheadMbit - RESIDUAL_TOLERANCE_MBIT) / serviceMbit);
  const slotsToEnd = <f64>(lane.endSlot - lane.slot);
  if (slots < slotsToEnd) {
    lane.finishedTasks += 1;
    lane.realisedLatencySumSlots += slots;
    if (slots > scenario.deadlineSlots) lane.finishedLateTasks += 1;
  } else {
    lane.unfinishedTasks += 1;
    if (slotsToEnd > scenario.deadlineSlots) lane.unfinishedLateTasks += 1;
  }
}

/** Carries out the action asked for, or the costliest one if it is not available, and writes what came of it. */
// @ts-ignore: decorator
@inline
export function decide(lane: Lane): void {
  const batch = theBatch();
  const outputs = batch.outputs;
  const i = <usize>lane.index;
  let action = load<i32>(batch.actions + 4 * i);
  let flags: u8 = 0;
  if (!isActionAvailable(lane, action)) {
    action = costliestAction(lane);
    flags = FLAG_INVALID_ACTION;
  }
  const latency = giveTask(lane, action);
  const scenario = lane.scenario;
  const isLate = latency > scenario.deadlineSlots;
  const cost = isLate ? latency + scenario.penaltySlots : latency; // eq. 11
  store<f64>(outputs.latencySlots + 8 * i, latency);
  store<f64>(outputs.costSlots + 8 * i, cost);
  store<f64>(outputs.reward + 8 * i, -cost); // eq. 14
  store<i32>(outputs.executedAction + 4 * i, action);
  store<u8>(outputs.flags + i, isLate ? flags | FLAG_LATE : flags);
}
