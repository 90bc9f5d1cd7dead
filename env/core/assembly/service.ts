/** One slot of service at edge servers: processor sharing, and what it leaves of every task. */

// A lane's list holds the tasks of all its servers, in arrival order. Few of them are done in a slot, and which ones
// is hard to foresee: a branch for each task costs more than the arithmetic. So a round first only compares, into a
// bit for each task, and then goes through the bits that are set. Lists by server, in vectors, were tried and are no
// faster at the benchmark's loads with six servers; with many they waste memory.

import { theBatch } from "./batch";
import { RESIDUAL_TOLERANCE_MBIT } from "./decision";
import { IS_CHECKED } from "./canary";
import { doneBits, endOfServers, firstServer, Lane, Server, SERVER_PAIR, serverOfTask, Task, TASK } from "./lane";
import { Scenario } from "./scenario";
import { add, div, mul, ones, sub } from "./vectors";

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
    const numDone = shareOut(lane, shares, numServed);
    const end = lane.tasks + TASK * <usize>numServed;
    if (numDone > 0) settle(lane, shares, end, numServed, numDone);
    else takeShares(lane, shares, end);
    addNewTasks(lane, lane.numTasks + numDone - numServed);
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
  v128.store(pair, f64x2.splat(0), offsetof<Server>("workloadMbit"));
}

/** Rounds of sharing, until no task is done in one or all are. The residual of a task that is done becomes 0. */
// @ts-ignore: decorator
@inline
function shareOut(lane: Lane, shares: usize, numServed: i32): i32 {
  let inRound = finishTasks(lane, shares, numServed, true);
  let numDone = inRound;
  while (inRound > 0 && numDone < numServed) {
    // a server of which no task was done gets the share it had: the same quotient
    const last = shares + (endOfServers(lane) - firstServer(lane));
    for (let share = shares; share < last; share += SERVER_PAIR) {
      const service = v128.load(share, offsetof<ServerShare>("serviceMbit"));
      const n = v128.load(share, offsetof<ServerShare>("unfinished"));
      v128.store(share, div(service, n), offsetof<ServerShare>("shareMbit"));
    }
    inRound = finishTasks(lane, shares, numServed, false);
    numDone += inRound;
  }
  return numDone;
}

/** One round: every unfinished task that needs no more than its share is done. How many they are. */
function finishTasks(lane: Lane, shares: usize, numServed: i32, isFirst: bool): i32 {
  let numDone = 0;
  let at = lane.tasks;
  let words = doneBits(lane);
  for (let left = numServed; left > 0; left -= 64, words += 8) {
    const base = at;
    const count = min(left, 64);
    let bits: u64 = 0;
    for (let bit = 0; bit < count; bit++, at += TASK) {
      const task = changetype<Task>(at);
      const residual = task.residualMbit;
      const isDone = residual - shareOfTask(shares, task).shareMbit <= RESIDUAL_TOLERANCE_MBIT;
      bits |= <u64>(<i32>isDone & <i32>(residual != 0)) << bit;
    }
    store<u64>(words, isFirst ? bits : bits | load<u64>(words));
    numDone += <i32>popcnt(bits);
    for (; bits != 0; bits &= bits - 1) {
      const task = changetype<Task>(base + TASK * <usize>ctz(bits));
      const share = shareOfTask(shares, task);
      const service = share.serviceMbit - task.residualMbit;
      share.serviceMbit = service > 0 ? service : 0;
      share.unfinished -= 1;
      task.residualMbit = 0;
    }
  }
  return numDone;
}

/** No task was done: each one gives up its share, and N stays as it is. */
// @ts-ignore: decorator
@inline
function takeShares(lane: Lane, shares: usize, end: usize): void {
  for (let at = lane.tasks; at < end; at += TASK) {
    const task = changetype<Task>(at);
    const left = task.residualMbit - shareOfTask(shares, task).shareMbit;
    task.residualMbit = left;
    serverOfTask(lane, task).workloadMbit += left;
  }
}

/** Books the tasks that are done, closes their gaps, and takes its share from every other one. */
function settle(lane: Lane, shares: usize, end: usize, numServed: i32, numDone: i32): void {
  bookDone(lane, numServed, numDone);
  for (let pair = firstServer(lane), last = endOfServers(lane), share = shares; pair < last; pair += SERVER_PAIR) {
    const numGone = sub(
      v128.load(pair, offsetof<Server>("servedTasks")),
      v128.load(share, offsetof<ServerShare>("unfinished")),
    );
    const active = sub(v128.load(pair, offsetof<Server>("activeTasks")), numGone);
    v128.store(pair, active, offsetof<Server>("activeTasks"));
    share += SERVER_PAIR;
  }
  let to = lane.tasks;
  for (let at = to; at < end; at += TASK) {
    const task = changetype<Task>(at);
    const residual = task.residualMbit;
    const isDone = residual == 0;
    const left = isDone ? 0 : residual - shareOfTask(shares, task).shareMbit;
    serverOfTask(lane, task).workloadMbit += left;
    copyTask(to, at);
    changetype<Task>(to).residualMbit = left;
    to += isDone ? 0 : TASK;
  }
  const last = lane.tasks + TASK * <usize>lane.numTasks;
  if (IS_CHECKED) assert(to == end - TASK * <usize>numDone);
  for (let at = end; at < last; at += TASK, to += TASK) copyTask(to, at);
  lane.numTasks -= numDone;
}

/** Adds up the realised latencies of the tasks that are done, in arrival order. */
// @ts-ignore: decorator
@inline
function bookDone(lane: Lane, numServed: i32, numDone: i32): void {
  const slot = lane.slot;
  if (slot >= lane.endSlot) return;
  const deadlineSlots = lane.scenario.deadlineSlots;
  let latencySum = lane.realisedLatencySumSlots;
  let numLate = 0;
  let words = doneBits(lane);
  for (let first = 0; first < numServed; first += 64, words += 8) {
    for (let bits = load<u64>(words); bits != 0; bits &= bits - 1) {
      const task = changetype<Task>(lane.tasks + TASK * <usize>(first + <i32>ctz(bits)));
      const latencySlots = task.uploadSlots + <f64>(slot - task.decisionSlot);
      latencySum += latencySlots;
      numLate += <i32>(latencySlots > deadlineSlots);
    }
  }
  lane.finishedTasks += numDone;
  lane.finishedLateTasks += numLate;
  lane.realisedLatencySumSlots = latencySum;
}

/** Tasks of this slot were not served: they join L as they are, and are in N. They are the last of the list. */
// @ts-ignore: decorator
@inline
function addNewTasks(lane: Lane, numNew: i32): void {
  const last = lane.tasks + TASK * <usize>lane.numTasks;
  for (let at = last - TASK * <usize>numNew; at < last; at += TASK) {
    const task = changetype<Task>(at);
    serverOfTask(lane, task).workloadMbit += task.residualMbit;
  }
}

// @ts-ignore: decorator
@inline
export function copyTask(to: usize, from: usize): void {
  const amounts = v128.load(from);
  const rest = load<u64>(from, 16);
  v128.store(to, amounts);
  store<u64>(to, rest, 16);
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
