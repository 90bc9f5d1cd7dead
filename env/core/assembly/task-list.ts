/** Room for the tasks that edge servers hold: a block for each lane, twice as large when it is full. */

import { BATCH, Batch, FREE_BLOCKS, laneAt, theBatch } from "./batch";
import { CANARY_BYTES, writeCanary } from "./canary";
import { allocate } from "./heap";
import { Lane, RUNNING, TASK } from "./lane";

/** Gives a lane's list room for `numTasks`, its tasks moved along. False, and nothing changed, if memory is short. */
export function reserveTasks(lane: Lane, numTasks: i32): bool {
  const old = lane.taskCapacity;
  if (numTasks <= old) return true;
  let capacity = old;
  while (capacity < numTasks) capacity *= 2;
  const block = takeBlock(capacity);
  if (block == 0) return false;
  memory.copy(block, lane.tasks, TASK * <usize>lane.numTasks);
  giveBlock(lane.tasks, old);
  lane.tasks = block;
  lane.taskCapacity = capacity;
  return true;
}

function freeList(capacity: i32): usize {
  return FREE_BLOCKS + 4 * <usize>(31 - clz(capacity));
}

function takeBlock(capacity: i32): usize {
  const list = freeList(capacity);
  const free = load<usize>(list);
  if (free != 0) {
    store<usize>(list, load<usize>(free));
    return free;
  }
  const numBytes = TASK * <usize>capacity;
  const block = allocate(numBytes + CANARY_BYTES);
  if (block != 0) writeCanary(block + numBytes);
  return block;
}

function giveBlock(block: usize, capacity: i32): void {
  const list = freeList(capacity);
  store<usize>(block, load<usize>(list));
  store<usize>(list, block);
}

/** Notes that a task was added to a lane: the next step makes room before anything else if the list is now full. */
// @ts-ignore: decorator
@inline
export function noteAdded(lane: Lane): void {
  if (lane.numTasks == lane.taskCapacity) theBatch().numFullLists += 1;
}

/** Before a step: room for one more task in every lane. False if memory is short; no lane's state has changed then. */
export function makeRoomForStep(): bool {
  const batch = theBatch();
  if (batch.numFullLists == 0) return true;
  let numBytes: u64 = 0;
  for (let i = 0; i < batch.numLanes; i++) {
    const lane = laneAt(i);
    if (lane.phase != RUNNING || lane.numTasks < lane.taskCapacity) continue;
    if (reserveTasks(lane, lane.numTasks + 1)) continue;
    numBytes += 2 * TASK * <u64>lane.taskCapacity + CANARY_BYTES;
  }
  if (numBytes > 0) {
    changetype<Batch>(BATCH).neededBytes = <u64>batch.heapTop + numBytes + 64 * <u64>batch.numLanes;
    return false;
  }
  batch.numFullLists = 0;
  return true;
}
