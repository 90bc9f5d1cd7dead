/**
 * What an action costs for a task, wherever its numbers stand: in an observation, a recorded state or a virtual one.
 */

import { costOfLatency, edgeLatencySlots, localLatencySlots } from "./kernel.js";
import type { Parameters } from "./parameters.js";

/** Rows of one number for each server. */
export interface ServerRows {
  /** R_{u,e}, Mbit/s; 0 for an absent server, which makes its cost infinite. */
  readonly rateMbps: ArrayLike<number>;
  /** F_e, GHz. */
  readonly cpuGHz: ArrayLike<number>;
  /** N_e. */
  readonly activeTasks: ArrayLike<number>;
  /** L_e, Mbit. */
  readonly workloadMbit: ArrayLike<number>;
}

/** The constants of computation. */
export type ComputeConstants = Pick<Parameters, "densityGcyclesPerMbit" | "slotSeconds" | "localCpuGHz">;
/** The same, with the deadline and its penalty. */
export type CostConstants = ComputeConstants & Pick<Parameters, "deadlineSlots" | "penaltySlots">;

/**
 * Latency C of an action for a task, slots (eq. 8).
 *
 * @param firstServer where the servers begin in the rows
 */
export function latencySlotsOf(
  action: number,
  sizeMbit: number,
  backlogMbit: number,
  servers: ServerRows,
  firstServer: number,
  constants: ComputeConstants,
): number {
  const { densityGcyclesPerMbit, slotSeconds } = constants;
  if (action === 0) {
    return localLatencySlots(sizeMbit, backlogMbit, constants.localCpuGHz, densityGcyclesPerMbit, slotSeconds);
  }
  const e = firstServer + action - 1;
  return edgeLatencySlots(
    sizeMbit,
    servers.rateMbps[e],
    servers.workloadMbit[e],
    servers.activeTasks[e],
    servers.cpuGHz[e],
    densityGcyclesPerMbit,
    slotSeconds,
  );
}

/** Cost J of the user's own device for a task, slots (eq. 3, 11). */
export function localCostSlots(sizeMbit: number, backlogMbit: number, p: CostConstants): number {
  const latency = localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, p.densityGcyclesPerMbit, p.slotSeconds);
  return costOfLatency(latency, p.deadlineSlots, p.penaltySlots);
}

/** How long a device needs for its backlog, slots: what a new task waits there. */
export function localWaitSlots(backlogMbit: number, constants: ComputeConstants): number {
  return (backlogMbit * constants.densityGcyclesPerMbit) / constants.localCpuGHz / constants.slotSeconds;
}
