/** Plays the lanes of a batch: starts their episodes, carries out decisions, and writes what each brought. */

import { findTask } from "./arrivals";
import { Batch, BLOCK_LANES, laneAt, MAX_SEED, NEXT_STEP, SAME_STEP, theBatch } from "./batch";
import { decide } from "./decision";
import { drawSize, endSlot, startEpisode } from "./episode";
import { drawFading, hideRates, takeGains, takeRates } from "./fading";
import { ENDED, Lane, RUNNING, UNUSED } from "./lane";
import { show } from "./observation";
import { clearResults, FLAG_RESET, FLAG_TRUNCATED, syncOutputs } from "./outputs";
import { nextEpisodeSeed } from "./seeding";
import { countUnfinished } from "./service";
import { fail, INVALID_ACTION, INVALID_SEED, NEEDS_RESET, NEEDS_ROOM } from "./status";
import { makeRoomForStep } from "./task-list";

/** Bits of what `reset` is told: whether to read `seeds`, and `mask`. */
export const WITH_SEEDS: i32 = 1;
export const WITH_MASK: i32 = 2;

/** Numbers of a row of `finalStats`. */
const STATS_BYTES: usize = 64;

/** Starts new episodes; see docs/embedding.md. */
export function reset(flags: i32): i32 {
  const batch = theBatch();
  const hasSeeds = (flags & WITH_SEEDS) != 0;
  const hasMask = (flags & WITH_MASK) != 0;
  if (hasSeeds) {
    for (let i = 0; i < batch.numLanes; i++) {
      if (hasMask && load<u8>(batch.mask + i) == 0) continue;
      const seed = load<f64>(batch.seeds + 8 * i);
      if (isNaN(seed) || (seed >= 0 && seed <= MAX_SEED && floor(seed) == seed)) continue;
      return fail(INVALID_SEED, "seeds", i, seed, 0, MAX_SEED);
    }
  }
  syncOutputs();
  batch.numFinal = 0;
  for (let i = 0; i < batch.numLanes; i++) {
    if (hasMask && load<u8>(batch.mask + i) == 0) continue;
    resetLane(laneAt(i), hasSeeds ? load<f64>(batch.seeds + 8 * i) : NaN);
  }
  return 0;
}

/** Starts the episode `seed`, from which later ones of the lane follow; the next one of the split if it is NaN. */
function resetLane(lane: Lane, seed: f64): void {
  if (!isNaN(seed)) {
    lane.laneSeed = seed;
    lane.episodeIndex = 0;
  }
  start(lane, seed);
  clearResults(lane.index);
}

function start(lane: Lane, given: f64): void {
  const batch = theBatch();
  const episode = lane.episodeIndex;
  lane.episodeIndex = episode + 1;
  const seed = isNaN(given)
    ? nextEpisodeSeed(batch.split, lane.laneSeed, batch.firstLane + <f64>lane.index, episode)
    : given;
  if (lane.phase != RUNNING) batch.numRunning += 1;
  startEpisode(lane, seed);
  markStart(lane);
  show(lane);
}

/** Gives a lane's state a new number, so that its outputs are written in full. */
export function markStart(lane: Lane): void {
  const batch = theBatch();
  batch.numStarts += 1;
  lane.startNumber = batch.numStarts;
}

/** Shows a lane's state after it was put there by a restore or fork. */
export function takeIn(lane: Lane): void {
  markStart(lane);
  clearResults(lane.index);
  show(lane);
}

/** Why a step cannot be carried out; 0 if it can. */
function findProblem(batch: Batch): i32 {
  if (batch.numRunning < batch.numLanes) {
    for (let i = 0; i < batch.numLanes; i++) {
      const phase = laneAt(i).phase;
      if (phase == UNUSED || (phase == ENDED && batch.autoreset != NEXT_STEP)) {
        return fail(NEEDS_RESET, "lanes", i, phase, RUNNING, RUNNING);
      }
    }
  }
  if (batch.replacesInvalidActions) return 0;
  const numActions = batch.maxServers + 1;
  for (let i = 0; i < batch.numLanes; i++) {
    const action = load<i32>(batch.actions + 4 * i);
    const mask = batch.writtenOutputs.actionMask + <usize>i * <usize>numActions;
    if (<u32>action < <u32>numActions && load<u8>(mask + action) != 0) continue;
    const lane = laneAt(i);
    if (lane.phase == RUNNING) return fail(INVALID_ACTION, "actions", i, action, 0, lane.numServers);
  }
  return 0;
}

/**
 * Carries out one decision in every lane, or starts its next episode if it has ended (next-step autoreset).
 *
 * Block by block: what a step does is done for all lanes of a block before the next thing is, so that each loop is short
 * and the block stays in the processor's nearest cache.
 *
 * @returns how many lanes' episodes ended, or why nothing was done
 */
export function step(): i32 {
  const batch = theBatch();
  const problem = findProblem(batch);
  if (problem != 0) return problem;
  if (!makeRoomForStep()) return NEEDS_ROOM;
  batch.numFinal = 0;
  for (let first = 0; first < batch.numLanes; first += BLOCK_LANES) stepBlock(batch, first);
  batch.writtenOutputs = batch.outputs;
  return batch.numFinal;
}

