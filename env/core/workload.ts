/** What happens to an episode whatever its policy does: topology, churn, arrivals, task sizes and fading. */

import {
  ALEA_MULTIPLIER,
  drawFutureKeys,
  drawUniform,
  STREAM_SIZE,
  StreamGroup,
  seedStream,
  streamName,
  TWO_TO_MINUS_32,
} from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import { changeServers, startChurn } from "./churn.js";
import { drawRates } from "./fading.js";
import type { Lanes } from "./kernel.js";
import { countUnfinished, serveSlots } from "./service.js";

/** Values of `phase`. */
export const PHASE_UNUSED = 0;
export const PHASE_RUNNING = 1;
export const PHASE_ENDED = 2;

/** The streams that every episode has, and where they are seeded: the last two are needed only while it is set up. */
const episodeStreams = new StreamGroup(["arrivals", "sizes", "fading", "future", "topology"]);
const seeded = new Float64Array(5 * STREAM_SIZE);
const FUTURE = 3 * STREAM_SIZE;
const TOPOLOGY = 4 * STREAM_SIZE;

/**
 * Sets a lane to the first decision of episode `seed`: empty queues, capacities drawn, slots played until a task
 * arrives.
 */
export function startEpisode(lanes: Lanes, lane: number, scenario: Scenario, seed: number): void {
  const { arrays, size } = lanes;
  const p = lanes.parameters[lane];
  const clear = (values: Float64Array | Int32Array, width: number) => values.fill(0, lane * width, (lane + 1) * width);
  clear(arrays.rateMbps, size.maxServers);
  clear(arrays.cpuGHz, size.maxServers);
  clear(arrays.activeTasks, size.maxServers);
  clear(arrays.workloadMbit, size.maxServers);
  clear(arrays.historyMbit, size.maxServers * size.historySlots);
  clear(arrays.backlogMbit, size.maxUsers);
  clear(arrays.addedBacklogMbit, size.maxUsers);

  episodeStreams.seed(seed, seeded);
  for (let i = 0; i < STREAM_SIZE; i++) {
    arrays.arrivalStream[lane * STREAM_SIZE + i] = seeded[i];
    arrays.sizeStream[lane * STREAM_SIZE + i] = seeded[STREAM_SIZE + i];
    arrays.fadingStream[lane * STREAM_SIZE + i] = seeded[2 * STREAM_SIZE + i];
  }
  drawFutureKeys(seeded, FUTURE, arrays.futureKeys, lane * 2);
  arrays.isBusy[lane] = 0;
  if (p.isBursty) {
    seedStream(streamName("bursts", seed), arrays.burstStream, lane * 4);
    arrays.isBusy[lane] = drawUniform(arrays.burstStream, lane * 4) < p.busyShare ? 1 : 0;
  } else clear(arrays.burstStream, 4);
  drawTopology(lanes, lane, scenario);
  startChurn(lanes, lane, seed);

  arrays.episodeSeed[lane] = seed;
  arrays.slot[lane] = 0;
  arrays.endSlot[lane] = p.episodeSlots;
  arrays.decisionIndex[lane] = 0;
  arrays.userIndex[lane] = -1;
  arrays.pendingTasks[lane] = 0;
  arrays.numTasks[lane] = 0;
  arrays.numTasksAtSlotStart[lane] = 0;
  arrays.finishedTasks[lane] = 0;
  arrays.finishedLateTasks[lane] = 0;
  arrays.realisedLatencySumSlots[lane] = 0;
  arrays.unfinishedTasks[lane] = 0;
  arrays.unfinishedLateTasks[lane] = 0;
  arrays.phase[lane] = PHASE_RUNNING;
  lanes.oneLane[0] = lane;
  advanceLanes(lanes, lanes.oneLane, 1);
  // an episode without a task in its slots is extended to its first one
  if (arrays.slot[lane] >= p.episodeSlots) arrays.endSlot[lane] = arrays.slot[lane] + 1;
}

function drawTopology(lanes: Lanes, lane: number, scenario: Scenario): void {
  const { arrays, size } = lanes;
  const { numServers, users, serverCpuGHz } = scenario;
  let count: number;
  if (typeof numServers === "number") {
    count = numServers;
  } else {
    const u = drawUniform(seeded, TOPOLOGY);
    count = Array.isArray(numServers)
      ? numServers[Math.floor(u * numServers.length)]
      : numServers.min + Math.floor(u * (numServers.max - numServers.min + 1));
  }
  arrays.numServers[lane] = count;
  arrays.numUsers[lane] = "count" in users ? users.count : users.perServer * count;
  const firstServer = lane * size.maxServers;
  for (let e = 0; e < count; e++) {
    arrays.cpuGHz[firstServer + e] = Array.isArray(serverCpuGHz)
      ? serverCpuGHz[e]
      : serverCpuGHz.min + (serverCpuGHz.max - serverCpuGHz.min) * drawUniform(seeded, TOPOLOGY);
  }
}

