/** LACS, the look-ahead of eq. 22-26: what each action costs now, and what it leaves for the tasks that may follow. */

import { laneAt, scenarioAt, theBatch } from "./batch";
import { checkLane, decisionArrays, Decision, MAX_SAMPLES, readState, theDecision } from "./decision-block";
import { gainOf, rateOf } from "./fading";
import { futureUniform } from "./futures";
import { RUNNING, Stream } from "./lane";
import { costOfLatency, edgeLatencySlots, localLatencySlots } from "./latency";
import { LOOK_AHEAD_INPUT, LookAheadInput, loadLookAhead } from "./look-ahead-input";
import { Scenario } from "./scenario";
import { FREE_STREAM, seedEpisodeStream } from "./seeding";
import { drawWord } from "./alea";
import { fail, INVALID_ACTION, INVALID_OPTION } from "./status";

// @ts-ignore: decorator
@inline
function settings(): LookAheadInput {
  return changetype<LookAheadInput>(LOOK_AHEAD_INPUT);
}

// @ts-ignore: decorator
@inline
function at(array: usize, index: i32): f64 {
  return load<f64>(array + 8 * <usize>index);
}
// @ts-ignore: decorator
@inline
function put(array: usize, index: i32, value: f64): void {
  store<f64>(array + 8 * <usize>index, value);
}

/** C, J, C_impact and r of actions of a lane's current decision; see docs/embedding.md. */
export function lookAhead(lane: i32, isOwn: i32, numActions: i32): i32 {
  const problem = checkLane(lane);
  if (problem != 0) return problem;
  readState(laneAt(lane));
  return checkAndEvaluate(laneAt(lane).scenario, isOwn, numActions);
}

/** The same of the state that stands in the decision block. */
export function lookAheadOfState(scenario: i32, isOwn: i32, numActions: i32): i32 {
  const batch = theBatch();
  const decision = theDecision();
  if (<u32>scenario >= <u32>batch.numScenarios) {
    return fail(INVALID_OPTION, "scenario", -1, scenario, 0, batch.numScenarios - 1);
  }
  if (<u32>(decision.numServers - 1) >= <u32>batch.maxServers) {
    return fail(INVALID_OPTION, "numServers", -1, decision.numServers, 1, batch.maxServers);
  }
  const stream = changetype<Stream>(FREE_STREAM);
  seedEpisodeStream(stream, "future", decision.episodeSeed);
  decision.futureKey0 = drawWord(stream);
  decision.futureKey1 = drawWord(stream);
  return checkAndEvaluate(scenarioAt(scenario), isOwn, numActions);
}

/** Writes the action of the largest reward r of every lane that has a decision to `actions`, and 0 for the others. */
export function chooseLookAhead(isOwn: i32): i32 {
  const batch = theBatch();
  for (let i = 0; i < batch.numLanes; i++) {
    const lane = laneAt(i);
    if (lane.phase != RUNNING) {
      store<i32>(batch.actions + 4 * i, 0);
      continue;
    }
    readState(lane);
    const problem = checkAndEvaluate(lane.scenario, isOwn, -1);
    if (problem != 0) return problem;
    store<i32>(batch.actions + 4 * i, largestReward(lane.numServers));
  }
  return 0;
}

/** Ties go to the lowest index. */
function largestReward(numServers: i32): i32 {
  const reward = decisionArrays().reward;
  let chosen = 0;
  for (let action = 1; action <= numServers; action++) if (at(reward, action) > at(reward, chosen)) chosen = action;
  return chosen;
}

function isOutside(name: string, value: f64, low: f64, high: f64): bool {
  if (value >= low && value <= high) return false;
  fail(INVALID_OPTION, name, -1, value, low, high);
  return true;
}

function checkAndEvaluate(scenario: Scenario, isOwn: i32, numActions: i32): i32 {
  if (isOwn) loadLookAhead(scenario);
  const options = settings();
  const numServers = theDecision().numServers;
  if (
    isOutside("numSamples", options.numSamples, 1, MAX_SAMPLES) ||
    isOutside("weight", options.weight, 0, 1000) ||
    isOutside("minSizeFactor", options.minSizeFactor, 0.001, 1000) ||
    isOutside("maxSizeFactor", options.maxSizeFactor, options.minSizeFactor, 1000) ||
    isOutside("isSequential", options.isSequential, 0, 1) ||
    isOutside("isResampled", options.isResampled, 0, 1) ||
    isOutside("numActions", numActions, -1, theBatch().maxServers + 1)
  ) {
    return INVALID_OPTION;
  }
  const count = numActions < 0 ? numServers + 1 : numActions;
  const actions = decisionArrays().actions;
  for (let i = 0; i < count; i++) {
    if (numActions < 0) store<i32>(actions + 4 * i, i);
    const action = load<i32>(actions + 4 * i);
    if (<u32>action > <u32>numServers) return fail(INVALID_ACTION, "actions", i, action, 0, numServers);
  }
  evaluate(scenario, count);
  return 0;
}

