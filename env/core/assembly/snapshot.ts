/** Writes a lane's whole state as bytes, for a snapshot or its name (docs/model.md, Snapshots). */

import { undrawWord, uniformOfWord } from "./alea";
import { laneAt, theBatch } from "./batch";
import { checkLane } from "./decision-block";
import { borrow } from "./heap";
import {
  arrivalStream,
  burstStream,
  churnStream,
  fadingStream,
  isThere,
  Lane,
  serverIndexOf,
  serverOf,
  sizeStream,
  Stream,
  taskOf,
  userOf,
} from "./lane";
import { DIGEST, sha256 } from "./sha256";
import { NEEDS_ROOM } from "./status";

/** "mecgymS" and the version of the format, the scenario's hash, the SHA-256 of what follows. */
export const MAGIC: u64 = 0x1536d796763656d;
export const SCENARIO_AT: usize = 8;
export const CHECKSUM_AT: usize = 40;
export const HEADER_BYTES: usize = 72;
const HASH_BYTES: usize = 32;
/** Numbers of a state that every scenario has: course, scalars, four streams, keys. */
const FIXED_NUMBERS: i32 = 2 + 18 + 16 + 2;
/** Lost tasks, lost ones that were on time, and a stream. */
const CHURN_NUMBERS: i32 = 6;
/** A copy of the stream `arrivals`, to take draws back. */
const BEHIND: usize = memory.data(16, 4);

/** Where the next number goes; of no meaning between two calls. */
let cursor: usize = 0;

// @ts-ignore: decorator
@inline
function put(value: f64): void {
  store<f64>(cursor, value);
  cursor += 8;
}

function numbersOf(lane: Lane): i32 {
  const scenario = lane.scenario;
  const perServer = 4 + scenario.historySlots + (scenario.hasChurn ? 1 : 0);
  const perTask = scenario.hasChurn ? 5 : 4;
  const fixed = FIXED_NUMBERS + (scenario.hasChurn ? CHURN_NUMBERS : 0);
  return fixed + perServer * lane.numServers + 2 * lane.numUsers + perTask * lane.numTasks;
}

/** Length of a lane's snapshot in bytes. */
export function snapshotBytes(index: i32): i32 {
  const problem = checkLane(index);
  return problem != 0 ? problem : <i32>HEADER_BYTES + 8 * numbersOf(laneAt(index));
}

/** Writes a lane's snapshot. */
export function snapshot(index: i32, address: usize): i32 {
  const problem = checkLane(index);
  if (problem != 0) return problem;
  const lane = laneAt(index);
  store<u64>(address, MAGIC);
  memory.copy(address + SCENARIO_AT, lane.scenario.contentHash, HASH_BYTES);
  writeState(lane, address + HEADER_BYTES);
  sha256(address + HEADER_BYTES, cursor - address - HEADER_BYTES);
  memory.copy(address + CHECKSUM_AT, DIGEST, HASH_BYTES);
  return 0;
}

/** Writes the SHA-256 of a lane's state to `DIGEST`. */
export function stateHash(index: i32): i32 {
  const problem = checkLane(index);
  if (problem != 0) return problem;
  const lane = laneAt(index);
  const numBytes: usize = 8 * <usize>numbersOf(lane);
  const address = borrow(numBytes);
  if (address == 0) return NEEDS_ROOM;
  writeState(lane, address);
  sha256(address, numBytes);
  return 0;
}

/** A state as little-endian float64, which hold every integer and bit that a field can have. */
function writeState(lane: Lane, address: usize): void {
  cursor = address;
  writeScalars(lane);
  writeStreams(lane);
  for (let e = 0; e < lane.numServers; e++) put(serverOf(lane, e).rateMbps);
  for (let e = 0; e < lane.numServers; e++) put(serverOf(lane, e).cpuGHz);
  for (let e = 0; e < lane.numServers; e++) put(serverOf(lane, e).activeTasks);
  for (let e = 0; e < lane.numServers; e++) put(serverOf(lane, e).workloadMbit);
  const rowBytes = theBatch().historyRowBytes;
  for (let row = 0; row < lane.scenario.historySlots; row++) {
    for (let e = 0; e < lane.numServers; e++) put(load<f64>(lane.history + rowBytes * <usize>row + 8 * e));
  }
  for (let u = 0; u < lane.numUsers; u++) put(userOf(lane, u).backlogMbit);
  for (let u = 0; u < lane.numUsers; u++) put(userOf(lane, u).addedMbit);
  if (lane.scenario.hasChurn) writeChurn(lane);
  for (let i = 0; i < lane.numTasks; i++) {
    const task = taskOf(lane, i);
    put(task.residualMbit);
    put(serverIndexOf(task.serverOffset));
    put(task.decisionSlot);
    put(task.uploadSlots);
    if (lane.scenario.hasChurn) put(task.wasLate);
  }
}

function writeScalars(lane: Lane): void {
  put(lane.laneSeed);
  put(lane.episodeIndex);
  put(lane.phase);
  put(lane.episodeSeed);
  put(lane.numServers);
  put(lane.numUsers);
  put(lane.slot);
  put(lane.endSlot);
  put(lane.decisionIndex);
  put(lane.userIndex);
  put(lane.pendingTasks);
  put(lane.sizeMbit);
  put(lane.numTasks);
  put(lane.numServedTasks);
  put(lane.finishedTasks);
  put(lane.finishedLateTasks);
  put(lane.realisedLatencySumSlots);
  put(lane.unfinishedTasks);
  put(lane.unfinishedLateTasks);
  put(lane.isBusy);
}

function writeStreams(lane: Lane): void {
  // the stream as it was after the current user's draw: later users of the slot have been asked already
  const behind = changetype<Stream>(BEHIND);
  memory.copy(BEHIND, changetype<usize>(arrivalStream(lane)), offsetof<Stream>());
  for (let user = lane.userIndex + 1; user < lane.numAskedUsers; user++) undrawWord(behind);
  putStream(behind);
  putStream(sizeStream(lane));
  putStream(fadingStream(lane));
  putStream(burstStream(lane));
  put(lane.futureKey0);
  put(lane.futureKey1);
}

function putStream(stream: Stream): void {
  put(uniformOfWord(stream.s0));
  put(uniformOfWord(stream.s1));
  put(uniformOfWord(stream.s2));
  put(stream.carry);
}

function writeChurn(lane: Lane): void {
  put(lane.lostTasks);
  put(lane.lostOnTimeTasks);
  putStream(churnStream(lane));
  for (let e = 0; e < lane.numServers; e++) put(isThere(lane, e) ? 1 : 0);
}
