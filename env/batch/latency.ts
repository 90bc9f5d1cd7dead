/**
 * Latency and cost of an action for an observed task, by the equations of docs/model.md and in their order of
 * operations, so that the costs have the core's bits. The core computes them for lanes; these are for plain data.
 */

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
export interface ComputeConstants {
  /** γ, Gcycles/Mbit. */
  readonly densityGcyclesPerMbit: number;
  /** Δt, s. */
  readonly slotSeconds: number;
  /** f_loc, GHz. */
  readonly localCpuGHz: number;
}

/** Latency of an edge server in slots (eq. 7): upload (eq. 2), queueing (eq. 6), execution (eq. 5). */
export function edgeLatencySlots(
  sizeMbit: number,
  rateMbps: number,
  workloadMbit: number,
  activeTasks: number,
  cpuGHz: number,
  densityGcyclesPerMbit: number,
  slotSeconds: number,
): number {
  const sharers = activeTasks + 1; // eq. 4: the task takes a share too
  return (
    (sizeMbit / rateMbps +
      (workloadMbit * densityGcyclesPerMbit * sharers) / cpuGHz +
      (sizeMbit * densityGcyclesPerMbit * sharers) / cpuGHz) /
    slotSeconds
  );
}

/** Latency on the user's own device in slots (eq. 3). */
export function localLatencySlots(
  sizeMbit: number,
  backlogMbit: number,
  localCpuGHz: number,
  densityGcyclesPerMbit: number,
  slotSeconds: number,
): number {
  return (
    ((backlogMbit * densityGcyclesPerMbit) / localCpuGHz + (sizeMbit * densityGcyclesPerMbit) / localCpuGHz) /
    slotSeconds
  );
}

/** Cost J of a latency in slots: the latency, plus the penalty if it exceeds the deadline (eq. 11). */
export function costOfLatency(latencySlots: number, deadlineSlots: number, penaltySlots: number): number {
  return latencySlots > deadlineSlots ? latencySlots + penaltySlots : latencySlots;
}

/** Latency C of an action for a task, slots (eq. 8). */
export function latencySlotsOf(
  action: number,
  sizeMbit: number,
  backlogMbit: number,
  servers: ServerRows,
  constants: ComputeConstants,
): number {
  const { densityGcyclesPerMbit, slotSeconds } = constants;
  if (action === 0) {
    return localLatencySlots(sizeMbit, backlogMbit, constants.localCpuGHz, densityGcyclesPerMbit, slotSeconds);
  }
  const e = action - 1;
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

/** How long a device needs for its backlog, slots: what a new task waits there. */
export function localWaitSlots(backlogMbit: number, constants: ComputeConstants): number {
  return (backlogMbit * constants.densityGcyclesPerMbit) / constants.localCpuGHz / constants.slotSeconds;
}
