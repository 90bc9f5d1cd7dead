/** The numeric form of observations: a row of float32 for each lane, and its action mask. */

import { theBatch } from "./batch";
import { currentBacklogMbit, firstServer, isThere, Lane, Server, SERVER_PAIR, serverOf } from "./lane";
import { localWaitSlots } from "./latency";
import { writeFacts } from "./observation-facts";

/** Numbers before the servers, and of each server. */
const HEADER_BYTES: usize = 24;
const SERVER_BYTES: usize = 16;

// @ts-ignore: decorator
@inline
function rowOf(lane: Lane): usize {
  const batch = theBatch();
  return batch.outputs.observation + 4 * <usize>batch.observationSize * <usize>lane.index;
}

/** Writes the current decision: what may change from one to the next. */
// @ts-ignore: decorator
@inline
export function writeObservation(lane: Lane): void {
  const outputs = theBatch().outputs;
  const scenario = lane.scenario;
  const i = <usize>lane.index;
  const row = rowOf(lane);
  store<f32>(row, <f32>lane.sizeMbit);
  store<f32>(row, <f32>lane.userIndex, 12);
  store<f32>(row, <f32>localWaitSlots(currentBacklogMbit(lane), scenario), 20);
  store<i32>(outputs.decisionIndex + 4 * i, lane.decisionIndex);
  store<i32>(outputs.slot + 4 * i, lane.slot);
  writeServers(lane, row + HEADER_BYTES);
  if (scenario.hasChurn) writeAvailability(lane);
  if (theBatch().shownHistorySlots > 0) writeHistory(lane, row);
  if (theBatch().showsFacts) writeFacts(lane, row);
}

/** R, F, N and L of each server: two servers are one store of eight numbers. */
// @ts-ignore: decorator
@inline
function writeServers(lane: Lane, first: usize): void {
  let at = first;
  let pair = firstServer(lane);
  for (const end = pair + SERVER_PAIR * <usize>(lane.numServers >> 1); pair < end; pair += SERVER_PAIR) {
    const rate = f32x4.demote_f64x2_zero(v128.load(pair, offsetof<Server>("rateMbps")));
    const cpu = f32x4.demote_f64x2_zero(v128.load(pair, offsetof<Server>("cpuGHz")));
    const active = f32x4.demote_f64x2_zero(v128.load(pair, offsetof<Server>("activeTasks")));
    const workload = f32x4.demote_f64x2_zero(v128.load(pair, offsetof<Server>("workloadMbit")));
    const left = v128.shuffle<f32>(rate, cpu, 0, 4, 1, 5);
    const right = v128.shuffle<f32>(active, workload, 0, 4, 1, 5);
    v128.store(at, v128.shuffle<i64>(left, right, 0, 2));
    v128.store(at, v128.shuffle<i64>(left, right, 1, 3), SERVER_BYTES);
    at += 2 * SERVER_BYTES;
  }
  if (lane.numServers & 1) {
    const server = changetype<Server>(pair);
    store<f32>(at, <f32>server.rateMbps);
    store<f32>(at, <f32>server.cpuGHz, 4);
    store<f32>(at, <f32>server.activeTasks, 8);
    store<f32>(at, <f32>server.workloadMbit, 12);
  }
}

/** Writes the last W workloads of every server, oldest first. What a lane's own, shorter history leaves is 0. */
function writeHistory(lane: Lane, row: usize): void {
  const batch = theBatch();
  const ownSlots = lane.scenario.historySlots;
  let at = row + HEADER_BYTES + SERVER_BYTES * <usize>batch.maxServers;
  for (let e = 0; e < lane.numServers; e++) {
    for (let i = 0; i < ownSlots; i++) store<f32>(at + 4 * i, <f32>historyMbit(lane, e, i));
    at += 4 * <usize>batch.shownHistorySlots;
  }
}

/** L_e at the end of the i-th of the last W slots, oldest first, Mbit. */
export function historyMbit(lane: Lane, server: i32, i: i32): f64 {
  const ownSlots = lane.scenario.historySlots;
  const row = lane.historyRow + i;
  const at = <usize>(row < ownSlots ? row : row - ownSlots);
  return load<f64>(lane.history + theBatch().historyRowBytes * at + 8 * server);
}

/** Writes who is there: the mask of actions, and a capacity of 0 for an absent server. */
function writeAvailability(lane: Lane): void {
  const batch = theBatch();
  const mask = batch.outputs.actionMask + <usize>lane.index * <usize>(batch.maxServers + 1);
  const row = rowOf(lane) + HEADER_BYTES;
  for (let e = 0; e < lane.numServers; e++) {
    const isServerThere = isThere(lane, e);
    store<u8>(mask + e, isServerThere ? 1 : 0, 1);
    store<f32>(row + SERVER_BYTES * e, isServerThere ? <f32>serverOf(lane, e).cpuGHz : 0, 4);
  }
}

/** Writes what stays as it is for a whole episode (but for servers that leave), padding included. */
export function writeEpisode(lane: Lane): void {
  const batch = theBatch();
  const outputs = batch.outputs;
  const scenario = lane.scenario;
  const i = <usize>lane.index;
  const row = rowOf(lane);
  memory.fill(row, 0, 4 * <usize>batch.observationSize);
  store<f32>(row, <f32>scenario.densityGcyclesPerMbit, 4);
  store<f32>(row, <f32>scenario.deadlineSlots, 8);
  store<f32>(row, <f32>scenario.localCpuGHz, 16);
  const mask = outputs.actionMask + i * <usize>(batch.maxServers + 1);
  store<u8>(mask, 1);
  memory.copy(mask + 1, lane.availability, batch.maxServers);
  store<u64>(outputs.episodeSeed + 8 * i, <u64>lane.episodeSeed);
  store<i32>(outputs.numServers + 4 * i, lane.numServers);
}

/** Brings a lane's outputs up to date. */
// @ts-ignore: decorator
@inline
export function show(lane: Lane): void {
  const shown = theBatch().outputs.shownStart + 8 * <usize>lane.index;
  if (load<u64>(shown) != lane.startNumber) {
    store<u64>(shown, lane.startNumber);
    writeEpisode(lane);
  }
  writeObservation(lane);
}
