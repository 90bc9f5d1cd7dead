/** The batch: its options, where everything of it stands, and how it is laid out. */

// One instance of the module, with a memory of its own, holds one batch. So two batches share nothing and two threads
// can play one each; the whole of a batch is copied by copying its memory; and the memory goes when the instance does.
// Nothing that changes stands in a variable of the module, which a copy of the memory would leave behind.

import { CANARY_BYTES, checkCanary, IS_CHECKED, writeCanary } from "./canary";
import { aligned, allocateZeros, fits, sizeWith } from "./heap";
import { Lane, listBytes, SERVER_PAIR, SERVERS, UNUSED, USER_PAIR } from "./lane";
import { layOutLookAhead, lookAheadBytes } from "./decision-block";
import { numFacts } from "./observation-facts";
import { layOutOutputs, outputBytes, OutputSet } from "./outputs";
import { layOutRollout, rolloutBytes } from "./rollout-input";
import { makeScenario, mostServers, mostUsers, Scenario } from "./scenario";
import { fail, INVALID_OPTION, INVALID_SCENARIO, NEEDS_ROOM } from "./status";

/** Values of `autoreset`. */
export const DISABLED: i32 = 0;
export const NEXT_STEP: i32 = 1;
export const SAME_STEP: i32 = 2;
/** Tasks that a lane's list has room for at first. */
export const INITIAL_TASKS: i32 = 16;
/** Lanes that a step plays together: each thing is done for all of them before the next. */
export const BLOCK_LANES: i32 = 32;
export const MAX_SCENARIOS: i32 = 4096;
export const MAX_LANES: i32 = 1048576;
export const MAX_OUTPUT_SETS: i32 = 8;
export const MAX_SEED: f64 = 9007199254740991;

/** What a host writes before `create`. */
@unmanaged
export class Options {
  numLanes: i32;
  /** Servers that an observation has room for; 0 for the most that a scenario has. */
  maxServers: i32;
  /** 1 if observations end with the workload history. */
  showsHistory: i32;
  /** DISABLED, NEXT_STEP or SAME_STEP. */
  autoreset: i32;
  /** 1 if an action that is not available is carried out as the costliest one, 0 if it is refused. */
  replacesInvalidActions: i32;
  /** Split of the seeds that are not given: 0 train, 1 validation, 2 test. */
  split: i32;
  /** Sets of outputs, of which a step writes one; see `useOutputs`. */
  numOutputSets: i32;
  /** 1 if observations end with facts; see observation-facts.ts. */
  showsFacts: i32;
  /** Seed of the function that picks the seeds, and index of the first lane in it. */
  seed: f64;
  firstLane: f64;
}
export const OPTIONS: usize = memory.data(offsetof<Options>(), 8);

