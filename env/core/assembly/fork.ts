/** Copies lanes: forks, and what a restore or a rollout needs of them. */

import { laneAt, theBatch } from "./batch";
import { CANARY_BYTES } from "./canary";
import { checkLane } from "./decision-block";
import { Lane, RUNNING, TASK, UNUSED } from "./lane";
import { syncOutputs } from "./outputs";
import { takeIn } from "./player";
import { fail, INVALID_OPTION, NEEDS_ROOM } from "./status";
import { noteAdded, reserveTasks } from "./task-list";

export function checkIndex(index: i32): i32 {
  const batch = theBatch();
  if (<u32>index < <u32>batch.numLanes) return 0;
  return fail(INVALID_OPTION, "lane", -1, index, 0, batch.numLanes - 1);
}

/** Makes lane `to` a copy of lane `from`. False, and nothing changed, if memory is short. */
export function copyLane(from: Lane, to: Lane): bool {
  if (!reserveTasks(to, from.numTasks)) return false;
  const batch = theBatch();
  // what belongs to the place and not to the state stays
  const index = to.index;
  const users = to.users;
  const availability = to.availability;
  const history = to.history;
  const tasks = to.tasks;
  const taskCapacity = to.taskCapacity;
  memory.copy(changetype<usize>(to), changetype<usize>(from), batch.laneBytes - CANARY_BYTES);
  to.index = index;
  to.users = users;
  to.availability = availability;
  to.history = history;
  to.tasks = tasks;
  to.taskCapacity = taskCapacity;
  memory.copy(history, from.history, batch.historyRowBytes * <usize>from.scenario.historySlots);
  memory.copy(tasks, from.tasks, TASK * <usize>from.numTasks);
  return true;
}

/** Puts a copy of `from` in the place of a lane of the batch, and shows it. */
export function replaceLane(from: Lane, to: Lane): bool {
  const batch = theBatch();
  const wasRunning = to.phase == RUNNING;
  if (!copyLane(from, to)) return false;
  batch.numRunning += <i32>(to.phase == RUNNING) - <i32>wasRunning;
  noteAdded(to);
  syncOutputs();
  takeIn(to);
  return true;
}

/** Makes lane `to` a copy of lane `from` of the same scenario: each plays on as if the other were not there. */
export function fork(from: i32, to: i32): i32 {
  if (checkIndex(from) != 0 || checkIndex(to) != 0) return INVALID_OPTION;
  const problem = checkLane(from);
  if (problem != 0) return problem;
  const scenario = laneAt(from).scenario.index;
  const other = laneAt(to).scenario.index;
  if (scenario != other) return fail(INVALID_OPTION, "to", to, other, scenario, scenario);
  return replaceLane(laneAt(from), laneAt(to)) ? 0 : NEEDS_ROOM;
}

/** After the whole memory was copied: clears what the last step of the original brought. */
export function forgetStep(): i32 {
  const batch = theBatch();
  syncOutputs();
  batch.numFinal = 0;
  for (let i = 0; i < batch.numLanes; i++) {
    if (laneAt(i).phase != UNUSED) takeIn(laneAt(i));
  }
  return 0;
}