/** Fills the results of the first `count` actions. All actions of a state face the same futures. */
function evaluate(scenario: Scenario, count: i32): void {
  const decision = theDecision();
  const arrays = decisionArrays();
  const options = settings();
  for (let e = 0; e < decision.numServers; e++) {
    const workload = at(arrays.workloadMbit, e);
    // eq. 22 before the task is added
    put(arrays.drainedMbit, e, drained(workload, at(arrays.activeTasks, e), at(arrays.cpuGHz, e), scenario));
  }
  drawFutures(scenario);
  for (let i = 0; i < count; i++) {
    const action = load<i32>(arrays.actions + 4 * i);
    const latency = latencyOf(action, scenario);
    put(arrays.latencySlots, i, latency);
    put(arrays.costSlots, i, costOfLatency(latency, scenario));
    put(arrays.impactSlots, i, options.isSequential ? sumSequential(scenario, action) : 0);
  }
  if (!options.isSequential) for (let k = 0; k < options.numSamples; k++) addIndependent(scenario, count, k);
  for (let i = 0; i < count; i++) {
    const impact = at(arrays.impactSlots, i) / <f64>options.numSamples; // eq. 25
    put(arrays.impactSlots, i, impact);
    put(arrays.reward, i, -(at(arrays.costSlots, i) + options.weight * impact)); // eq. 26
  }
}

/** C of an action for the current task (eq. 8). */
function latencyOf(action: i32, scenario: Scenario): f64 {
  const decision = theDecision();
  if (action == 0) return localLatencySlots(decision.sizeMbit, decision.backlogMbit, scenario);
  const arrays = decisionArrays();
  const e = action - 1;
  return edgeLatencySlots(
    decision.sizeMbit,
    at(arrays.rateMbps, e),
    at(arrays.workloadMbit, e),
    at(arrays.activeTasks, e),
    at(arrays.cpuGHz, e),
    scenario,
  );
}

/** Draws the K future tasks: their sizes (eq. 23) and rates. */
function drawFutures(scenario: Scenario): void {
  const decision = theDecision();
  const arrays = decisionArrays();
  const options = settings();
  const min = options.minSizeFactor;
  const max = options.maxSizeFactor;
  for (let k = 0; k < options.numSamples; k++) {
    const u = futureUniform(decision.futureKey0, decision.futureKey1, decision.decisionIndex, k, 0);
    put(arrays.futureMbit, k, decision.sizeMbit * (min + (max - min) * u));
    const rates = futureRates(k);
    if (options.isResampled) drawRates(decision, scenario, k, rates);
    else memory.copy(rates, arrays.rateMbps, 8 * <usize>decision.numServers);
  }
}

/** Rates of future task k at the servers. */
// @ts-ignore: decorator
@inline
function futureRates(k: i32): usize {
  const length = <usize>((theBatch().maxServers + 1) & ~1);
  return decisionArrays().futureRateMbps + 8 * length * <usize>k;
}

/** As in fading.ts, from draws of its own. An absent server stays out: its rate of 0 makes it infinitely dear. */
function drawRates(decision: Decision, scenario: Scenario, k: i32, rates: usize): void {
  const key0 = decision.futureKey0;
  const key1 = decision.futureKey1;
  const negativeSnr = f64x2.splat(scenario.negativeSnr);
  const scale = f64x2.splat(scenario.rateScaleMbps);
  const floor = f64x2.splat(scenario.minRateMbps);
  for (let e = 0; e < decision.numServers; e += 2) {
    const even = futureUniform(key0, key1, decision.decisionIndex, k, e + 1);
    const odd = futureUniform(key0, key1, decision.decisionIndex, k, e + 2);
    v128.store(rates + 8 * e, rateOf(gainOf(f64x2(even, odd), negativeSnr), scale, floor));
  }
  const now = decisionArrays().rateMbps;
  for (let e = 0; e < decision.numServers; e++) if (at(now, e) == 0) put(rates, e, 0);
}

