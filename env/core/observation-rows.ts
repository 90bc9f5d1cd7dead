/** The numeric form of observations: what stands where in a lane's row, and the action mask beside it. */

import type { Lanes } from "./kernel.js";
import type { BatchOutputs } from "./outputs.js";

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

/**
 * Writes the current decisions of the lanes of a list into their rows: what may change from one decision to the next.
 *
 * @param list the lanes; the first `count` entries
 */
export function writeObservations(
  lanes: Lanes,
  list: Int32Array,
  count: number,
  outputs: BatchOutputs,
  historySlots: number,
): void {
  const { arrays, size, parameters } = lanes;
  const { observation, decisionIndex, slot } = outputs;
  const { rateMbps, activeTasks, workloadMbit, backlogMbit, addedBacklogMbit, userIndex, numServers, sizeMbit } =
    arrays;
  const { maxServers, maxUsers } = size;
  const width = observationSizeOf(maxServers, historySlots);
  for (let i = 0; i < count; i++) {
    const lane = list[i];
    const userOfLane = userIndex[lane];
    const user = lane * maxUsers + userOfLane;
    const backlog = backlogMbit[user] + addedBacklogMbit[user];
    const row = lane * width;
    observation[row] = sizeMbit[lane];
    observation[row + 3] = userOfLane;
    const p = parameters[lane];
    observation[row + 5] = backlog === 0 ? 0 : (backlog * p.densityGcyclesPerMbit) / p.localCpuGHz / p.slotSeconds;
    decisionIndex[lane] = arrays.decisionIndex[lane];
    slot[lane] = arrays.slot[lane];
    const first = lane * maxServers;
    for (let e = first, at = row + HEADER, end = first + numServers[lane]; e < end; e++, at += SERVER_FIELDS) {
      observation[at] = rateMbps[e];
      observation[at + 2] = activeTasks[e];
      observation[at + 3] = workloadMbit[e];
    }
    if (p.hasChurn) writeServers(lanes, lane, outputs, historySlots);
    if (historySlots > 0) writeHistory(lanes, lane, observation, historySlots);
  }
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

/** Writes who is there: capacities, 0 for an absent server, and which actions the decision has. */
function writeServers(lanes: Lanes, lane: number, outputs: BatchOutputs, historySlots: number): void {
  const { isAvailable, cpuGHz } = lanes.arrays;
  const { maxServers } = lanes.size;
  const { observation, actionMask } = outputs;
  const firstAction = lane * (maxServers + 1);
  const first = lane * maxServers;
  const at = lane * observationSizeOf(maxServers, historySlots) + HEADER + 1;
  actionMask[firstAction] = 1;
  for (let e = 0; e < maxServers; e++) {
    const isThere = isAvailable[first + e];
    actionMask[firstAction + 1 + e] = isThere;
    observation[at + e * SERVER_FIELDS] = isThere === 1 ? cpuGHz[first + e] : 0;
  }
}

/** Writes what stays as it is for a whole episode (but for servers that leave), padding included. */
export function writeEpisode(lanes: Lanes, lane: number, outputs: BatchOutputs, historySlots: number): void {
  const { arrays, size } = lanes;
  const { observation } = outputs;
  const p = lanes.parameters[lane];
  const width = observationSizeOf(size.maxServers, historySlots);
  const row = lane * width;
  observation.fill(0, row, row + width);
  observation[row + 1] = p.densityGcyclesPerMbit;
  observation[row + 2] = p.deadlineSlots;
  observation[row + 4] = p.localCpuGHz;
  writeServers(lanes, lane, outputs, historySlots);
  const seed = arrays.episodeSeed[lane];
  outputs.episodeSeed[2 * lane] = seed;
  outputs.episodeSeed[2 * lane + 1] = Math.floor(seed / 0x100000000);
  outputs.numServers[lane] = arrays.numServers[lane];
}