/**
 * Moves each lane of a list to its next task: the next one of this slot or, after service, the first one of the next slot
 * that has any. Arrivals are drawn user by user as they are asked for; they depend on nothing a policy does.
 *
 * @param list the lanes; the first `count` entries, no more than a block
 */
export function advanceLanes(lanes: Lanes, list: Int32Array, count: number): void {
  const numDrawing = findTasks(lanes, list, count);
  drawRates(lanes, numDrawing);
  drawSizes(lanes, list, count);
}

/**
 * Finds the next task of each lane, and lists in `drawingLanes` those whose rates are to be drawn: all but the lanes
 * whose user has a further task in this slot. Returns how many they are.
 */
function findTasks(lanes: Lanes, list: Int32Array, count: number): number {
  const { drawingLanes, searchingLanes } = lanes;
  const { pendingTasks } = lanes.arrays;
  let numDrawing = 0;
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    if (pendingTasks[lane] > 0) {
      pendingTasks[lane] -= 1;
      continue;
    }
    searchingLanes[numDrawing] = lane;
    drawingLanes[numDrawing++] = lane;
  }
  let numSearching = askUsers(lanes, numDrawing);
  while (numSearching > 0) {
    beginNextSlots(lanes, searchingLanes, numSearching);
    numSearching = askUsers(lanes, numSearching);
  }
  return numDrawing;
}

/**
 * Asks the users of the slot in order, from the one after the current, until one has a task, in the first `count` of
 * `searchingLanes`. Those where none has are then the first ones of that list; returns how many they are.
 */
function askUsers(lanes: Lanes, count: number): number {
  const { arrays, parameters, searchingLanes } = lanes;
  const { arrivalStream, userIndex, numUsers, pendingTasks, isBusy } = arrays;
  let numLeft = 0;
  for (let i = 0; i < count; i++) {
    const lane = searchingLanes[i];
    const { isPoisson, isBursty, arrivalThreshold, quietThreshold, arrivalRate } = parameters[lane];
    const threshold = isBursty && isBusy[lane] === 0 ? quietThreshold : arrivalThreshold;
    const end = numUsers[lane];
    const offset = lane * 4;
    let user = userIndex[lane];
    // drawUniform, written out: the stream's state stays in registers while the users are asked
    let s0 = arrivalStream[offset];
    let s1 = arrivalStream[offset + 1];
    let s2 = arrivalStream[offset + 2];
    let carry = arrivalStream[offset + 3];
    let isFound = false;
    while (!isFound && ++user < end) {
      const t = ALEA_MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
      s0 = s1;
      s1 = s2;
      carry = Math.floor(t);
      s2 = t - carry;
      isFound = isPoisson ? s2 >= threshold : s2 < threshold;
    }
    arrivalStream[offset] = s0;
    arrivalStream[offset + 1] = s1;
    arrivalStream[offset + 2] = s2;
    arrivalStream[offset + 3] = carry;
    userIndex[lane] = isFound ? user : -1;
    searchingLanes[numLeft] = lane;
    if (!isFound) numLeft++;
    else if (isPoisson) pendingTasks[lane] = poissonCount(s2, threshold, arrivalRate) - 1;
  }
  return numLeft;
}

/** The service of the lanes' slots, and what happens between them and the arrivals of the next. */
function beginNextSlots(lanes: Lanes, list: Int32Array, count: number): void {
  const { slot, endSlot } = lanes.arrays;
  serveSlots(lanes, list, count);
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    const { isBursty, hasChurn } = lanes.parameters[lane];
    slot[lane] += 1;
    if (isBursty) changeBurst(lanes, lane);
    if (slot[lane] === endSlot[lane]) countUnfinished(lanes, lane);
    if (hasChurn) changeServers(lanes, lane);
  }
}

/** One step of the hidden chain of bursty arrivals, between two slots. */
function changeBurst(lanes: Lanes, lane: number): void {
  const { isBusy, burstStream } = lanes.arrays;
  const { leaveBusyProbability, leaveQuietProbability } = lanes.parameters[lane];
  const leaves = drawUniform(burstStream, lane * 4) < (isBusy[lane] ? leaveBusyProbability : leaveQuietProbability);
  if (leaves) isBusy[lane] = 1 - isBusy[lane];
}

/** The Poisson count that belongs to the uniform `u`, by inversion: the smallest k with P(X ≤ k) > u. */
function poissonCount(u: number, probabilityOfNone: number, mean: number): number {
  let count = 0;
  let probability = probabilityOfNone;
  let cumulative = probability;
  // the terms fall to nothing before the sum reaches a u next to 1, so the count is bounded
  while (u >= cumulative && probability > 0) {
    count++;
    probability = (probability * mean) / count;
    cumulative += probability;
  }
  return count;
}

function drawSizes(lanes: Lanes, list: Int32Array, count: number): void {
  const { sizeMbit, sizeStream } = lanes.arrays;
  const { parameters } = lanes;
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    const p = parameters[lane];
    sizeMbit[lane] = p.minSizeMbit + p.sizeSpanMbit * drawUniform(sizeStream, lane * 4);
  }
}
