/** A lane: the state of one episode, its servers, its users and its tasks, as structs in linear memory. */

// A lane is one block: its head, then its servers, then its users, then a byte for each server that says whether it is
// there. Its workload history and its task list stand elsewhere: of the one a slot touches a single row, the other
// grows.

import { IS_CHECKED } from "./canary";
import { Scenario } from "./scenario";

/** Values of `phase`. */
export const UNUSED: i32 = 0;
export const RUNNING: i32 = 1;
export const ENDED: i32 = 2;

/** A random stream: the state of Baagøe's Alea in integers; see alea.ts. */
@unmanaged
export class Stream {
  s0: u32;
  s1: u32;
  s2: u32;
  carry: u32;
}

/**
 * One server. Servers stand in pairs, field by field, so that one instruction on two doubles takes a field of both. A
 * lane with an odd number of servers has one more in its last pair, which is all zeros but for what a computation on
 * the pair leaves there; nothing reads it.
 */
@unmanaged
export class Server {
  /** R_{u,e}: rate of the current task's user, Mbit/s; 0 if the server is absent. */
  rateMbps: f64;
  private rateOfNext: f64;
  /** F_e, GHz. */
  cpuGHz: f64;
  private cpuOfNext: f64;
  /** L_e: waiting work, Mbit. */
  workloadMbit: f64;
  private workloadOfNext: f64;
  /** N_e: active tasks, a whole number. */
  activeTasks: f64;
  private activeOfNext: f64;
  /** Those of them that were there as the slot began. */
  servedTasks: f64;
  private servedOfNext: f64;
}

/** One user's device. Users stand in pairs, as servers do. */
@unmanaged
export class User {
  /** Backlog as the slot began, which this slot's service may touch, Mbit. */
  backlogMbit: f64;
  private backlogOfNext: f64;
  /** What this slot added, Mbit; W_u is the sum of the two. */
  addedMbit: f64;
  private addedOfNext: f64;
}

/** A task that an edge server holds. A lane's tasks stand in arrival order. */
@unmanaged
export class Task {
  /** Work left, Mbit; 0 within a service if the task is done. */
  residualMbit: f64;
  /** D/R/Δt: upload time, slots. */
  uploadSlots: f64;
  /** Slot of the decision. */
  decisionSlot: i32;
  /** Where its server stands, in bytes from the lane's first server. */
  serverOffset: u16;
  /** Whether C exceeded the deadline at the decision. */
  wasLate: u8;
  /** Room for the task's class. */
  planned: u8;
}

// Every step reads and writes the first lines of a lane's head, the end of a slot the next ones, and an episode's start
// the last: with thousands of lanes a step's time is that of the cache lines it touches.

@unmanaged
export class Lane {
  /** Index among the batch's lanes. */
  index: i32;
  phase: i32;
  /** What it plays. */
  scenario: Scenario;
  /** First User. */
  users: usize;
  /** First Task, how many there are, and how many there is room for. */
  tasks: usize;
  numTasks: i32;
  taskCapacity: i32;
  /** E and U of this episode. */
  numServers: i32;
  numUsers: i32;
  /** t. */
  slot: i32;
  /** First slot whose service no longer counts: T, or one more than the first task's slot if that is later. */
  endSlot: i32;
  /** Index of the current decision. */
  decisionIndex: i32;
  /** u: source of the current task, -1 as a slot begins. */
  userIndex: i32;
  /** Further tasks of the same user in this slot (Poisson arrivals). */
  pendingTasks: i32;
  /** A bit for each user that has a task in this slot and was not given it yet, from user `firstOfArrivals` on. */
  arrivals: u64;
  /** D: size of the current task, Mbit. */
  sizeMbit: f64;
  /** Streams of the episode, 16 bytes each. */
  sizeStreamWords0: u64;
  sizeStreamWords1: u64;
  fadingStreamWords0: u64;
  fadingStreamWords1: u64;
  /** Which of the starts and restores of the batch it plays on from; see outputs.ts. */
  startNumber: u64;
  firstOfArrivals: i32;
  /** Users of this slot whose arrivals have been drawn. */
  numAskedUsers: i32;
  /** What became of the tasks decided so far. */
  realisedLatencySumSlots: f64;
  finishedTasks: i32;
  finishedLateTasks: i32;
  unfinishedTasks: i32;
  unfinishedLateTasks: i32;
  /** Tasks that were there as the slot began: the first ones of the list. */
  numServedTasks: i32;
  /** First row of the workload history, and t mod W: the row that the end of this slot writes. */
  history: usize;
  historyRow: i32;
  /** Whether this slot is busy (bursty arrivals). */
  isBusy: i32;
  arrivalStreamWords0: u64;
  arrivalStreamWords1: u64;
  burstStreamWords0: u64;
  burstStreamWords1: u64;
  churnStreamWords0: u64;
  churnStreamWords1: u64;
  lostTasks: i32;
  /** Those of them that were not late at their decision. */
  lostOnTimeTasks: i32;
  /** First of a byte for each server: whether it is there. */
  availability: usize;
  /** Keys of the look-ahead futures. */
  futureKey0: i32;
  futureKey1: i32;
  episodeSeed: f64;
  /** Which episode comes next: seed of the function that picks it, and episodes started so far. */
  laneSeed: f64;
  episodeIndex: f64;
  /** Sum of the sizes of the first tasks of the episode, and of how many; kept only if observations show facts. */
  sizeSumMbit: f64;
  numSizesSummed: i32;
}

