/** What a policy sees: a read-only view of one lane, or the same as plain data. */

import type { Observation as ObservationData } from "../../schemas/generated/types.js";
import { costOfLatency, edgeLatencySlots, type Lanes, localLatencySlots } from "../core/kernel.js";

export type { ObservationData };

type Numbers = ArrayLike<number>;

/**
 * One decision as a policy sees it (eq. 13). Arrays have one entry for each server of the episode.
 *
 * The plain data of the observation schema fits this interface too, so a policy can answer recorded states.
 */
export interface Observation
  extends Readonly<Omit<ObservationData, ArrayFields | "isAvailable" | "workloadHistoryMbit">> {
  /** R_{u,e}, Mbit/s; 0 for an absent server. */
  readonly rateMbps: Numbers;
  /** Which servers are there: true or 1. Left out, as in a scenario without churn, where all are. */
  readonly isAvailable?: ArrayLike<boolean | number> | undefined;
  /** F_e, GHz. */
  readonly cpuGHz: Numbers;
  /** N_e. */
  readonly activeTasks: Numbers;
  /** L_e, Mbit. */
  readonly workloadMbit: Numbers;
  /** H_e: one row for each server, the last W slots, oldest first, Mbit. */
  readonly workloadHistoryMbit: readonly Numbers[];
}

type ArrayFields = "rateMbps" | "cpuGHz" | "activeTasks" | "workloadMbit";

/** Whether the server at index e (0…E−1) is there, and can be chosen. */
export function isServerAvailable(observation: Pick<Observation, "isAvailable">, e: number): boolean {
  const { isAvailable } = observation;
  return isAvailable === undefined || Boolean(isAvailable[e]);
}

/** Whether an action can be taken: 0, or a server that exists and is there. */
export function isObservedActionAvailable(observation: Observation, action: number): boolean {
  if (!Number.isInteger(action) || action < 0 || action > observation.numServers) return false;
  return action === 0 || isServerAvailable(observation, action - 1);
}

/**
 * Latency C of an action for an observed task, in slots (eq. 3, 7, 8); the kernel's own arithmetic. Infinity where the
 * server is absent.
 */
export function observedLatencySlots(observation: Observation, action: number): number {
  const { sizeMbit, densityGcyclesPerMbit, slotSeconds } = observation;
  if (action === 0) {
    const { localBacklogMbit, localCpuGHz } = observation;
    return localLatencySlots(sizeMbit, localBacklogMbit, localCpuGHz, densityGcyclesPerMbit, slotSeconds);
  }
  const e = action - 1;
  if (!isServerAvailable(observation, e)) return Number.POSITIVE_INFINITY;
  return edgeLatencySlots(
    sizeMbit,
    observation.rateMbps[e],
    observation.workloadMbit[e],
    observation.activeTasks[e],
    observation.cpuGHz[e],
    densityGcyclesPerMbit,
    slotSeconds,
  );
}

/** Cost J of an action for an observed task, in slots (eq. 11); Infinity where the server is absent. */
export function observedCostSlots(observation: Observation, action: number): number {
  return costOfLatency(observedLatencySlots(observation, action), observation.deadlineSlots, observation.penaltySlots);
}

/**
 * A window on one lane of a batch: it shows the lane's current decision, and changes as the lane plays on.
 * `copyObservation` takes what it shows out of time.
 */
export class LaneView implements Observation {
  readonly #lanes: Lanes;
  readonly #lane: number;
  #numServers = 0;
  #rateMbps!: Float64Array;
  #cpuGHz!: Float64Array;
  #activeTasks!: Int32Array;
  #workloadMbit!: Float64Array;
  #isAvailable: Uint8Array | undefined;

  constructor(lanes: Lanes, lane: number) {
    this.#lanes = lanes;
    this.#lane = lane;
    this.#cut();
  }

