/** The choices of the policy oracle: the cheapest action, two servers at a time. */

// Comparing server by server, the choice of all lanes takes 1.6 times as long.

import { theBatch, laneAt } from "./batch";
import { endOfServers, firstServer, Lane, RUNNING, Server, SERVER_PAIR } from "./lane";
import { costOfLatency, deviceLatencySlots } from "./latency";
import { ones } from "./logarithm";
import { Scenario } from "./scenario";
import { add, div, mul, select } from "./vectors";

/** C at both servers of a pair (eq. 7), as `edgeLatencySlots`. */
// @ts-ignore: decorator
@inline
export function pairLatencySlots(lane: Lane, pair: usize): v128 {
  const scenario = changetype<usize>(lane.scenario);
  const size = v128.load_splat<f64>(changetype<usize>(lane), offsetof<Lane>("sizeMbit"));
  const density = v128.load_splat<f64>(scenario, offsetof<Scenario>("densityGcyclesPerMbit"));
  const slotSeconds = v128.load_splat<f64>(scenario, offsetof<Scenario>("slotSeconds"));
  const cpu = v128.load(pair, offsetof<Server>("cpuGHz"));
  const sharers = add(v128.load(pair, offsetof<Server>("activeTasks")), ones());
  const upload = div(size, v128.load(pair, offsetof<Server>("rateMbps")));
  const queueing = div(mul(mul(v128.load(pair, offsetof<Server>("workloadMbit")), density), sharers), cpu);
  const execution = div(mul(mul(size, density), sharers), cpu);
  return div(add(add(upload, queueing), execution), slotSeconds);
}

/** The action of the smallest cost of the current decision (eq. 15), ties to the lowest index. */
export function cheapestAction(lane: Lane): i32 {
  const scenario = changetype<usize>(lane.scenario);
  const deadline = v128.load_splat<f64>(scenario, offsetof<Scenario>("deadlineSlots"));
  const penalty = v128.load_splat<f64>(scenario, offsetof<Scenario>("penaltySlots"));
  let lowest = f64x2.splat(costOfLatency(deviceLatencySlots(lane), lane.scenario));
  let chosen = i64x2.splat(0);
  let actions = i64x2(1, 2);
  // what is no server costs infinity or NaN, and less than nothing
  for (let pair = firstServer(lane), end = endOfServers(lane); pair < end; pair += SERVER_PAIR) {
    const latency = pairLatencySlots(lane, pair);
    const cost = select(f64x2.gt(latency, deadline), add(latency, penalty), latency);
    const isLess = f64x2.lt(cost, lowest);
    lowest = select(isLess, cost, lowest);
    chosen = select(isLess, actions, chosen);
    actions = i64x2.add(actions, i64x2.splat(2));
  }
  const even = f64x2.extract_lane(lowest, 0);
  const odd = f64x2.extract_lane(lowest, 1);
  const evenAction = <i32>i64x2.extract_lane(chosen, 0);
  const oddAction = <i32>i64x2.extract_lane(chosen, 1);
  return odd < even || (odd == even && oddAction < evenAction) ? oddAction : evenAction;
}

/** Writes the cheapest action of every lane that has a decision to `actions`, and 0 for the others. */
export function chooseCheapest(): void {
  const batch = theBatch();
  for (let i = 0; i < batch.numLanes; i++) {
    const lane = laneAt(i);
    store<i32>(batch.actions + 4 * i, lane.phase == RUNNING ? cheapestAction(lane) : 0);
  }
}
