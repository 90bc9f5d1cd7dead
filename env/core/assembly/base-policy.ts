/** The policies that rollouts play on with: the smallest price of a list of prices. */

import { isThere, Lane, serverOf, currentBacklogMbit } from "./lane";
import { costOfLatency, deviceLatencySlots, serverLatencySlots } from "./latency";
import { NUM_WEIGHTS, rolloutInput, WEIGHTS } from "./rollout-input";

/** What the load is taken to be before anything is seen: slots, and tasks for each server and slot. */
const PRIOR_SLOTS: f64 = 10;
const PRIOR_TASKS_PER_SERVER_SLOT: f64 = 0.6;

/** The action of the smallest price for a lane's current decision, ties to the lowest index. */
export function baseAction(lane: Lane): i32 {
  return rolloutInput().base == 0 ? cheapestWithToll(lane) : cheapestAdaptive(lane);
}

/** J of server e; infinite if it is absent. */
// @ts-ignore: decorator
@inline
function serverCost(lane: Lane, e: i32): f64 {
  return isThere(lane, e) ? costOfLatency(serverLatencySlots(lane, serverOf(lane, e)), lane.scenario) : Infinity;
}

/** `priced`: J + κ·N, with κ = 0 `oracle`. */
function cheapestWithToll(lane: Lane): i32 {
  const tollSlots = rolloutInput().tollSlots;
  let chosen = 0;
  let lowest = costOfLatency(deviceLatencySlots(lane), lane.scenario);
  for (let e = 0; e < lane.numServers; e++) {
    const price = serverCost(lane, e) + tollSlots * serverOf(lane, e).activeTasks;
    if (price < lowest) {
      chosen = e + 1;
      lowest = price;
    }
  }
  return chosen;
}

// @ts-ignore: decorator
@inline
function weight(index: i32): f64 {
  assert(index < NUM_WEIGHTS);
  return load<f64>(WEIGHTS + 8 * <usize>index);
}

/** `adaptive`: J and a price of 23 weights that rises with queues, work and the load seen so far. */
function cheapestAdaptive(lane: Lane): i32 {
  const scenario = lane.scenario;
  const slotsGHzPerMbit = scenario.densityGcyclesPerMbit / scenario.slotSeconds;
  let numThere: f64 = 0;
  let sumTasks: f64 = 0;
  let sumGHz: f64 = 0;
  for (let e = 0; e < lane.numServers; e++) {
    if (!isThere(lane, e)) continue;
    const server = serverOf(lane, e);
    numThere += 1;
    sumTasks += server.activeTasks;
    sumGHz += server.cpuGHz;
  }
  if (numThere == 0) return 0;
  const input = rolloutInput();
  const sizeMbit = lane.sizeMbit;
  const mean = sumTasks / numThere;
  const tasksPerSlot =
    (<f64>lane.decisionIndex / numThere + PRIOR_SLOTS * PRIOR_TASKS_PER_SERVER_SLOT) / (<f64>lane.slot + PRIOR_SLOTS);
  const load = (tasksPerSlot * (input.sizeSumMbit / input.numSizes) * slotsGHzPerMbit * numThere) / sumGHz;
  let chosen = 0;
  let lowest = costOfLatency(deviceLatencySlots(lane), scenario) + devicePrice(lane, slotsGHzPerMbit, mean, load);
  // what servers share is multiplied out once
  const perTask = weight(0) + weight(4) * mean + load * (weight(5) + weight(9) * load + weight(11) * mean);
  const perTaskSquared = weight(1) + weight(8) * mean + load * (weight(6) + weight(10) * load);
  const perTaskWork = weight(3) + weight(7) * load;
  const perWork = weight(12) * mean + weight(13) * load;
  const perWait = weight(14) * load;
  const perTaskWait = weight(2);
  for (let e = 0; e < lane.numServers; e++) {
    const server = serverOf(lane, e);
    const tasks = server.activeTasks;
    const slotsPerMbit = slotsGHzPerMbit / server.cpuGHz;
    const wait = server.workloadMbit * slotsPerMbit * (tasks + 1);
    const work = sizeMbit * slotsPerMbit;
    const added =
      tasks * (perTask + tasks * perTaskSquared + perTaskWait * wait + work * perTaskWork) +
      work * perWork +
      wait * perWait;
    const price = serverCost(lane, e) + added;
    if (price < lowest) {
      chosen = e + 1;
      lowest = price;
    }
  }
  return chosen;
}

function devicePrice(lane: Lane, slotsGHzPerMbit: f64, mean: f64, load: f64): f64 {
  const deviceSlotsPerMbit = slotsGHzPerMbit / lane.scenario.localCpuGHz;
  const backlog = currentBacklogMbit(lane) * deviceSlotsPerMbit;
  return (
    backlog * (weight(15) + weight(16) * load + weight(17) * mean) +
    lane.sizeMbit * deviceSlotsPerMbit * weight(18) * load +
    weight(19) * mean +
    load * (weight(20) + weight(21) * mean + weight(22) * load)
  );
}
