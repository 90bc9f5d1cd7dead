/** What a step brings, lane by lane, and which of several sets of it is in use. */

import { Batch, theBatch } from "./batch";
import { aligned, allocateZeros } from "./heap";
import { fail, INVALID_OPTION } from "./status";

/** Bits of `flags`. */
export const FLAG_TRUNCATED: u8 = 1;
export const FLAG_LATE: u8 = 2;
export const FLAG_INVALID_ACTION: u8 = 4;
/** The step only reset the lane: no action was taken, and the reward is 0. */
export const FLAG_RESET: u8 = 8;

/** Addresses of one set of outputs. */
@unmanaged
export class OutputSet {
  /** f32 [numLanes, observationSize]. */
  observation: usize;
  /** f64 [numLanes]: reward of the last step, −costSlots (eq. 14). */
  reward: usize;
  /** f64 [numLanes]: C of the last step, slots. */
  latencySlots: usize;
  /** f64 [numLanes]: J of the last step, and ρ for each of `lostOnTimeTasks`, slots. */
  costSlots: usize;
  /** u64 [numLanes]: seed of the running episode. */
  episodeSeed: usize;
  /** i32 [numLanes]: action that was carried out. */
  executedAction: usize;
  /** i32 [numLanes]: index of the decision to take now, and its slot. */
  decisionIndex: usize;
  slot: usize;
  /** i32 [numLanes]: E of the running episode. */
  numServers: usize;
  /** i32 [numLanes]: tasks lost since the decision, and those of them that were on time at their own decision. */
  lostTasks: usize;
  lostOnTimeTasks: usize;
  /** u8 [numLanes]: FLAG_ bits of the last step. */
  flags: usize;
  /** u8 [numLanes, maxServers + 1]: 1 if an action exists and its server is there. */
  actionMask: usize;
  /**
   * u64 [numLanes]: which start or restore a lane's constants, mask, seed and number of servers are those of. A step
   * writes them only if they are not those of the running episode yet.
   */
  shownStart: usize;
  /** First byte, and how many there are. */
  first: usize;
  numBytes: usize;
}

export const OUTPUT_SETS: usize = memory.data(64 * 8, 16);
const SET_BYTES: usize = 64;

export function outputSet(index: i32): OutputSet {
  return changetype<OutputSet>(OUTPUT_SETS + SET_BYTES * <usize>index);
}

function setBytes(batch: Batch): u64 {
  const lanes = <u64>batch.numLanes;
  return (
    aligned(4 * lanes * <u64>batch.observationSize + 64) +
    5 * aligned(8 * lanes) +
    6 * aligned(4 * lanes) +
    aligned(lanes) +
    aligned(lanes * <u64>(batch.maxServers + 1))
  );
}

export function outputBytes(batch: Batch): u64 {
  return setBytes(batch) * <u64>batch.numOutputSets;
}

export function layOutOutputs(batch: Batch): void {
  const lanes = <usize>batch.numLanes;
  for (let i = 0; i < batch.numOutputSets; i++) {
    const set = outputSet(i);
    set.observation = allocateZeros(4 * lanes * <usize>batch.observationSize + 64);
    set.reward = allocateZeros(8 * lanes);
    set.latencySlots = allocateZeros(8 * lanes);
    set.costSlots = allocateZeros(8 * lanes);
    set.episodeSeed = allocateZeros(8 * lanes);
    set.executedAction = allocateZeros(4 * lanes);
    set.decisionIndex = allocateZeros(4 * lanes);
    set.slot = allocateZeros(4 * lanes);
    set.numServers = allocateZeros(4 * lanes);
    set.lostTasks = allocateZeros(4 * lanes);
    set.lostOnTimeTasks = allocateZeros(4 * lanes);
    set.flags = allocateZeros(lanes);
    set.actionMask = allocateZeros(lanes * <usize>(batch.maxServers + 1));
    set.shownStart = allocateZeros(8 * lanes);
    set.first = set.observation;
    set.numBytes = <usize>setBytes(batch);
  }
  batch.outputs = outputSet(0);
  batch.writtenOutputs = outputSet(0);
}

/** Makes the next step, reset or restore write into set `index`. What the others hold stays as it is. */
export function useOutputs(index: i32): i32 {
  const batch = theBatch();
  if (<u32>index >= <u32>batch.numOutputSets) {
    return fail(INVALID_OPTION, "outputs", -1, index, 0, batch.numOutputSets - 1);
  }
  batch.outputs = outputSet(index);
  return 0;
}

/** Before a call that leaves some lanes out: copies their results, if another set was written last. */
export function syncOutputs(): void {
  const batch = theBatch();
  if (batch.outputs == batch.writtenOutputs) return;
  memory.copy(batch.outputs.first, batch.writtenOutputs.first, batch.outputs.numBytes);
  batch.writtenOutputs = batch.outputs;
}

/** The results of a lane that took no action. */
export function clearResults(index: i32): void {
  const outputs = theBatch().outputs;
  const i = <usize>index;
  store<f64>(outputs.reward + 8 * i, 0);
  store<f64>(outputs.latencySlots + 8 * i, 0);
  store<f64>(outputs.costSlots + 8 * i, 0);
  store<i32>(outputs.lostTasks + 4 * i, 0);
  store<i32>(outputs.lostOnTimeTasks + 4 * i, 0);
  store<i32>(outputs.executedAction + 4 * i, 0);
  store<u8>(outputs.flags + i, 0);
}
