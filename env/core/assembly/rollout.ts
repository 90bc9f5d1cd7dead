/** Rollouts: a lane copied and played on with a base policy, over futures that are sampled, or over the true one. */

// A sampled future holds nothing that a policy which watched the episode could not know. Arrivals of the users that have
// not been asked yet, sizes, rates, bursts and churn come from new streams; whether the slot is busy and how many tasks
// of the current user still wait are drawn again. What stays is known: the current task with its rates, the clock, the
// capacities, who is there, and the residual work of every task and device. All candidates meet the same futures.

import { laneAt, theBatch } from "./batch";
import { baseAction } from "./base-policy";
import { checkLane } from "./decision-block";
import { giveTask } from "./decision";
import { advance } from "./episode";
import { copyLane } from "./fork";
import { futureUniform, futureWord } from "./futures";
import {
  arrivalStream,
  burstStream,
  churnStream,
  fadingStream,
  isActionAvailable,
  Lane,
  sizeStream,
  Stream,
} from "./lane";
import { costOfLatency } from "./latency";
import { MAX_SUMS, rolloutInput } from "./rollout-input";
import { fail, INVALID_ACTION, INVALID_OPTION, NEEDS_ROOM } from "./status";
import { reserveTasks } from "./task-list";

/** Items of a future behind the three words of each of the five streams. */
const BUSY_ITEM: i32 = 15;
const PENDING_ITEM: i32 = 16;

/** Answers of `playRollout`. */
const ENDED: i32 = 0;
const GOES_ON: i32 = 1;

/** Plays every candidate in every future; see docs/embedding.md. The lane is not changed. */
export function rollout(index: i32): i32 {
  const problem = checkLane(index);
  if (problem != 0) return problem;
  const input = rolloutInput();
  const numSums = input.numCandidates * input.numFutures;
  if (input.numCandidates < 0 || input.numCandidates > theBatch().maxServers + 1 || input.numFutures < 0) {
    return fail(INVALID_OPTION, "numCandidates", -1, input.numCandidates, 0, theBatch().maxServers + 1);
  }
  if (numSums > MAX_SUMS) return fail(INVALID_OPTION, "numFutures", -1, input.numFutures, 0, MAX_SUMS);
  for (let i = 0; i < input.numCandidates; i++) {
    for (let m = 0; m < input.numFutures; m++) {
      const status = begin(index, input.firstFuture + m);
      if (status != 0) return status;
      let answer = play(load<i32>(input.candidates + 4 * i));
      const spare = theBatch().spareLane;
      while (answer == GOES_ON) answer = play(baseAction(spare));
      if (answer == NEEDS_ROOM) return NEEDS_ROOM;
      const sum = answer == INVALID_ACTION ? Infinity : input.sum;
      store<f64>(input.costSlots + 8 * <usize>(i * input.numFutures + m), sum);
    }
  }
  return 0;
}

/** Copies a lane to where rollouts play, into future `sample`. The host then plays on with `playRollout`. */
export function beginRollout(index: i32, sample: i32): i32 {
  const problem = checkLane(index);
  return problem != 0 ? problem : begin(index, sample);
}

/** Carries out an action. 1 if there is a decision to take now, 0 if the rollout has ended. */
export function playRollout(action: i32): i32 {
  const problem = checkLane(theBatch().numLanes);
  return problem != 0 ? problem : play(action);
}

function begin(index: i32, sample: i32): i32 {
  const lane = laneAt(index);
  const spare = theBatch().spareLane;
  const input = rolloutInput();
  if (!copyLane(lane, spare)) return NEEDS_ROOM;
  if (input.isSampled) takeFuture(spare, sample);
  input.sum = 0;
  input.lostBefore = spare.lostOnTimeTasks;
  // an episode's one task may come after its slots
  input.endSlot = min(spare.slot + input.horizonSlots, spare.scenario.episodeSlots);
  return 0;
}

/** One decision, and the way to the next. */
function play(action: i32): i32 {
  const lane = theBatch().spareLane;
  const input = rolloutInput();
  if (!isActionAvailable(lane, action)) return fail(INVALID_ACTION, "actions", -1, action, 0, lane.numServers);
  if (!reserveTasks(lane, lane.numTasks + 1)) return NEEDS_ROOM;
  input.sum += costOfLatency(giveTask(lane, action), lane.scenario);
  advance(lane);
  if (lane.slot < input.endSlot) return GOES_ON;
  input.sum += lane.scenario.penaltySlots * <f64>(lane.lostOnTimeTasks - input.lostBefore);
  return ENDED;
}

/** Puts new streams in the place of a lane's: three words each, and a carry of 1, as after seeding. */
function takeFuture(lane: Lane, sample: i32): void {
  const input = rolloutInput();
  const scenario = lane.scenario;
  setStream(lane, arrivalStream(lane), 0, sample);
  setStream(lane, sizeStream(lane), 1, sample);
  setStream(lane, fadingStream(lane), 2, sample);
  setStream(lane, burstStream(lane), 3, sample);
  setStream(lane, churnStream(lane), 4, sample);
  // later users of the slot are asked from the new stream
  lane.numAskedUsers = lane.userIndex + 1;
  lane.arrivals = 0;
  const decision = lane.decisionIndex;
  const busy = futureUniform(input.key0, input.key1, decision, sample, BUSY_ITEM);
  if (scenario.isBursty) lane.isBusy = <i32>(busy < input.busyProbability);
  const pending = futureUniform(input.key0, input.key1, decision, sample, PENDING_ITEM);
  if (scenario.isPoisson) lane.pendingTasks = pendingCount(pending, scenario.arrivalRate, input.tasksSeen);
}

function setStream(lane: Lane, stream: Stream, index: i32, sample: i32): void {
  const input = rolloutInput();
  const decision = lane.decisionIndex;
  stream.s0 = futureWord(input.key0, input.key1, decision, sample, 3 * index);
  stream.s1 = futureWord(input.key0, input.key1, decision, sample, 3 * index + 1);
  stream.s2 = futureWord(input.key0, input.key1, decision, sample, 3 * index + 2);
  stream.carry = 1;
}

/**
 * The number of tasks still to come that belongs to the uniform `u`, if a Poisson count X of mean `mean` is known to be
 * at least `seen`: by inversion of P(X − seen = j | X ≥ seen).
 */
function pendingCount(u: f64, mean: f64, seen: i32): i32 {
  // weights relative to that of j = 0, so that nothing is lost by taking 1 − P(X < seen)
  let total: f64 = 0;
  let weight: f64 = 1;
  for (let j = 0; total + weight > total; j++) {
    total += weight;
    weight = (weight * mean) / <f64>(seen + j + 1);
  }
  const target = u * total;
  let count = 0;
  let cumulative: f64 = 1;
  weight = 1;
  while (target >= cumulative && weight > 0) {
    count++;
    weight = (weight * mean) / <f64>(seen + count);
    cumulative += weight;
  }
  return count;
}