@unmanaged
export class Batch {
  heapTop: usize;
  numLanes: i32;
  numScenarios: i32;
  /** Servers and users that every lane has room for, and slots of history. */
  maxServers: i32;
  maxUsers: i32;
  maxHistorySlots: i32;
  /** Slots of history in an observation; 0 if it shows none. */
  shownHistorySlots: i32;
  /** Numbers in an observation. */
  observationSize: i32;
  autoreset: i32;
  replacesInvalidActions: i32;
  showsFacts: i32;
  split: i32;
  hasChurn: i32;
  hasPoisson: i32;
  seed: f64;
  firstLane: f64;
  neededBytes: u64;
  /** Starts and restores so far. */
  numStarts: u64;
  /** Lanes that have a decision to take. */
  numRunning: i32;
  /** Lanes that ended in the last step. */
  numFinal: i32;
  /** Lanes whose task list is full. */
  numFullLists: i32;
  numOutputSets: i32;
  /** Lane [numLanes], and the bytes from one to the next. */
  lanes: usize;
  laneBytes: usize;
  history: usize;
  /** Bytes of one slot's row of history. */
  historyRowBytes: usize;
  tasks: usize;
  /** Inputs: i32, f64, u8 and i32 [numLanes]. */
  actions: usize;
  seeds: usize;
  mask: usize;
  laneScenario: usize;
  /** Ends of the last step: i32, i32, f64 [.., 8] and f32 [.., observationSize]. */
  finalLane: usize;
  finalSlot: usize;
  finalStats: usize;
  finalObservation: usize;
  /** The set of outputs in use, and the one that was written last. */
  outputs: OutputSet;
  writtenOutputs: OutputSet;
  /** A lane apart from those of the batch, in which rollouts play. */
  spareLane: Lane;
  /** Work space: Lane [BLOCK_LANES] three times, and a ServerShare for each pair of servers. */
  laneList: usize;
  searchingLanes: usize;
  drawingLanes: usize;
  shares: usize;
  /** f64 [maxServers]: work space of the facts, if they are shown. */
  assignedMbit: usize;
}
export const BATCH: usize = memory.data(offsetof<Batch>(), 16);
/** Scenario [MAX_SCENARIOS]. */
export const SCENARIOS: usize = memory.data(4 * 4096, 16);
/** Task blocks that were given up, by the logarithm of their capacity; each holds the address of the next. */
export const FREE_BLOCKS: usize = memory.data(4 * 32, 16);

// @ts-ignore: decorator
@inline
export function theBatch(): Batch {
  return changetype<Batch>(BATCH);
}

/** Lane i; numLanes is the spare one. */
// @ts-ignore: decorator
@inline
export function laneAt(index: i32): Lane {
  const batch = theBatch();
  if (IS_CHECKED) assert(<u32>index <= <u32>batch.numLanes);
  return changetype<Lane>(batch.lanes + <usize>index * batch.laneBytes);
}

/** Takes in the scenario that the host has written. Its index, or why not. */
export function addScenario(): i32 {
  const batch = theBatch();
  if (batch.lanes != 0 || batch.numScenarios == MAX_SCENARIOS) {
    return fail(INVALID_SCENARIO, "numScenarios", -1, batch.numScenarios, 0, MAX_SCENARIOS - 1);
  }
  const before = batch.neededBytes;
  batch.neededBytes = 0;
  const scenario = makeScenario(batch.numScenarios);
  if (scenario == 0) return batch.neededBytes == 0 ? INVALID_SCENARIO : NEEDS_ROOM;
  batch.neededBytes = before;
  store<usize>(SCENARIOS + 4 * batch.numScenarios, scenario);
  return batch.numScenarios++;
}

export function scenarioAt(index: i32): Scenario {
  return changetype<Scenario>(load<usize>(SCENARIOS + 4 * index));
}

function isOptionWrong(name: string, value: f64, low: f64, high: f64): bool {
  if (value >= low && value <= high && floor<f64>(value) == value) return false;
  fail(INVALID_OPTION, name, -1, value, low, high);
  return true;
}

