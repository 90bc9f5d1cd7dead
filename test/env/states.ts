/** States for tests of prompts: few or many servers, empty or full, with the same numbers on every machine. */

import type { ObservationData } from "../../env/index.js";

/** A state whose numbers depend only on the servers' indices. */
export function makeState(numServers: number, isFull: boolean): ObservationData {
  const servers = Array.from({ length: numServers }, (_, e) => e);
  const backlogMbit = isFull ? 7.25 : 0;
  return {
    slot: isFull ? 73 : 0,
    decisionIndex: isFull ? 261 : 0,
    sizeMbit: isFull ? 4.987654321 : 2,
    densityGcyclesPerMbit: 0.297,
    deadlineSlots: 10,
    penaltySlots: 10,
    slotSeconds: 0.1,
    userIndex: 0,
    localCpuGHz: 2,
    localBacklogMbit: backlogMbit,
    localWaitSlots: (backlogMbit * 0.297) / 2 / 0.1,
    numServers,
    rateMbps: servers.map((e) => 1 + ((e * 37) % 41) / 1.7),
    cpuGHz: servers.map((e) => 20 + ((e * 17) % 29) / 1.03),
    activeTasks: servers.map((e) => (isFull ? 1 + ((e * 5) % 38) : 0)),
    workloadMbit: servers.map((e) => (isFull ? 0.0004 + ((e * 53) % 97) / 0.7 : 0)),
    workloadHistoryMbit: servers.map((e) =>
      Array.from({ length: 10 }, (_, i) => (isFull ? ((e * 31 + i * 7) % 89) / 0.9 : 0)),
    ),
  };
}

/** The same with one uplink rate for all servers, as zh-release-v1 needs it. */
export function withOneRate(state: ObservationData, rateMbps = 14): ObservationData {
  return { ...state, rateMbps: state.rateMbps.map(() => rateMbps) };
}