  /** Views of the lane's rows, as long as the episode has servers. */
  #cut(): void {
    const { arrays, size } = this.#lanes;
    const first = this.#lane * size.maxServers;
    this.#numServers = arrays.numServers[this.#lane];
    const end = first + this.#numServers;
    this.#rateMbps = arrays.rateMbps.subarray(first, end);
    this.#cpuGHz = arrays.cpuGHz.subarray(first, end);
    this.#activeTasks = arrays.activeTasks.subarray(first, end);
    this.#workloadMbit = arrays.workloadMbit.subarray(first, end);
    const { hasChurn } = this.#lanes.parameters[this.#lane];
    this.#isAvailable = hasChurn ? arrays.isAvailable.subarray(first, end) : undefined;
  }

  #refresh(): void {
    if (this.#lanes.arrays.numServers[this.#lane] !== this.#numServers) this.#cut();
  }

  get slot(): number {
    return this.#lanes.arrays.slot[this.#lane];
  }
  get decisionIndex(): number {
    return this.#lanes.arrays.decisionIndex[this.#lane];
  }
  get sizeMbit(): number {
    return this.#lanes.arrays.sizeMbit[this.#lane];
  }
  get densityGcyclesPerMbit(): number {
    return this.#lanes.parameters[this.#lane].densityGcyclesPerMbit;
  }
  get deadlineSlots(): number {
    return this.#lanes.parameters[this.#lane].deadlineSlots;
  }
  get penaltySlots(): number {
    return this.#lanes.parameters[this.#lane].penaltySlots;
  }
  get slotSeconds(): number {
    return this.#lanes.parameters[this.#lane].slotSeconds;
  }
  get userIndex(): number {
    return this.#lanes.arrays.userIndex[this.#lane];
  }
  get localCpuGHz(): number {
    return this.#lanes.parameters[this.#lane].localCpuGHz;
  }
  get localBacklogMbit(): number {
    const { arrays, size } = this.#lanes;
    const user = this.#lane * size.maxUsers + arrays.userIndex[this.#lane];
    return arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
  }
  get localWaitSlots(): number {
    return (this.localBacklogMbit * this.densityGcyclesPerMbit) / this.localCpuGHz / this.slotSeconds;
  }
  get numServers(): number {
    this.#refresh();
    return this.#numServers;
  }
  get rateMbps(): Float64Array {
    this.#refresh();
    return this.#rateMbps;
  }
  get cpuGHz(): Float64Array {
    this.#refresh();
    return this.#cpuGHz;
  }
  get activeTasks(): Int32Array {
    this.#refresh();
    return this.#activeTasks;
  }
  get workloadMbit(): Float64Array {
    this.#refresh();
    return this.#workloadMbit;
  }
  get isAvailable(): Uint8Array | undefined {
    this.#refresh();
    return this.#isAvailable;
  }
  get workloadHistoryMbit(): number[][] {
    const { arrays, size, parameters } = this.#lanes;
    const { historySlots } = parameters[this.#lane];
    const oldest = arrays.slot[this.#lane] % historySlots;
    const firstRow = this.#lane * size.historySlots;
    return Array.from({ length: this.numServers }, (_, e) =>
      Array.from({ length: historySlots }, (_, i) => {
        const row = firstRow + ((oldest + i) % historySlots);
        return arrays.historyMbit[row * size.maxServers + e];
      }),
    );
  }
}

/** The observation as plain data that stays as it is: what the observation schema describes. */
export function copyObservation(observation: Observation): ObservationData {
  const { isAvailable } = observation;
  return {
    slot: observation.slot,
    decisionIndex: observation.decisionIndex,
    sizeMbit: observation.sizeMbit,
    densityGcyclesPerMbit: observation.densityGcyclesPerMbit,
    deadlineSlots: observation.deadlineSlots,
    penaltySlots: observation.penaltySlots,
    slotSeconds: observation.slotSeconds,
    userIndex: observation.userIndex,
    localCpuGHz: observation.localCpuGHz,
    localBacklogMbit: observation.localBacklogMbit,
    localWaitSlots: observation.localWaitSlots,
    numServers: observation.numServers,
    rateMbps: Array.from(observation.rateMbps),
    ...(isAvailable === undefined ? {} : { isAvailable: Array.from(isAvailable, Boolean) }),
    cpuGHz: Array.from(observation.cpuGHz),
    activeTasks: Array.from(observation.activeTasks),
    workloadMbit: Array.from(observation.workloadMbit),
    workloadHistoryMbit: observation.workloadHistoryMbit.map((row) => Array.from(row)),
  };
}