/** Checks the options, and takes over what follows from them and the scenarios. */
function resolveOptions(): bool {
  const options = changetype<Options>(OPTIONS);
  const batch = theBatch();
  let numServers = 0;
  let numUsers = 0;
  let historySlots = 0;
  batch.hasChurn = 0;
  batch.hasPoisson = 0;
  for (let i = 0; i < batch.numScenarios; i++) {
    const scenario = scenarioAt(i);
    numServers = max(numServers, mostServers(scenario));
    numUsers = max(numUsers, mostUsers(scenario));
    historySlots = max(historySlots, scenario.historySlots);
    if (scenario.hasChurn) batch.hasChurn = 1;
    if (scenario.isPoisson) batch.hasPoisson = 1;
  }
  if (
    isOptionWrong("numScenarios", batch.numScenarios, 1, MAX_SCENARIOS) ||
    isOptionWrong("numLanes", options.numLanes, 1, MAX_LANES) ||
    (options.maxServers != 0 && isOptionWrong("maxServers", options.maxServers, numServers, 512)) ||
    isOptionWrong("showsHistory", options.showsHistory, 0, 1) ||
    isOptionWrong("showsFacts", options.showsFacts, 0, 1) ||
    isOptionWrong("autoreset", options.autoreset, DISABLED, SAME_STEP) ||
    isOptionWrong("replacesInvalidActions", options.replacesInvalidActions, 0, 1) ||
    isOptionWrong("split", options.split, 0, 2) ||
    isOptionWrong("numOutputSets", options.numOutputSets, 1, MAX_OUTPUT_SETS) ||
    isOptionWrong("seed", options.seed, 0, MAX_SEED) ||
    isOptionWrong("firstLane", options.firstLane, 0, MAX_SEED)
  ) {
    return false;
  }
  batch.numLanes = options.numLanes;
  batch.maxServers = options.maxServers == 0 ? numServers : options.maxServers;
  batch.maxUsers = numUsers;
  batch.maxHistorySlots = historySlots;
  batch.shownHistorySlots = options.showsHistory ? historySlots : 0;
  batch.showsFacts = options.showsFacts;
  batch.observationSize =
    6 + batch.maxServers * (4 + batch.shownHistorySlots) + (batch.showsFacts ? numFacts(batch.maxServers) : 0);
  batch.autoreset = options.autoreset;
  batch.replacesInvalidActions = options.replacesInvalidActions;
  batch.split = options.split;
  batch.numOutputSets = options.numOutputSets;
  batch.seed = options.seed;
  batch.firstLane = options.firstLane;
  batch.laneBytes = laneBytes(batch);
  batch.historyRowBytes = 16 * <usize>pairs(batch.maxServers);
  return true;
}

function pairs(count: i32): i32 {
  return (count + 1) >> 1;
}

function laneBytes(batch: Batch): usize {
  const servers = SERVER_PAIR * <usize>pairs(batch.maxServers);
  const users = USER_PAIR * <usize>pairs(batch.maxUsers);
  return <usize>aligned(SERVERS + servers + users + <usize>batch.maxServers) + CANARY_BYTES;
}

/** Bytes of all arrays of a batch, and of each. */
function batchBytes(batch: Batch): u64 {
  const lanes = <u64>batch.numLanes + 1;
  const each =
    batch.laneBytes +
    batch.historyRowBytes * <usize>batch.maxHistorySlots +
    listBytes(INITIAL_TASKS) +
    CANARY_BYTES;
  const perLane = aligned(4 * lanes) * 5 + aligned(8 * lanes) + aligned(lanes) + aligned(64 * lanes);
  const finalRows = batch.autoreset == SAME_STEP ? lanes * 4 * <u64>batch.observationSize : 0;
  const sums = batch.showsFacts ? aligned(8 * <u64>batch.maxServers) : 0;
  const workSpace = 3 * aligned(4 * BLOCK_LANES) + aligned(SERVER_PAIR * <u64>pairs(batch.maxServers)) + sums;
  const blocks = outputBytes(batch) + lookAheadBytes(batch) + rolloutBytes(batch);
  return aligned(lanes * each) + 4 * 64 + perLane + aligned(finalRows) + workSpace + blocks;
}

/** Bytes of memory that a batch of the options and scenarios written needs; less than 0 if they cannot be. */
export function requiredBytes(): f64 {
  if (theBatch().lanes != 0) return fail(INVALID_OPTION, "batch", -1, 1, 0, 0);
  return resolveOptions() ? <f64>sizeWith(batchBytes(theBatch())) : INVALID_OPTION;
}

