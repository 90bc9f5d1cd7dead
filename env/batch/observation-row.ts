/** Observations as numbers: the layout of a lane's row, which the core writes. */

/** The first numbers of a lane's observation, in order. */
export const observationHeader = [
  "sizeMbit",
  "densityGcyclesPerMbit",
  "deadlineSlots",
  "userIndex",
  "localCpuGHz",
  "localWaitSlots",
] as const;

/** The numbers of each server, which follow in this order. */
export const observationServerFields = ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"] as const;

/** Numbers in one lane's observation, with `historySlots` 0 if it shows no history. */
export function observationSizeOf(maxServers: number, historySlots: number): number {
  return observationHeader.length + maxServers * (observationServerFields.length + historySlots);
}
