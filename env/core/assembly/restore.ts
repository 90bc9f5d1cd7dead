/** Reads snapshots: checks every number, and puts a lane into the state that they hold. */

// A snapshot is read into the spare lane. Only when all of it has been found right is that lane copied: so there is one
// reader, which checks as it goes, and what is refused has changed nothing.

import { laneAt, MAX_SEED, theBatch } from "./batch";
import { checkIndex, replaceLane } from "./fork";
import {
  arrivalStream,
  burstStream,
  churnStream,
  ENDED,
  fadingStream,
  firstServer,
  Lane,
  RUNNING,
  SERVER_PAIR,
  serverOf,
  serverOffset,
  sizeStream,
  Stream,
  taskOf,
  USER_PAIR,
  userOf,
} from "./lane";
import { DIGEST, sha256 } from "./sha256";
import { CHECKSUM_AT, HEADER_BYTES, MAGIC, SCENARIO_AT } from "./snapshot";
import { fail, INVALID_SNAPSHOT, NEEDS_ROOM } from "./status";
import { reserveTasks } from "./task-list";

const MAX_COUNT: f64 = 0x7fffffff;
const MAX_TASKS: f64 = 10000000;
const MAX_CARRY: f64 = 2091638;

/** Where the next number stands and behind the last, and whether one was wrong; of no meaning between two calls. */
let cursor: usize = 0;
let last: usize = 0;
let isWrong: bool = false;

function refuse(name: string, value: f64, low: f64, high: f64, index: i32 = -1): void {
  if (!isWrong) fail(INVALID_SNAPSHOT, name, index, value, low, high);
  isWrong = true;
}

function next(name: string): f64 {
  if (cursor + 8 > last) {
    refuse(name, NaN, 0, 0); // the end
    return 0;
  }
  const value = load<f64>(cursor);
  cursor += 8;
  return value;
}

/** A whole number within bounds; the lower one if it is not. */
function readInteger(name: string, low: f64, high: f64): f64 {
  const value = next(name);
  if (value >= low && value <= high && floor<f64>(value) == value) return value;
  refuse(name, value, low, high);
  return low;
}

function readCount(name: string, low: f64, high: f64): i32 {
  return <i32>readInteger(name, low, high);
}

/** A finite number that is not negative. */
function readAmount(name: string): f64 {
  const value = next(name);
  if (value >= 0 && value < Infinity) return value;
  refuse(name, value, 0, Infinity);
  return 0;
}

/** A word of a stream: a multiple of 2⁻³² in [0, 1). */
function readWord(name: string): u32 {
  const value = next(name) * 4294967296.0;
  if (value >= 0 && value < 4294967296.0 && floor<f64>(value) == value) return <u32>(<u64>value);
  refuse(name, value / 4294967296.0, 0, 1);
  return 0;
}

function readStream(name: string, stream: Stream): void {
  stream.s0 = readWord(name);
  stream.s1 = readWord(name);
  stream.s2 = readWord(name);
  stream.carry = <u32>readInteger(name, 0, MAX_CARRY);
}

/** Whether `numBytes` from `address` on are a snapshot of the lane's scenario; it then stands in the spare lane. */
export function checkSnapshot(index: i32, address: usize, numBytes: i32): i32 {
  const problem = checkIndex(index);
  if (problem != 0) return problem;
  isWrong = false;
  const lane = laneAt(index);
  if (!checkEnvelope(lane, address, numBytes)) return INVALID_SNAPSHOT;
  const spare = theBatch().spareLane;
  spare.scenario = lane.scenario;
  spare.phase = 0;
  spare.numTasks = 0;
  spare.numServers = 0;
  cursor = address + HEADER_BYTES;
  last = address + numBytes;
  readScalars(spare);
  if (isWrong) return INVALID_SNAPSHOT;
  readServers(spare);
  const numTasks = readTasks(spare);
  if (numTasks < 0) return numTasks;
  if (isWrong) return INVALID_SNAPSHOT;
  checkQueues(spare);
  return isWrong ? INVALID_SNAPSHOT : 0;
}

