/** The numeric form of observations: what stands where in a lane's row, and the action mask beside it. */

import type { BatchOutputs } from "./batch-outputs.js";
import type { Lanes } from "./kernel.js";

/** The numbers that begin a lane's observation, in order. */
export const observationHeader = [
  "sizeMbit",
  "densityGcyclesPerMbit",
  "deadlineSlots",
  "userIndex",
  "localCpuGHz",
  "localWaitSlots",
] as const;

/** The numbers of each server that follow, in order. */
export const observationServerFields = ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"] as const;

const HEADER = observationHeader.length;
const SERVER_FIELDS = observationServerFields.length;

/** Numbers in one lane's observation, `historySlots` 0 where it shows no history. */
export function observationSizeOf(maxServers: number, historySlots: number): number {
  return HEADER + maxServers * (SERVER_FIELDS + historySlots);
}

/** Writes a lane's current decision into its row, but for the padding behind it. */
export function writeObservation(lanes: Lanes, lane: number, outputs: BatchOutputs, historySlots: number): void {
  const { arrays, size } = lanes;
  const { observation } = outputs;
  const { maxServers } = size;
  const p = lanes.parameters[lane];
  const user = lane * size.maxUsers + arrays.userIndex[lane];
  const backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
  const row = lane * observationSizeOf(maxServers, historySlots);
  observation[row] = arrays.sizeMbit[lane];
  observation[row + 1] = p.densityGcyclesPerMbit;
  observation[row + 2] = p.deadlineSlots;
  observation[row + 3] = arrays.userIndex[lane];
  observation[row + 4] = p.localCpuGHz;
  observation[row + 5] = (backlogMbit * p.densityGcyclesPerMbit) / p.localCpuGHz / p.slotSeconds;
  outputs.decisionIndex[lane] = arrays.decisionIndex[lane];
  outputs.slot[lane] = arrays.slot[lane];
  if (p.hasChurn) writeMask(lanes, lane, outputs);
  let at = row + HEADER;
  const first = lane * maxServers;
  const end = first + arrays.numServers[lane];
  for (let e = first; e < end; e++) {
    observation[at++] = arrays.rateMbps[e];
    observation[at++] = arrays.isAvailable[e] === 1 ? arrays.cpuGHz[e] : 0;
    observation[at++] = arrays.activeTasks[e];
    observation[at++] = arrays.workloadMbit[e];
  }
  if (historySlots > 0) writeHistory(lanes, lane, observation, historySlots);
}

/** Writes the last W workloads of every server, oldest first. */
function writeHistory(lanes: Lanes, lane: number, observation: Float32Array, historySlots: number): void {
  const { arrays, size } = lanes;
  const { maxServers } = size;
  // a lane whose own history is shorter than the batch's leaves the rest of its row at zero
  const ownSlots = lanes.parameters[lane].historySlots;
  const oldest = arrays.slot[lane] % ownSlots;
  const firstRow = lane * size.historySlots;
  let at = lane * observationSizeOf(maxServers, historySlots) + HEADER + maxServers * SERVER_FIELDS;
  for (let e = 0, numServers = arrays.numServers[lane]; e < numServers; e++, at += historySlots) {
    for (let i = 0; i < ownSlots; i++) {
      const row = firstRow + ((oldest + i) % ownSlots);
      observation[at + i] = arrays.historyMbit[row * maxServers + e];
    }
  }
}

/** Writes which actions a lane's decision has. */
export function writeMask(lanes: Lanes, lane: number, { actionMask }: BatchOutputs): void {
  const { isAvailable } = lanes.arrays;
  const { maxServers } = lanes.size;
  const first = lane * (maxServers + 1);
  actionMask[first] = 1;
  for (let e = 0; e < maxServers; e++) actionMask[first + 1 + e] = isAvailable[lane * maxServers + e];
}

/** Writes what stays as it is for a whole episode: padding, mask, seed, number of servers. */
export function writeEpisode(lanes: Lanes, lane: number, outputs: BatchOutputs, historySlots: number): void {
  const { arrays, size } = lanes;
  const width = observationSizeOf(size.maxServers, historySlots);
  outputs.observation.fill(0, lane * width, (lane + 1) * width);
  writeMask(lanes, lane, outputs);
  const seed = arrays.episodeSeed[lane];
  outputs.episodeSeed[2 * lane] = seed;
  outputs.episodeSeed[2 * lane + 1] = Math.floor(seed / 0x100000000);
  outputs.numServers[lane] = arrays.numServers[lane];
}
