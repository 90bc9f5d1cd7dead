/** One slot of service at edge servers: processor sharing, and what it leaves of every task. */

// A lane's list holds the tasks of all its servers, in arrival order. Each loop takes all of them, with the arithmetic
// of both cases instead of branches, because the branches, now one way and now the other, cost more. A list by server
// in vectors was tried and is no faster at the loads of the benchmark, with six servers; with many it wastes memory.

import { theBatch } from "./batch";
import { RESIDUAL_TOLERANCE_MBIT } from "./decision";
import { IS_CHECKED } from "./canary";
import { endOfServers, firstServer, Lane, Server, SERVER_PAIR, serverOfTask, Task, TASK } from "./lane";
import { ones } from "./logarithm";
import { Scenario } from "./scenario";
import { add, div, mul } from "./vectors";

/** Work space of a service: what a server has left to give. Pairs, at the same distances as the servers themselves. */
@unmanaged
class ServerShare {
  /** S: work left to give in this slot, Mbit. */
  serviceMbit: f64;
  private serviceOfNext: f64;
  /** What each unfinished task gets, Mbit. */
  shareMbit: f64;
  private shareOfNext: f64;
  /** n: unfinished tasks among those served. */
  unfinished: f64;
  private unfinishedOfNext: f64;
}

// @ts-ignore: decorator
@inline
function shareOfTask(shares: usize, task: Task): ServerShare {
  return changetype<ServerShare>(shares + task.serverOffset);
}

/** Serves the tasks that were there as the slot began (eq. 9, 10), and sums N and L again. */
export function serveServers(lane: Lane): void {
  const numServed = lane.numServedTasks;
  if (numServed > 0) {
    const shares = theBatch().shares;
    if (lane.scenario.isWorkConserving) beginConserving(lane, shares);
    else beginShared(lane, shares);
    const first = lane.tasks;
    const end = first + TASK * <usize>numServed;
    const numNew = lane.numTasks - numServed;
    const numDone = shareOut(lane, shares, first, end, numServed);
    if (numDone > 0) settle(lane, shares, first, end, numDone);
    else takeShares(lane, shares, first, end);
    addNewTasks(lane, numNew);
  }
  lane.numServedTasks = lane.numTasks;
  for (let pair = firstServer(lane), last = endOfServers(lane); pair < last; pair += SERVER_PAIR) {
    v128.store(pair, v128.load(pair, offsetof<Server>("activeTasks")), offsetof<Server>("servedTasks"));
  }
}

/** S of every server that slows with the number of its tasks: F·Δt/(γ·(n+1)) (eq. 9). */
function beginShared(lane: Lane, shares: usize): void {
  const scenario = changetype<usize>(lane.scenario);
  const slotSeconds = v128.load_splat<f64>(scenario, offsetof<Scenario>("slotSeconds"));
  const density = v128.load_splat<f64>(scenario, offsetof<Scenario>("densityGcyclesPerMbit"));
  for (let pair = firstServer(lane), end = endOfServers(lane), share = shares; pair < end; pair += SERVER_PAIR) {
    const n = v128.load(pair, offsetof<Server>("servedTasks"));
    const work = mul(v128.load(pair, offsetof<Server>("cpuGHz")), slotSeconds);
    beginPair(pair, share, n, div(work, mul(density, add(n, ones()))));
    share += SERVER_PAIR;
  }
}

/** S of every server that works at full speed while work waits: F·Δt/γ. */
function beginConserving(lane: Lane, shares: usize): void {
  const scenario = changetype<usize>(lane.scenario);
  const slotSeconds = v128.load_splat<f64>(scenario, offsetof<Scenario>("slotSeconds"));
  const density = v128.load_splat<f64>(scenario, offsetof<Scenario>("densityGcyclesPerMbit"));
  for (let pair = firstServer(lane), end = endOfServers(lane), share = shares; pair < end; pair += SERVER_PAIR) {
    const n = v128.load(pair, offsetof<Server>("servedTasks"));
    beginPair(pair, share, n, div(mul(v128.load(pair, offsetof<Server>("cpuGHz")), slotSeconds), density));
    share += SERVER_PAIR;
  }
}

// @ts-ignore: decorator
@inline
function beginPair(pair: usize, share: usize, n: v128, service: v128): void {
  v128.store(share, service, offsetof<ServerShare>("serviceMbit"));
  v128.store(share, div(service, n), offsetof<ServerShare>("shareMbit"));
  v128.store(share, n, offsetof<ServerShare>("unfinished"));
  // the sums of N and L begin
  v128.store(pair, f64x2.splat(0), offsetof<Server>("activeTasks"));
  v128.store(pair, f64x2.splat(0), offsetof<Server>("workloadMbit"));
}

