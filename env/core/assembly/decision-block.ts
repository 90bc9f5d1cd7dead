/** One decision laid out for a host to read, or for a look-ahead to start from; and the room of a look-ahead. */

import { Batch, laneAt, theBatch } from "./batch";
import { aligned, allocateZeros } from "./heap";
import { currentBacklogMbit, isThere, Lane, serverOf, UNUSED } from "./lane";
import { localWaitSlots } from "./latency";
import { historyMbit } from "./observation";
import { fail, INVALID_OPTION, NEEDS_RESET } from "./status";

/** The numbers of a decision (eq. 13), and where its arrays stand. */
@unmanaged
export class Decision {
  /** D, Mbit. */
  sizeMbit: f64;
  /** W_u, Mbit. */
  backlogMbit: f64;
  /** T_wait,loc, slots. */
  localWaitSlots: f64;
  episodeSeed: f64;
  slot: i32;
  decisionIndex: i32;
  userIndex: i32;
  /** E, U. */
  numServers: i32;
  numUsers: i32;
  /** Index of the scenario. */
  scenario: i32;
  futureKey0: i32;
  futureKey1: i32;
  phase: i32;
  /** W of the lane's scenario. */
  historySlots: i32;
}
export const DECISION: usize = memory.data(offsetof<Decision>(), 8);

/** Addresses of a decision's arrays, and of a look-ahead's. */
@unmanaged
export class DecisionArrays {
  /** f64 [maxServers]: R, F, L and N. */
  rateMbps: usize;
  cpuGHz: usize;
  workloadMbit: usize;
  activeTasks: usize;
  /** u8 [maxServers]. */
  isAvailable: usize;
  /** f64 [maxServers, maxHistorySlots]: H, oldest first; a row has `historySlots` numbers. */
  workloadHistoryMbit: usize;
  /** i32 [maxServers + 1]: the actions of a look-ahead, if not all. */
  actions: usize;
  /** f64 [maxServers + 1]: what a look-ahead found. */
  latencySlots: usize;
  costSlots: usize;
  impactSlots: usize;
  reward: usize;
  /** Work space: f64 [64], f64 [64, maxServers], and three times f64 [maxServers]. */
  futureMbit: usize;
  futureRateMbps: usize;
  drainedMbit: usize;
  virtualMbit: usize;
  virtualTasks: usize;
}
export const DECISION_ARRAYS: usize = memory.data(offsetof<DecisionArrays>(), 8);
export const MAX_SAMPLES: i32 = 64;

// @ts-ignore: decorator
@inline
export function theDecision(): Decision {
  return changetype<Decision>(DECISION);
}
// @ts-ignore: decorator
@inline
export function decisionArrays(): DecisionArrays {
  return changetype<DecisionArrays>(DECISION_ARRAYS);
}

/** Servers of a row, an even number. */
function rowLength(batch: Batch): u64 {
  return <u64>((batch.maxServers + 1) & ~1);
}

export function lookAheadBytes(batch: Batch): u64 {
  const row = aligned(8 * rowLength(batch));
  const actions = 8 * <u64>(batch.maxServers + 1);
  const history = aligned(8 * rowLength(batch) * <u64>batch.maxHistorySlots);
  const futures = aligned(8 * rowLength(batch) * MAX_SAMPLES) + aligned(8 * MAX_SAMPLES);
  return 7 * row + aligned(batch.maxServers) + history + aligned(actions / 2) + 4 * aligned(actions) + futures;
}

