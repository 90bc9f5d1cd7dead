/** Who has a task: the users of a slot asked in order, and the hidden chain of bursty arrivals. */

// A step asks for the next user with a task. Up to 64 users are asked at once, and a bit of a mask stands for each of
// those who have one: then the next task is one instruction, and the draws run in a loop without a branch. Gain: 1.07
// times in the whole step. A user's number of Poisson tasks hangs on its draw, so there users are asked one by one.
// The stream is therefore ahead of the current user; a snapshot takes the draws back (alea.ts).

import { drawUniform, drawWord, MULTIPLIER } from "./alea";
import { arrivalStream, burstStream, Lane } from "./lane";
import { Scenario } from "./scenario";

const MASK_BITS: i32 = 64;

/** Nobody was asked yet, as a slot begins. */
// @ts-ignore: decorator
@inline
export function beginArrivals(lane: Lane): void {
  lane.userIndex = -1;
  lane.numAskedUsers = 0;
  lane.arrivals = 0;
}

/**
 * Finds the next task of this slot; false if it has no more. Users are asked from the one after the current on.
 * `pendingTasks` is 0.
 */
// @ts-ignore: decorator
@inline
export function findTask(lane: Lane): bool {
  const mask = lane.arrivals;
  if (mask == 0) return findFurther(lane);
  lane.arrivals = mask & (mask - 1);
  lane.userIndex = lane.firstOfArrivals + <i32>ctz(mask);
  return true;
}

function findFurther(lane: Lane): bool {
  if (lane.scenario.isPoisson) return findPoisson(lane);
  while (lane.numAskedUsers < lane.numUsers) {
    askUsers(lane);
    const mask = lane.arrivals;
    if (mask == 0) continue;
    lane.arrivals = mask & (mask - 1);
    lane.userIndex = lane.firstOfArrivals + <i32>ctz(mask);
    return true;
  }
  lane.userIndex = -1;
  return false;
}

/** Asks the next users, as many as a mask has bits. */
export function askUsers(lane: Lane): void {
  const scenario = lane.scenario;
  const first = lane.numAskedUsers;
  const count = min(lane.numUsers - first, MASK_BITS);
  const limit = lane.isBusy || !scenario.isBursty ? scenario.arrivalLimit : scenario.quietLimit;
  const stream = arrivalStream(lane);
  let s0 = <u64>stream.s0;
  let s1 = <u64>stream.s1;
  let s2 = <u64>stream.s2;
  let carry = <u64>stream.carry;
  let mask: u64 = 0;
  // drawWord three times, written out: each word stays in its register
  let bit = 0;
  for (; bit + 3 <= count; bit += 3) {
    let t = MULTIPLIER * s0 + carry;
    s0 = t & 0xffffffff;
    mask |= <u64>(s0 < limit) << bit;
    t = MULTIPLIER * s1 + (t >>> 32);
    s1 = t & 0xffffffff;
    mask |= <u64>(s1 < limit) << (bit + 1);
    t = MULTIPLIER * s2 + (t >>> 32);
    s2 = t & 0xffffffff;
    mask |= <u64>(s2 < limit) << (bit + 2);
    carry = t >>> 32;
  }
  stream.s0 = <u32>s0;
  stream.s1 = <u32>s1;
  stream.s2 = <u32>s2;
  stream.carry = <u32>carry;
  for (; bit < count; bit++) mask |= <u64>(<u64>drawWord(stream) < limit) << bit;
  lane.arrivals = mask;
  lane.firstOfArrivals = first;
  lane.numAskedUsers = first + count;
}

/** Asks user by user until one has tasks. */
function findPoisson(lane: Lane): bool {
  const scenario = lane.scenario;
  const stream = arrivalStream(lane);
  for (let user = lane.numAskedUsers; user < lane.numUsers; user++) {
    const u = drawUniform(stream);
    if (u < scenario.probabilityOfNone) continue;
    lane.numAskedUsers = user + 1;
    lane.userIndex = user;
    lane.pendingTasks = poissonCount(u, scenario) - 1;
    return true;
  }
  lane.numAskedUsers = lane.numUsers;
  lane.userIndex = -1;
  return false;
}

/** The Poisson count that belongs to the uniform `u`, by inversion: the smallest k with P(X ≤ k) > u. */
function poissonCount(u: f64, scenario: Scenario): i32 {
  const mean = scenario.arrivalRate;
  let count = 0;
  let probability = scenario.probabilityOfNone;
  let cumulative = probability;
  // the terms fall to nothing before the sum reaches a u next to 1, so the count is bounded
  while (u >= cumulative && probability > 0) {
    count++;
    probability = (probability * mean) / <f64>count;
    cumulative += probability;
  }
  return count;
}

/** One step of the hidden chain of bursty arrivals, between two slots. */
export function changeBurst(lane: Lane): void {
  const scenario = lane.scenario;
  const leaving = lane.isBusy ? scenario.leaveBusyProbability : scenario.leaveQuietProbability;
  if (drawUniform(burstStream(lane)) < leaving) lane.isBusy = 1 - lane.isBusy;
}
