/** Churn: servers that leave an episode and return to it, and what becomes of the tasks they held. */

import { drawUniform } from "./alea";
import { churnStream, isThere, Lane, serverIndexOf, serverOf, serverOfTask, Task, TASK } from "./lane";
import { copyTask } from "./service";

/**
 * Between two slots, before the arrivals of the later one: every server leaves, returns or stays where it is. There is one
 * draw for each server, whether it is there or not, so that who is there depends on the seed and on nothing else.
 */
export function changeServers(lane: Lane): void {
  const scenario = lane.scenario;
  const stream = churnStream(lane);
  let isTaskLost = false;
  for (let e = 0; e < lane.numServers; e++) {
    const u = drawUniform(stream);
    if (!isThere(lane, e)) {
      if (u < scenario.returnProbability) store<u8>(lane.availability + e, 1);
    } else if (u < scenario.leaveProbability) {
      store<u8>(lane.availability + e, 0);
      if (serverOf(lane, e).activeTasks > 0) isTaskLost = true;
    }
  }
  if (isTaskLost) loseTasks(lane);
}

/** Takes the tasks of absent servers out of the list, and counts them while the episode's slots last. */
function loseTasks(lane: Lane): void {
  const isCounted = lane.slot < lane.endSlot;
  const first = lane.tasks;
  let to = first;
  for (let at = first, end = first + TASK * <usize>lane.numTasks; at < end; at += TASK) {
    const task = changetype<Task>(at);
    if (isThere(lane, serverIndexOf(task.serverOffset))) {
      copyTask(to, at);
      to += TASK;
      continue;
    }
    const server = serverOfTask(lane, task);
    server.activeTasks = 0;
    server.servedTasks = 0;
    server.workloadMbit = 0;
    if (!isCounted) continue;
    lane.lostTasks += 1;
    if (!task.wasLate) lane.lostOnTimeTasks += 1;
  }
  lane.numTasks = <i32>((to - first) / TASK);
  // the slot has just begun: whatever is left was there as it did
  lane.numServedTasks = lane.numTasks;
}