/** Puts a lane into the state of a snapshot: it plays on exactly as the lane it was taken from. */
export function restore(index: i32, address: usize, numBytes: i32): i32 {
  const problem = checkSnapshot(index, address, numBytes);
  if (problem != 0) return problem;
  return replaceLane(theBatch().spareLane, laneAt(index)) ? 0 : NEEDS_ROOM;
}

function checkEnvelope(lane: Lane, address: usize, numBytes: i32): bool {
  if (<usize>numBytes < HEADER_BYTES || ((<usize>numBytes - HEADER_BYTES) & 7) != 0) {
    refuse("length", numBytes, <f64>HEADER_BYTES, Infinity);
    return false;
  }
  const head = load<u64>(address);
  if (head << 8 != MAGIC << 8) refuse("magic", 0, 0, 0);
  else if (head != MAGIC) refuse("version", <f64>(head >>> 56), <f64>(MAGIC >>> 56), <f64>(MAGIC >>> 56));
  else if (memory.compare(address + SCENARIO_AT, lane.scenario.contentHash, 32) != 0) refuse("scenario", 0, 0, 0);
  else {
    sha256(address + HEADER_BYTES, <usize>numBytes - HEADER_BYTES);
    if (memory.compare(address + CHECKSUM_AT, DIGEST, 32) != 0) refuse("checksum", 0, 0, 0);
  }
  return !isWrong;
}

/** Everything before the arrays of servers. `phase` and the numbers of servers, users and tasks bound what follows. */
function readScalars(lane: Lane): void {
  const batch = theBatch();
  lane.laneSeed = readInteger("seed", 0, MAX_SEED);
  lane.episodeIndex = readInteger("episodeIndex", 0, MAX_SEED);
  lane.phase = readCount("phase", RUNNING, ENDED);
  lane.episodeSeed = readInteger("episodeSeed", 0, MAX_SEED);
  lane.numServers = readCount("numServers", 1, batch.maxServers);
  lane.numUsers = readCount("numUsers", 1, batch.maxUsers);
  lane.slot = readCount("slot", 0, MAX_COUNT);
  lane.endSlot = readCount("endSlot", 0, MAX_COUNT);
  lane.decisionIndex = readCount("decisionIndex", 0, MAX_COUNT);
  lane.userIndex = readCount("userIndex", 0, lane.numUsers - 1);
  lane.pendingTasks = readCount("pendingTasks", 0, MAX_COUNT);
  lane.sizeMbit = readAmount("sizeMbit");
  lane.numTasks = readCount("numTasks", 0, MAX_TASKS);
  lane.numServedTasks = readCount("numTasksAtSlotStart", 0, lane.numTasks);
  lane.finishedTasks = readCount("finishedTasks", 0, MAX_COUNT);
  lane.finishedLateTasks = readCount("finishedLateTasks", 0, MAX_COUNT);
  lane.realisedLatencySumSlots = readAmount("realisedLatencySumSlots");
  lane.unfinishedTasks = readCount("unfinishedTasks", 0, MAX_COUNT);
  lane.unfinishedLateTasks = readCount("unfinishedLateTasks", 0, MAX_COUNT);
  lane.isBusy = readCount("isBusy", 0, 1);
  readStream("arrivalStream", arrivalStream(lane));
  readStream("sizeStream", sizeStream(lane));
  readStream("fadingStream", fadingStream(lane));
  readStream("burstStream", burstStream(lane));
  lane.futureKey0 = readCount("futureKeys", -2147483648, MAX_COUNT);
  lane.futureKey1 = readCount("futureKeys", -2147483648, MAX_COUNT);
  // later users of the slot are asked when the next task is looked for
  lane.numAskedUsers = lane.userIndex + 1;
  lane.arrivals = 0;
  lane.sizeSumMbit = 0;
  lane.numSizesSummed = 0;
  lane.historyRow = lane.slot % lane.scenario.historySlots;
}