/** Lays out the batch. 0, or why not. */
export function create(): i32 {
  const batch = theBatch();
  if (batch.lanes != 0) return fail(INVALID_OPTION, "batch", -1, 1, 0, 0);
  if (!resolveOptions()) return INVALID_OPTION;
  if (!fits(batchBytes(batch))) return NEEDS_ROOM;
  const numLanes = <usize>batch.numLanes;
  batch.actions = allocateZeros(4 * numLanes);
  batch.seeds = allocateZeros(8 * numLanes);
  batch.mask = allocateZeros(numLanes);
  batch.laneScenario = allocateZeros(4 * numLanes);
  batch.finalLane = allocateZeros(4 * numLanes);
  batch.finalSlot = allocateZeros(4 * numLanes);
  batch.finalStats = allocateZeros(64 * numLanes);
  batch.finalObservation =
    batch.autoreset == SAME_STEP ? allocateZeros(4 * numLanes * <usize>batch.observationSize) : 0;
  batch.laneList = allocateZeros(4 * BLOCK_LANES);
  batch.searchingLanes = allocateZeros(4 * BLOCK_LANES);
  batch.drawingLanes = allocateZeros(4 * BLOCK_LANES);
  batch.shares = allocateZeros(SERVER_PAIR * <usize>pairs(batch.maxServers));
  batch.assignedMbit = batch.showsFacts ? allocateZeros(8 * <usize>batch.maxServers) : 0;
  layOutOutputs(batch);
  layOutLookAhead(batch);
  layOutRollout(batch);
  layOutLanes(batch);
  return 0;
}

function layOutLanes(batch: Batch): void {
  const lanes = <usize>batch.numLanes + 1;
  const historyBytes = batch.historyRowBytes * <usize>batch.maxHistorySlots;
  const blockBytes = listBytes(INITIAL_TASKS) + CANARY_BYTES;
  const tasks = allocateZeros(lanes * blockBytes);
  batch.history = allocateZeros(lanes * historyBytes);
  batch.tasks = tasks;
  batch.lanes = allocateZeros(lanes * batch.laneBytes);
  for (let i = 0; i <= batch.numLanes; i++) {
    const lane = laneAt(i);
    lane.index = i;
    lane.phase = UNUSED;
    lane.scenario = scenarioAt(0);
    lane.laneSeed = batch.seed;
    lane.users = changetype<usize>(lane) + SERVERS + SERVER_PAIR * <usize>pairs(batch.maxServers);
    lane.availability = lane.users + USER_PAIR * <usize>pairs(batch.maxUsers);
    lane.history = batch.history + historyBytes * <usize>i;
    lane.tasks = tasks + blockBytes * <usize>i;
    lane.taskCapacity = INITIAL_TASKS;
    writeCanary(changetype<usize>(lane) + batch.laneBytes - CANARY_BYTES);
    writeCanary(lane.tasks + listBytes(INITIAL_TASKS));
  }
  batch.spareLane = laneAt(batch.numLanes);
}

/** Gives each lane the scenario of `laneScenario`; before its first reset. */
export function assignScenarios(): i32 {
  const batch = theBatch();
  for (let i = 0; i < batch.numLanes; i++) {
    const index = load<i32>(batch.laneScenario + 4 * i);
    if (<u32>index >= <u32>batch.numScenarios || laneAt(i).phase != UNUSED) {
      return fail(INVALID_OPTION, "laneScenario", i, index, 0, batch.numScenarios - 1);
    }
  }
  for (let i = 0; i < batch.numLanes; i++) laneAt(i).scenario = scenarioAt(load<i32>(batch.laneScenario + 4 * i));
  return 0;
}

/** Looks at every canary of the test build, which stops the module if one was written to; -1 in any other build. */
export function checkCanaries(): i32 {
  if (!IS_CHECKED) return -1;
  const batch = theBatch();
  for (let i = 0; i <= batch.numLanes; i++) {
    const lane = laneAt(i);
    checkCanary(changetype<usize>(lane) + batch.laneBytes - CANARY_BYTES);
    checkCanary(lane.tasks + listBytes(lane.taskCapacity));
  }
  return 0;
}