/** J of future task k at server e with so much work and so many tasks. */
function edgeCost(scenario: Scenario, e: i32, k: i32, workloadMbit: f64, activeTasks: f64): f64 {
  const arrays = decisionArrays();
  const cpuGHz = at(arrays.cpuGHz, e);
  const rateMbps = at(futureRates(k), e);
  const sizeMbit = at(arrays.futureMbit, k);
  return costOfLatency(edgeLatencySlots(sizeMbit, rateMbps, workloadMbit, activeTasks, cpuGHz, scenario), scenario);
}

function localCost(scenario: Scenario, k: i32, backlogMbit: f64): f64 {
  return costOfLatency(localLatencySlots(at(decisionArrays().futureMbit, k), backlogMbit, scenario), scenario);
}

/**
 * Adds C_future(k) (eq. 24) of all candidates. The virtual states of two candidates differ only at the two servers they
 * chose, so the cheapest and second cheapest of the common state, and the changed server, give every minimum.
 */
function addIndependent(scenario: Scenario, count: i32, k: i32): void {
  const decision = theDecision();
  const arrays = decisionArrays();
  const localLeftMbit = positive(decision.backlogMbit - scenario.localServiceMbit);
  let cheapest = localCost(scenario, k, localLeftMbit);
  let cheapestAction = 0;
  let secondCheapest = Infinity;
  for (let e = 0; e < decision.numServers; e++) {
    const cost = edgeCost(scenario, e, k, at(arrays.drainedMbit, e), at(arrays.activeTasks, e));
    if (cost < cheapest) {
      secondCheapest = cheapest;
      cheapest = cost;
      cheapestAction = e + 1;
    } else if (cost < secondCheapest) {
      secondCheapest = cost;
    }
  }
  for (let i = 0; i < count; i++) {
    const action = load<i32>(arrays.actions + 4 * i);
    const e = action - 1;
    const changed =
      action == 0
        ? localCost(scenario, k, localLeftMbit + decision.sizeMbit)
        : edgeCost(scenario, e, k, at(arrays.drainedMbit, e) + decision.sizeMbit, at(arrays.activeTasks, e) + 1);
    const unchanged = action == cheapestAction ? secondCheapest : cheapest;
    put(arrays.impactSlots, i, at(arrays.impactSlots, i) + (changed < unchanged ? changed : unchanged));
  }
}

/** The K tasks one after another after `action`: each goes where it is cheapest, then a slot drains the queues. */
function sumSequential(scenario: Scenario, action: i32): f64 {
  const decision = theDecision();
  const arrays = decisionArrays();
  const workload = arrays.virtualMbit;
  const tasks = arrays.virtualTasks;
  const numServers = decision.numServers;
  const numSamples = settings().numSamples;
  memory.copy(workload, arrays.drainedMbit, 8 * <usize>numServers);
  memory.copy(tasks, arrays.activeTasks, 8 * <usize>numServers);
  let localMbit = positive(decision.backlogMbit - scenario.localServiceMbit);
  if (action == 0) localMbit += decision.sizeMbit;
  else join(workload, tasks, action - 1, decision.sizeMbit);
  let sum: f64 = 0;
  for (let k = 0; k < numSamples; k++) {
    let cheapest = localCost(scenario, k, localMbit);
    let chosen = 0;
    for (let e = 0; e < numServers; e++) {
      const cost = edgeCost(scenario, e, k, at(workload, e), at(tasks, e));
      if (cost < cheapest) {
        cheapest = cost;
        chosen = e + 1;
      }
    }
    sum += cheapest;
    if (k + 1 == numSamples) break;
    for (let e = 0; e < numServers; e++) {
      put(workload, e, drained(at(workload, e), at(tasks, e), at(arrays.cpuGHz, e), scenario));
    }
    localMbit = positive(localMbit - scenario.localServiceMbit);
    const futureMbit = at(arrays.futureMbit, k);
    if (chosen == 0) localMbit += futureMbit;
    else join(workload, tasks, chosen - 1, futureMbit);
  }
  return sum;
}

function join(workload: usize, tasks: usize, e: i32, sizeMbit: f64): void {
  put(workload, e, at(workload, e) + sizeMbit);
  put(tasks, e, at(tasks, e) + 1);
}

/** What a slot leaves of a server's work: max(0, L − F·Δt/(γ·(N+1))), or without N+1 if work is conserved. */
function drained(workloadMbit: f64, activeTasks: f64, cpuGHz: f64, scenario: Scenario): f64 {
  if (workloadMbit == 0) return 0; // most servers, at most loads
  const density = scenario.densityGcyclesPerMbit;
  const work = cpuGHz * scenario.slotSeconds;
  const service = scenario.isWorkConserving ? work / density : work / (density * (activeTasks + 1));
  return positive(workloadMbit - service);
}

function positive(value: f64): f64 {
  return value > 0 ? value : 0;
}