/** Bytes of a pair, and where the servers of a lane begin. */
export const SERVER_PAIR: usize = offsetof<Server>();
export const USER_PAIR: usize = offsetof<User>();
export const TASK: usize = offsetof<Task>();
export const SERVERS: usize = (offsetof<Lane>() + 15) & ~15;

/** Where server or user `index` stands, in bytes from the first one. */
// @ts-ignore: decorator
@inline
export function serverOffset(index: i32): usize {
  return <usize>(index >> 1) * SERVER_PAIR + ((<usize>index & 1) << 3);
}
// @ts-ignore: decorator
@inline
export function userOffset(index: i32): usize {
  return <usize>(index >> 1) * USER_PAIR + ((<usize>index & 1) << 3);
}

/** Index of the server that stands `offset` bytes behind the first one. */
export function serverIndexOf(offset: u32): i32 {
  const pair = offset / <u32>SERVER_PAIR;
  return <i32>(2 * pair + ((offset - pair * <u32>SERVER_PAIR) >> 3));
}

/** Server e, from 0. */
// @ts-ignore: decorator
@inline
export function serverOf(lane: Lane, index: i32): Server {
  if (IS_CHECKED) assert(<u32>index < <u32>((lane.numServers + 1) & ~1));
  return changetype<Server>(firstServer(lane) + serverOffset(index));
}

/** Server that a task is at. */
// @ts-ignore: decorator
@inline
export function serverOfTask(lane: Lane, task: Task): Server {
  if (IS_CHECKED) assert(serverIndexOf(task.serverOffset) < lane.numServers);
  return changetype<Server>(firstServer(lane) + task.serverOffset);
}

/** Address of the first pair of servers, and behind the last. */
// @ts-ignore: decorator
@inline
export function firstServer(lane: Lane): usize {
  return changetype<usize>(lane) + SERVERS;
}
// @ts-ignore: decorator
@inline
export function endOfServers(lane: Lane): usize {
  return firstServer(lane) + <usize>((lane.numServers + 1) >> 1) * SERVER_PAIR;
}

// @ts-ignore: decorator
@inline
export function userOf(lane: Lane, index: i32): User {
  if (IS_CHECKED) assert(<u32>index < <u32>lane.numUsers);
  return changetype<User>(lane.users + userOffset(index));
}

/** Task i, in arrival order. */
// @ts-ignore: decorator
@inline
export function taskOf(lane: Lane, index: i32): Task {
  if (IS_CHECKED) assert(<u32>index < <u32>lane.taskCapacity);
  return changetype<Task>(lane.tasks + TASK * <usize>index);
}

/** Bytes of a list: its tasks, and behind them a bit for each, in words of 64. */
export function listBytes(capacity: i32): usize {
  return TASK * <usize>capacity + 8 * <usize>((capacity + 63) >> 6);
}

/** u64 [..]: which tasks are done, within a service. */
// @ts-ignore: decorator
@inline
export function doneBits(lane: Lane): usize {
  return lane.tasks + TASK * <usize>lane.taskCapacity;
}

// @ts-ignore: decorator
@inline
export function arrivalStream(lane: Lane): Stream {
  return changetype<Stream>(changetype<usize>(lane) + offsetof<Lane>("arrivalStreamWords0"));
}
// @ts-ignore: decorator
@inline
export function sizeStream(lane: Lane): Stream {
  return changetype<Stream>(changetype<usize>(lane) + offsetof<Lane>("sizeStreamWords0"));
}
// @ts-ignore: decorator
@inline
export function fadingStream(lane: Lane): Stream {
  return changetype<Stream>(changetype<usize>(lane) + offsetof<Lane>("fadingStreamWords0"));
}
// @ts-ignore: decorator
@inline
export function burstStream(lane: Lane): Stream {
  return changetype<Stream>(changetype<usize>(lane) + offsetof<Lane>("burstStreamWords0"));
}
// @ts-ignore: decorator
@inline
export function churnStream(lane: Lane): Stream {
  return changetype<Stream>(changetype<usize>(lane) + offsetof<Lane>("churnStreamWords0"));
}

/** W_u of the current user, Mbit. */
// @ts-ignore: decorator
@inline
export function currentBacklogMbit(lane: Lane): f64 {
  const user = userOf(lane, lane.userIndex);
  return user.backlogMbit + user.addedMbit;
}

/** Whether server e is there. */
// @ts-ignore: decorator
@inline
export function isThere(lane: Lane, index: i32): bool {
  return load<u8>(lane.availability + <usize>index) != 0;
}

/** Whether the current task can be given to `action`: 0, or a server that exists and is there. */
// @ts-ignore: decorator
@inline
export function isActionAvailable(lane: Lane, action: i32): bool {
  if (action == 0) return true;
  // who is there stands at the lane's end; the rate says the same where it was drawn, and is at hand
  return <u32>action <= <u32>lane.numServers && serverOf(lane, action - 1).rateMbps != 0;
}