/** Rounds of sharing, until no task is done in one or all are. The residual of a task that is done becomes 0. */
// @ts-ignore: decorator
@inline
function shareOut(lane: Lane, shares: usize, first: usize, end: usize, numServed: i32): i32 {
  let inRound = finishTasks(shares, first, end);
  let numDone = inRound;
  while (inRound > 0 && numDone < numServed) {
    // a server of which no task was done gets the share it had: the same quotient
    const last = shares + (endOfServers(lane) - firstServer(lane));
    for (let share = shares; share < last; share += SERVER_PAIR) {
      const service = v128.load(share, offsetof<ServerShare>("serviceMbit"));
      const n = v128.load(share, offsetof<ServerShare>("unfinished"));
      v128.store(share, div(service, n), offsetof<ServerShare>("shareMbit"));
    }
    inRound = finishTasks(shares, first, end);
    numDone += inRound;
  }
  return numDone;
}

/** One round: every unfinished task that needs no more than its share is done. How many they are. */
// @ts-ignore: decorator
@inline
function finishTasks(shares: usize, first: usize, end: usize): i32 {
  let numDone = 0;
  for (let at = first; at < end; at += TASK) {
    const task = changetype<Task>(at);
    const share = shareOfTask(shares, task);
    const residual = task.residualMbit;
    const isDone = residual - share.shareMbit <= RESIDUAL_TOLERANCE_MBIT && residual != 0;
    const left = share.serviceMbit - (isDone ? residual : 0);
    share.serviceMbit = left > 0 ? left : 0;
    share.unfinished -= <f64>isDone;
    task.residualMbit = isDone ? 0 : residual;
    numDone += <i32>isDone;
  }
  return numDone;
}

/** No task was done: each one gives up its share. */
// @ts-ignore: decorator
@inline
function takeShares(lane: Lane, shares: usize, first: usize, end: usize): void {
  for (let at = first; at < end; at += TASK) {
    const task = changetype<Task>(at);
    const server = serverOfTask(lane, task);
    const left = task.residualMbit - shareOfTask(shares, task).shareMbit;
    task.residualMbit = left;
    server.activeTasks += 1;
    server.workloadMbit += left;
  }
}

/** Books the tasks that are done, closes their gaps, and takes its share from every other one. */
function settle(lane: Lane, shares: usize, first: usize, end: usize, numDone: i32): void {
  const slot = lane.slot;
  const deadlineSlots = lane.scenario.deadlineSlots;
  let latencySum = lane.realisedLatencySumSlots;
  let numLate = 0;
  let to = first;
  for (let at = first; at < end; at += TASK) {
    const task = changetype<Task>(at);
    const server = serverOfTask(lane, task);
    const residual = task.residualMbit;
    const isDone = residual == 0;
    const latencySlots = task.uploadSlots + <f64>(slot - task.decisionSlot);
    latencySum += isDone ? latencySlots : 0;
    numLate += <i32>(isDone && latencySlots > deadlineSlots);
    const left = isDone ? 0 : residual - shareOfTask(shares, task).shareMbit;
    server.activeTasks += <f64>!isDone;
    server.workloadMbit += left;
    copyTask(to, at);
    changetype<Task>(to).residualMbit = left;
    to += isDone ? 0 : TASK;
  }
  const last = lane.tasks + TASK * <usize>lane.numTasks;
  if (IS_CHECKED) assert(to == end - TASK * <usize>numDone);
  for (let at = end; at < last; at += TASK, to += TASK) copyTask(to, at);
  lane.numTasks -= numDone;
  if (slot >= lane.endSlot) return;
  lane.finishedTasks += numDone;
  lane.finishedLateTasks += numLate;
  lane.realisedLatencySumSlots = latencySum;
}

/** Tasks of this slot were not served: they join N and L as they are. They are the last of the list. */
// @ts-ignore: decorator
@inline
function addNewTasks(lane: Lane, numNew: i32): void {
  const last = lane.tasks + TASK * <usize>lane.numTasks;
  for (let at = last - TASK * <usize>numNew; at < last; at += TASK) {
    const task = changetype<Task>(at);
    const server = serverOfTask(lane, task);
    server.activeTasks += 1;
    server.workloadMbit += task.residualMbit;
  }
}

// @ts-ignore: decorator
@inline
export function copyTask(to: usize, from: usize): void {
  const low = v128.load(from);
  const high = v128.load(from, 16);
  v128.store(to, low);
  v128.store(to, high, 16);
}

/** Counts the tasks that the episode's last slot left unfinished, and those of them that can only be late. */
export function countUnfinished(lane: Lane): void {
  const deadlineSlots = lane.scenario.deadlineSlots;
  const first = lane.tasks;
  for (let at = first, end = first + TASK * <usize>lane.numTasks; at < end; at += TASK) {
    const task = changetype<Task>(at);
    lane.unfinishedTasks += 1;
    if (task.uploadSlots + <f64>(lane.endSlot - task.decisionSlot) > deadlineSlots) lane.unfinishedLateTasks += 1;
  }
}
