/** A decision in the profile `comllm-release`: exactly the fields that the published scripts read. */

import type { Observation } from "../batch/observation.js";
import { MecgymError } from "../errors.js";
import { listedServers } from "../language/templates/template.js";
import { serverType, zhReleaseV1 } from "../language/templates/zh-release-v1.js";

/** An edge server. Ids name the servers and may have gaps. */
export interface ReleaseServer {
  /** The number in its name, from 1. */
  readonly id: number;
  /** Word for its class; it affects nothing. */
  readonly type: string;
  readonly cpuGHz: number;
  readonly activeTasks: number;
  /** Length of its queue. */
  readonly workloadMbit: number;
  /** Recent load, oldest first: tasks in the authors' data, Mbit in ours. It affects nothing. */
  readonly recentLoad: readonly number[];
}

/** A decision: one uplink rate for all servers, a wait before the upload, and one density for all computation. */
export interface ReleaseState {
  readonly sizeMbit: number;
  /** The model is told it; it affects nothing. */
  readonly deadlineSlots: number;
  /** The model is told it; it is never added to a cost. */
  readonly penaltySlots: number;
  readonly localWaitSlots: number;
  readonly networkWaitSlots: number;
  readonly rateMbitPerSlot: number;
  readonly slotSeconds: number;
  readonly localCpuGHz: number;
  readonly densityGcyclesPerMbit: number;
  /** In order of their ids. */
  readonly servers: readonly ReleaseServer[];
}

/**
 * The state of an observation, as far as this profile has fields for it.
 *
 * @param networkWaitSlots wait before the upload, slots
 * @throws MecgymError `unsupportedState` if the servers have different uplink rates
 */
export function releaseStateOf(observation: Observation, networkWaitSlots = 0): ReleaseState {
  zhReleaseV1.check?.(observation, { networkWaitSlots });
  const listed = listedServers(observation);
  // a view builds the whole history each time it is read
  const history = observation.workloadHistoryMbit;
  return {
    sizeMbit: observation.sizeMbit,
    deadlineSlots: observation.deadlineSlots,
    penaltySlots: observation.penaltySlots,
    localWaitSlots: observation.localWaitSlots,
    networkWaitSlots,
    rateMbitPerSlot: observation.rateMbps[listed[0] ?? 0] * observation.slotSeconds,
    slotSeconds: observation.slotSeconds,
    localCpuGHz: observation.localCpuGHz,
    densityGcyclesPerMbit: observation.densityGcyclesPerMbit,
    servers: listed.map((e) => ({
      id: e + 1,
      type: serverType(observation.cpuGHz[e]),
      cpuGHz: observation.cpuGHz[e],
      activeTasks: observation.activeTasks[e],
      workloadMbit: observation.workloadMbit[e],
      recentLoad: Array.from(history[e]),
    })),
  };
}

/** @throws MecgymError `unsupportedState` if a number is missing, negative, or a divisor of 0 */
export function checkReleaseState(state: ReleaseState): void {
  const check = (isRight: boolean, path: string, got: unknown, expected: string) => {
    if (!isRight) throw new MecgymError("unsupportedState", { path, got, expected });
  };
  const isAmount = (value: unknown) => typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
  const factors = ["sizeMbit", "slotSeconds", "localCpuGHz", "densityGcyclesPerMbit"] as const;
  for (const name of factors) check(isAmount(state[name]) && state[name] > 0, name, state[name], "a number above 0");
  const rate = state.rateMbitPerSlot;
  const isRate = isAmount(rate) && (rate > 0 || state.servers.length === 0);
  check(isRate, "rateMbitPerSlot", rate, "a number above 0");
  for (const name of ["localWaitSlots", "networkWaitSlots"] as const) {
    check(isAmount(state[name]), name, state[name], "a number of 0 or more");
  }
  const ids = new Set<number>();
  for (const [i, { id, cpuGHz, activeTasks, workloadMbit }] of state.servers.entries()) {
    const path = `servers/${i}`;
    check(Number.isInteger(id) && id > 0 && !ids.has(id), `${path}/id`, id, "an integer above 0, each once");
    ids.add(id);
    check(isAmount(cpuGHz) && cpuGHz > 0, `${path}/cpuGHz`, cpuGHz, "a number above 0");
    check(Number.isInteger(activeTasks) && activeTasks >= 0, `${path}/activeTasks`, activeTasks, "an integer from 0");
    check(isAmount(workloadMbit), `${path}/workloadMbit`, workloadMbit, "a number of 0 or more");
  }
}