function readServers(lane: Lane): void {
  const batch = theBatch();
  const numServers = lane.numServers;
  memory.fill(firstServer(lane), 0, SERVER_PAIR * <usize>((batch.maxServers + 1) >> 1));
  memory.fill(lane.users, 0, USER_PAIR * <usize>((batch.maxUsers + 1) >> 1));
  for (let e = 0; e < numServers; e++) serverOf(lane, e).rateMbps = readAmount("rateMbps");
  for (let e = 0; e < numServers; e++) serverOf(lane, e).cpuGHz = readAmount("cpuGHz");
  for (let e = 0; e < numServers; e++) serverOf(lane, e).activeTasks = readInteger("activeTasks", 0, lane.numTasks);
  for (let e = 0; e < numServers; e++) serverOf(lane, e).workloadMbit = readAmount("workloadMbit");
  for (let row = 0; row < lane.scenario.historySlots; row++) {
    const at = lane.history + batch.historyRowBytes * <usize>row;
    for (let e = 0; e < numServers; e++) store<f64>(at + 8 * e, readAmount("historyMbit"));
  }
  for (let u = 0; u < lane.numUsers; u++) userOf(lane, u).backlogMbit = readAmount("backlogMbit");
  for (let u = 0; u < lane.numUsers; u++) userOf(lane, u).addedMbit = readAmount("addedBacklogMbit");
  readChurn(lane);
}

function readChurn(lane: Lane): void {
  const stream = churnStream(lane);
  memory.fill(changetype<usize>(stream), 0, offsetof<Stream>());
  memory.fill(lane.availability, 0, theBatch().maxServers);
  memory.fill(lane.availability, 1, lane.numServers);
  lane.lostTasks = 0;
  lane.lostOnTimeTasks = 0;
  if (!lane.scenario.hasChurn) return;
  lane.lostTasks = readCount("lostTasks", 0, MAX_COUNT);
  lane.lostOnTimeTasks = readCount("lostOnTimeTasks", 0, MAX_COUNT);
  readStream("churnStream", stream);
  for (let e = 0; e < lane.numServers; e++) store<u8>(lane.availability + e, <u8>readInteger("isAvailable", 0, 1));
}

/** The list of tasks: exactly what is left. How many they are, or NEEDS_ROOM. */
function readTasks(lane: Lane): i32 {
  const numTasks = lane.numTasks;
  const hasChurn = lane.scenario.hasChurn;
  const width: usize = hasChurn ? 40 : 32;
  lane.numTasks = 0;
  if (isWrong) return 0;
  if (<usize>numTasks * width != last - cursor) {
    const left = <f64>(last - cursor) / <f64>width;
    refuse("numTasks", numTasks, left, left);
    return 0;
  }
  if (!reserveTasks(lane, numTasks)) return NEEDS_ROOM;
  for (let i = 0; i < numTasks; i++) {
    const task = taskOf(lane, i);
    task.residualMbit = readAmount("residualMbit");
    task.serverOffset = <u16>serverOffset(readCount("serverIndex", 0, lane.numServers - 1));
    task.decisionSlot = readCount("decisionSlot", 0, lane.slot);
    task.uploadSlots = readAmount("uploadSlots");
    task.wasLate = hasChurn ? <u8>readCount("wasLate", 0, 1) : 0;
  }
  lane.numTasks = numTasks;
  return numTasks;
}

/** N and L must be those of the listed tasks, to the bit, and only an absent server has a rate of 0, and no tasks. */
function checkQueues(lane: Lane): void {
  for (let e = 0; e < lane.numServers; e++) {
    const server = serverOf(lane, e);
    const offset = <u16>serverOffset(e);
    let count: f64 = 0;
    let sum: f64 = 0;
    let numServed: f64 = 0;
    for (let i = 0; i < lane.numTasks; i++) {
      const task = taskOf(lane, i);
      if (task.serverOffset != offset) continue;
      count += 1;
      sum += task.residualMbit;
      if (i < lane.numServedTasks) numServed += 1;
    }
    server.servedTasks = numServed;
    if (count != server.activeTasks) refuse("activeTasks", server.activeTasks, count, count, e);
    if (sum != server.workloadMbit) refuse("workloadMbit", server.workloadMbit, sum, sum, e);
    const isAbsent = load<u8>(lane.availability + e) == 0;
    // an upper bound that is no number tells a host that the server is absent
    if (isAbsent && count != 0) refuse("activeTasks", count, 0, NaN, e);
    if (isAbsent != (server.rateMbps == 0)) refuse("rateMbps", server.rateMbps, 0, 0, e);
  }
}