function stepBlock(batch: Batch, first: i32): void {
  const list = batch.laneList;
  let end = list;
  for (let i = first, last = min(first + BLOCK_LANES, batch.numLanes); i < last; i++) {
    const lane = laneAt(i);
    if (lane.phase == RUNNING) {
      store<Lane>(end, lane);
      end += 4;
      continue;
    }
    resetLane(lane, NaN);
    store<u8>(batch.outputs.flags + i, FLAG_RESET);
  }
  for (let at = list; at < end; at += 4) decide(load<Lane>(at));
  if (batch.hasChurn) countLost(list, end, true);
  const endOfDrawing = findTasks(batch, list, end);
  const drawing = batch.hasPoisson ? batch.drawingLanes : list;
  for (let at = drawing; at < endOfDrawing; at += 4) drawFading(load<Lane>(at));
  for (let at = drawing; at < endOfDrawing; at += 4) takeGains(load<Lane>(at));
  for (let at = drawing; at < endOfDrawing; at += 4) takeRates(load<Lane>(at));
  if (batch.hasChurn) {
    for (let at = drawing; at < endOfDrawing; at += 4) {
      const lane = load<Lane>(at);
      if (lane.scenario.hasChurn) hideRates(lane);
    }
    countLost(list, end, false);
  }
  for (let at = list; at < end; at += 4) drawSize(load<Lane>(at));
  for (let at = list; at < end; at += 4) show(load<Lane>(at));
  for (let at = list; at < end; at += 4) {
    const lane = load<Lane>(at);
    if (lane.slot >= lane.scenario.episodeSlots) endEpisode(batch, lane);
  }
}

/**
 * Moves the lanes of a list to their next tasks. Where lanes differ in whether their rates are to be drawn, those for
 * which they are stand in `drawingLanes` then; else it is the whole list.
 */
// @ts-ignore: decorator
@inline
function findTasks(batch: Batch, list: usize, end: usize): usize {
  const searching = batch.searchingLanes;
  let from = list;
  let last = end;
  if (batch.hasPoisson) {
    from = batch.drawingLanes;
    last = from;
    for (let at = list; at < end; at += 4) {
      const lane = load<Lane>(at);
      const isPending = lane.pendingTasks > 0;
      if (isPending) lane.pendingTasks -= 1;
      store<Lane>(last, lane);
      last += isPending ? 0 : 4;
    }
  }
  let endOfSearching = searching;
  for (let at = from; at < last; at += 4) {
    const lane = load<Lane>(at);
    store<Lane>(endOfSearching, lane);
    endOfSearching += findTask(lane) ? 0 : 4;
  }
  while (endOfSearching > searching) {
    let left = searching;
    for (let at = searching; at < endOfSearching; at += 4) {
      const lane = load<Lane>(at);
      endSlot(lane);
      store<Lane>(left, lane);
      left += findTask(lane) ? 0 : 4;
    }
    endOfSearching = left;
  }
  return last;
}

/** Before and after lanes play on: the tasks they lose in between, and the penalty that falls due for them. */
function countLost(list: usize, end: usize, isBefore: bool): void {
  const outputs = theBatch().outputs;
  for (let at = list; at < end; at += 4) {
    const lane = load<Lane>(at);
    const lost = outputs.lostTasks + 4 * <usize>lane.index;
    const lostOnTime = outputs.lostOnTimeTasks + 4 * <usize>lane.index;
    if (isBefore) {
      store<i32>(lost, lane.lostTasks);
      store<i32>(lostOnTime, lane.lostOnTimeTasks);
      continue;
    }
    store<i32>(lost, lane.lostTasks - load<i32>(lost));
    const count = lane.lostOnTimeTasks - load<i32>(lostOnTime);
    store<i32>(lostOnTime, count);
    const cost = outputs.costSlots + 8 * <usize>lane.index;
    const sum = load<f64>(cost) + lane.scenario.penaltySlots * <f64>count;
    store<f64>(cost, sum);
    store<f64>(outputs.reward + 8 * <usize>lane.index, -sum);
  }
}

function endEpisode(batch: Batch, lane: Lane): void {
  const outputs = batch.outputs;
  const i = <usize>lane.index;
  lane.phase = ENDED;
  batch.numRunning -= 1;
  store<u8>(outputs.flags + i, load<u8>(outputs.flags + i) | FLAG_TRUNCATED);
  // an extended episode ends with its one task, perhaps in the middle of a slot
  if (lane.slot < lane.endSlot) countUnfinished(lane);
  const row = <usize>batch.numFinal;
  batch.numFinal += 1;
  store<i32>(batch.finalLane + 4 * row, lane.index);
  store<i32>(batch.finalSlot + 4 * row, lane.slot);
  const stats = batch.finalStats + STATS_BYTES * row;
  store<f64>(stats, lane.episodeSeed);
  store<f64>(stats, lane.decisionIndex, 8);
  store<f64>(stats, lane.finishedTasks, 16);
  store<f64>(stats, lane.finishedLateTasks, 24);
  store<f64>(stats, lane.realisedLatencySumSlots, 32);
  store<f64>(stats, lane.unfinishedTasks, 40);
  store<f64>(stats, lane.unfinishedLateTasks, 48);
  store<f64>(stats, lane.lostTasks, 56);
  if (batch.autoreset != SAME_STEP) return;
  const numBytes: usize = 4 * <usize>batch.observationSize;
  memory.copy(batch.finalObservation + numBytes * row, outputs.observation + numBytes * i, numBytes);
  start(lane, NaN);
}
