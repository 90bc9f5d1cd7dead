/** Facts at the end of an observation: what a policy could remember or read in the scenario, so that it need not. */

import { Batch, theBatch } from "./batch";
import { drawUniform } from "./alea";
import { Lane, serverIndexOf, serverOf, Stream, taskOf } from "./lane";
import { seedEpisodeStream } from "./seeding";

/** Numbers of a lane, and of each server. */
const LANE_FACTS: i32 = 4;
const SERVER_FACTS: i32 = 2;
/** Stream that draws an episode's sizes once more. */
const SIZES_AGAIN: usize = memory.data(16, 8);

/** Numbers that the facts add to an observation. */
export function numFacts(maxServers: i32): i32 {
  return LANE_FACTS + SERVER_FACTS * maxServers;
}

/** Writes the facts of the current decision into an observation. */
export function writeFacts(lane: Lane, row: usize): void {
  const batch = theBatch();
  const at = row + 4 * <usize>(batch.observationSize - numFacts(batch.maxServers));
  sumSizes(lane);
  store<f32>(at, <f32>(lane.numUsers - 1 - lane.userIndex));
  store<f32>(at, <f32>lane.slot, 4);
  store<f32>(at, <f32>lane.decisionIndex, 8);
  store<f32>(at, <f32>(lane.sizeSumMbit / <f64>lane.numSizesSummed), 12);
  writeAssigned(batch, lane, at + 4 * LANE_FACTS);
}

/** Tasks and Mbit that each server was given in this slot: the tasks of the list that the next service leaves alone. */
function writeAssigned(batch: Batch, lane: Lane, first: usize): void {
  const sums = batch.assignedMbit;
  memory.fill(sums, 0, 8 * <usize>lane.numServers);
  for (let i = lane.numServedTasks; i < lane.numTasks; i++) {
    const task = taskOf(lane, i);
    const sum = sums + 8 * <usize>serverIndexOf(task.serverOffset);
    store<f64>(sum, load<f64>(sum) + task.residualMbit);
  }
  for (let e = 0; e < lane.numServers; e++) {
    const server = serverOf(lane, e);
    const at = first + 8 * <usize>e;
    store<f32>(at, <f32>(server.activeTasks - server.servedTasks));
    store<f32>(at, <f32>load<f64>(sums + 8 * <usize>e), 4);
  }
}

/** Adds the current size to the sum of those seen; after a restore, draws all of them once more. */
function sumSizes(lane: Lane): void {
  const count = lane.decisionIndex + 1;
  if (lane.numSizesSummed == count) return;
  if (lane.numSizesSummed == count - 1) {
    lane.sizeSumMbit += lane.sizeMbit;
  } else {
    // a snapshot does not hold the sum: the sizes of an episode follow from its seed
    const stream = changetype<Stream>(SIZES_AGAIN);
    const scenario = lane.scenario;
    seedEpisodeStream(stream, "sizes", lane.episodeSeed);
    let sum: f64 = 0;
    for (let i = 0; i < count; i++) sum += scenario.minSizeMbit + scenario.sizeSpanMbit * drawUniform(stream);
    lane.sizeSumMbit = sum;
  }
  lane.numSizesSummed = count;
}
