/** What an action costs: the equations of latency and cost, in slots. The order of operations is part of them. */

import { currentBacklogMbit, Lane, Server, serverOf, isThere } from "./lane";
import { Scenario } from "./scenario";

/** Latency of an edge server (eq. 7): upload (eq. 2), queueing (eq. 6), execution (eq. 5). */
// @ts-ignore: decorator
@inline
export function edgeLatencySlots(
  sizeMbit: f64,
  rateMbps: f64,
  workloadMbit: f64,
  activeTasks: f64,
  cpuGHz: f64,
  scenario: Scenario,
): f64 {
  const density = scenario.densityGcyclesPerMbit;
  const sharers = activeTasks + 1; // eq. 4: the task itself shares too
  return (
    (sizeMbit / rateMbps + (workloadMbit * density * sharers) / cpuGHz + (sizeMbit * density * sharers) / cpuGHz) /
    scenario.slotSeconds
  );
}

/** Latency on the user's own device (eq. 3). */
// @ts-ignore: decorator
@inline
export function localLatencySlots(sizeMbit: f64, backlogMbit: f64, scenario: Scenario): f64 {
  const density = scenario.densityGcyclesPerMbit;
  const cpuGHz = scenario.localCpuGHz;
  return ((backlogMbit * density) / cpuGHz + (sizeMbit * density) / cpuGHz) / scenario.slotSeconds;
}

/** T_wait,loc: how long work waits on a device, slots. */
// @ts-ignore: decorator
@inline
export function localWaitSlots(backlogMbit: f64, scenario: Scenario): f64 {
  return (backlogMbit * scenario.densityGcyclesPerMbit) / scenario.localCpuGHz / scenario.slotSeconds;
}

/** Cost J of a latency: the latency, and the penalty if it exceeds the deadline (eq. 11). */
// @ts-ignore: decorator
@inline
export function costOfLatency(latencySlots: f64, scenario: Scenario): f64 {
  return latencySlots > scenario.deadlineSlots ? latencySlots + scenario.penaltySlots : latencySlots;
}

/** C of the lane's current task at a server (eq. 8). Infinite if the server is absent, since its rate is 0. */
// @ts-ignore: decorator
@inline
export function serverLatencySlots(lane: Lane, server: Server): f64 {
  return edgeLatencySlots(
    lane.sizeMbit,
    server.rateMbps,
    server.workloadMbit,
    server.activeTasks,
    server.cpuGHz,
    lane.scenario,
  );
}

/** C of the lane's current task on its user's device (eq. 8). */
// @ts-ignore: decorator
@inline
export function deviceLatencySlots(lane: Lane): f64 {
  return localLatencySlots(lane.sizeMbit, currentBacklogMbit(lane), lane.scenario);
}

/** J of an action of the current decision (eq. 11). */
export function actionCostSlots(lane: Lane, action: i32): f64 {
  const latency = action == 0 ? deviceLatencySlots(lane) : serverLatencySlots(lane, serverOf(lane, action - 1));
  return costOfLatency(latency, lane.scenario);
}

/** The available action of the largest cost, ties to the lowest index: what one that is not available is charged. */
export function costliestAction(lane: Lane): i32 {
  let worst = 0;
  let worstCost = actionCostSlots(lane, 0);
  for (let action = 1; action <= lane.numServers; action++) {
    if (!isThere(lane, action - 1)) continue;
    const cost = actionCostSlots(lane, action);
    if (cost > worstCost) {
      worst = action;
      worstCost = cost;
    }
  }
  return worst;
}