export function layOutLookAhead(batch: Batch): void {
  const arrays = decisionArrays();
  const row: usize = 8 * <usize>rowLength(batch);
  const actions: usize = 8 * <usize>(batch.maxServers + 1);
  arrays.rateMbps = allocateZeros(row);
  arrays.cpuGHz = allocateZeros(row);
  arrays.workloadMbit = allocateZeros(row);
  arrays.activeTasks = allocateZeros(row);
  arrays.isAvailable = allocateZeros(batch.maxServers);
  arrays.workloadHistoryMbit = allocateZeros(row * <usize>batch.maxHistorySlots);
  arrays.actions = allocateZeros(actions / 2);
  arrays.latencySlots = allocateZeros(actions);
  arrays.costSlots = allocateZeros(actions);
  arrays.impactSlots = allocateZeros(actions);
  arrays.reward = allocateZeros(actions);
  arrays.futureMbit = allocateZeros(8 * MAX_SAMPLES);
  arrays.futureRateMbps = allocateZeros(row * <usize>MAX_SAMPLES);
  arrays.drainedMbit = allocateZeros(row);
  arrays.virtualMbit = allocateZeros(row);
  arrays.virtualTasks = allocateZeros(row);
}

/** Checks that a lane exists and was reset. */
export function checkLane(index: i32): i32 {
  const batch = theBatch();
  // the lane after the last one is where rollouts play
  if (<u32>index > <u32>batch.numLanes) return fail(INVALID_OPTION, "lane", -1, index, 0, batch.numLanes - 1);
  const phase = laneAt(index).phase;
  return phase == UNUSED ? fail(NEEDS_RESET, "lanes", index, phase, 1, 2) : 0;
}

/** Copies what a policy sees of a lane's current decision, the history too. */
export function readDecision(index: i32): i32 {
  const problem = checkLane(index);
  if (problem != 0) return problem;
  const lane = laneAt(index);
  readState(lane);
  const at = decisionArrays().workloadHistoryMbit;
  const numSlots = lane.scenario.historySlots;
  const rowBytes: usize = 8 * <usize>theBatch().maxHistorySlots;
  for (let e = 0; e < lane.numServers; e++) {
    for (let i = 0; i < numSlots; i++) store<f64>(at + rowBytes * e + 8 * i, historyMbit(lane, e, i));
  }
  return 0;
}

/** The same without the history, of which a copy takes longer than of all else. */
export function readDecisionNow(index: i32): i32 {
  const problem = checkLane(index);
  if (problem == 0) readState(laneAt(index));
  return problem;
}

/** UNUSED, RUNNING or ENDED: whether a lane was reset, and whether its episode has ended. */
export function phaseOf(index: i32): i32 {
  const batch = theBatch();
  if (<u32>index >= <u32>batch.numLanes) return fail(INVALID_OPTION, "lane", -1, index, 0, batch.numLanes - 1);
  return laneAt(index).phase;
}

export function readState(lane: Lane): void {
  const decision = theDecision();
  const arrays = decisionArrays();
  const backlogMbit = currentBacklogMbit(lane);
  decision.sizeMbit = lane.sizeMbit;
  decision.backlogMbit = backlogMbit;
  decision.localWaitSlots = localWaitSlots(backlogMbit, lane.scenario);
  decision.episodeSeed = lane.episodeSeed;
  decision.slot = lane.slot;
  decision.decisionIndex = lane.decisionIndex;
  decision.userIndex = lane.userIndex;
  decision.numServers = lane.numServers;
  decision.numUsers = lane.numUsers;
  decision.scenario = lane.scenario.index;
  decision.futureKey0 = lane.futureKey0;
  decision.futureKey1 = lane.futureKey1;
  decision.phase = lane.phase;
  decision.historySlots = lane.scenario.historySlots;
  for (let e = 0; e < lane.numServers; e++) {
    const server = serverOf(lane, e);
    store<f64>(arrays.rateMbps + 8 * e, server.rateMbps);
    store<f64>(arrays.cpuGHz + 8 * e, server.cpuGHz);
    store<f64>(arrays.workloadMbit + 8 * e, server.workloadMbit);
    store<f64>(arrays.activeTasks + 8 * e, server.activeTasks);
    store<u8>(arrays.isAvailable + e, isThere(lane, e) ? 1 : 0);
  }
}
