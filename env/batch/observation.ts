/** What a policy observes: a read-only view of one lane, or the same as plain data. */

import type { Observation as ObservationData } from "../../schemas/generated/types.js";
import type { Scenario } from "../scenario/scenario.js";
import type { Lanes } from "./lanes.js";
import { costOfLatency, latencySlotsOf } from "./latency.js";

export type { ObservationData };

type Numbers = ArrayLike<number>;

/**
 * One decision as a policy observes it (eq. 13). Arrays have one entry for each server of the episode.
 *
 * The plain data of the observation schema also fits this interface, so a policy can answer recorded states.
 */
export interface Observation
  extends Readonly<Omit<ObservationData, ArrayFields | "isAvailable" | "workloadHistoryMbit">> {
  /** R_{u,e}, Mbit/s; 0 for an absent server. */
  readonly rateMbps: Numbers;
  /** Which servers are available: true or 1. Absent, as in a scenario without churn, if all are. */
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

/** Whether the server at index e (0…E−1) is available. */
export function isServerAvailable(observation: Pick<Observation, "isAvailable">, e: number): boolean {
  const { isAvailable } = observation;
  return isAvailable === undefined || Boolean(isAvailable[e]);
}

/** Whether an action can be taken: 0, or a server that exists and is available. */
export function isObservedActionAvailable(observation: Observation, action: number): boolean {
  if (!Number.isInteger(action) || action < 0 || action > observation.numServers) return false;
  return action === 0 || isServerAvailable(observation, action - 1);
}

/**
 * Latency C of an action for an observed task, in slots (eq. 3, 7, 8), with the bits of the core. Infinity if the
 * server is absent.
 */
export function observedLatencySlots(observation: Observation, action: number): number {
  if (action !== 0 && !isServerAvailable(observation, action - 1)) return Number.POSITIVE_INFINITY;
  return latencySlotsOf(action, observation.sizeMbit, observation.localBacklogMbit, observation, observation);
}

/** Cost J of an action for an observed task, in slots (eq. 11); Infinity if the server is absent. */
export function observedCostSlots(observation: Observation, action: number): number {
  return costOfLatency(observedLatencySlots(observation, action), observation.deadlineSlots, observation.penaltySlots);
}

/**
 * A view of one lane of a batch: it shows the lane's current decision and changes as the lane plays on.
 * `copyObservation` keeps what it shows.
 */
export class LaneView implements Observation {
  readonly #lanes: Lanes;
  readonly #lane: number;
  /** The version of the lanes that was read last. */
  #version = -1;
  #scenario: Scenario;
  #slot = 0;
  #decisionIndex = 0;
  #sizeMbit = 0;
  #userIndex = 0;
  #localBacklogMbit = 0;
  #localWaitSlots = 0;
  #rateMbps = new Float64Array(0);
  #cpuGHz = new Float64Array(0);
  #activeTasks = new Int32Array(0);
  #workloadMbit = new Float64Array(0);
  #isAvailable = new Uint8Array(0);

  constructor(lanes: Lanes, lane: number) {
    this.#lanes = lanes;
    this.#lane = lane;
    this.#scenario = lanes.scenarioOf(lane);
  }

  /** Reads the decision, if a call has changed lanes since. */
  #refresh(): void {
    if (this.#version === this.#lanes.version) return;
    this.#version = this.#lanes.version;
    const decision = this.#lanes.read(this.#lane);
    if (decision === undefined) return;
    this.#scenario = this.#lanes.scenarios[decision.scenario[0]];
    this.#slot = decision.slot[0];
    this.#decisionIndex = decision.decisionIndex[0];
    this.#sizeMbit = decision.sizeMbit[0];
    this.#userIndex = decision.userIndex[0];
    this.#localBacklogMbit = decision.backlogMbit[0];
    this.#localWaitSlots = decision.localWaitSlots[0];
    const numServers = decision.numServers[0];
    if (numServers !== this.#rateMbps.length) this.#makeRoom(numServers);
    const { rateMbps, cpuGHz, activeTasks, workloadMbit, isAvailable } = decision;
    for (let e = 0; e < numServers; e++) {
      this.#rateMbps[e] = rateMbps[e];
      this.#cpuGHz[e] = cpuGHz[e];
      this.#activeTasks[e] = activeTasks[e];
      this.#workloadMbit[e] = workloadMbit[e];
      this.#isAvailable[e] = isAvailable[e];
    }
  }

  #makeRoom(numServers: number): void {
    this.#rateMbps = new Float64Array(numServers);
    this.#cpuGHz = new Float64Array(numServers);
    this.#activeTasks = new Int32Array(numServers);
    this.#workloadMbit = new Float64Array(numServers);
    this.#isAvailable = new Uint8Array(numServers);
  }

  get slot(): number {
    this.#refresh();
    return this.#slot;
  }
  get decisionIndex(): number {
    this.#refresh();
    return this.#decisionIndex;
  }
  get sizeMbit(): number {
    this.#refresh();
    return this.#sizeMbit;
  }
  get densityGcyclesPerMbit(): number {
    this.#refresh();
    return this.#scenario.densityGcyclesPerMbit;
  }
  get deadlineSlots(): number {
    this.#refresh();
    return this.#scenario.deadlineSlots;
  }
  get penaltySlots(): number {
    this.#refresh();
    return this.#scenario.deadlinePenaltySlots;
  }
  get slotSeconds(): number {
    this.#refresh();
    return this.#scenario.slotSeconds;
  }
  get userIndex(): number {
    this.#refresh();
    return this.#userIndex;
  }
  get localCpuGHz(): number {
    this.#refresh();
    return this.#scenario.localCpuGHz;
  }
  get localBacklogMbit(): number {
    this.#refresh();
    return this.#localBacklogMbit;
  }
  get localWaitSlots(): number {
    this.#refresh();
    return this.#localWaitSlots;
  }
  get numServers(): number {
    this.#refresh();
    return this.#rateMbps.length;
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
    return this.#scenario.churn === undefined ? undefined : this.#isAvailable;
  }
  get workloadHistoryMbit(): number[][] {
    const decision = this.#lanes.read(this.#lane, true);
    return decision === undefined ? [] : this.#lanes.historyOf(decision);
  }
}

/** A copy of the observation as plain data, as the observation schema describes it. */
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
