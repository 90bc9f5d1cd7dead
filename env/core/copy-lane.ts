/** Copies a lane's state from one batch to another, or within one. */

import type { Lanes } from "./kernel.js";
import { laneFieldNames } from "./layout.js";

/**
 * Makes lane `to` of `target` the state of lane `from` of `source`; both batches must have the same sizes for a lane.
 *
 * Rollouts copy a lane for every future, so nothing here allocates, unless a task list outgrows its block.
 */
export function copyLane(source: Lanes, from: number, target: Lanes, to: number): void {
  for (let f = 0; f < laneFieldNames.length; f++) {
    const values = source.arrays[laneFieldNames[f]];
    const copy = target.arrays[laneFieldNames[f]];
    const width = values.length / source.size.numLanes;
    for (let i = 0, read = from * width, write = to * width; i < width; i++) copy[write + i] = values[read + i];
  }
  const count = source.arrays.numTasks[from];
  target.tasks.reserve(to, count);
  const first = source.tasks.offset[from];
  const at = target.tasks.offset[to];
  for (let i = 0; i < count; i++) {
    target.tasks.residualMbit[at + i] = source.tasks.residualMbit[first + i];
    target.tasks.serverIndex[at + i] = source.tasks.serverIndex[first + i];
    target.tasks.decisionSlot[at + i] = source.tasks.decisionSlot[first + i];
    target.tasks.uploadSlots[at + i] = source.tasks.uploadSlots[first + i];
    target.tasks.wasLate[at + i] = source.tasks.wasLate[first + i];
  }
}
