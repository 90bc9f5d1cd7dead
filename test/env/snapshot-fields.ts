/** Reads and rewrites the numbers of a snapshot by their names, as docs/model.md lists them: for tests of states. */

import { sha256 } from "@noble/hashes/sha2.js";
import type { BatchEnv } from "../../env/index.js";

const HEADER_BYTES = 72;
const scalars = [
  ...["seed", "episodeIndex", "phase", "episodeSeed", "numServers", "numUsers", "slot", "endSlot", "decisionIndex"],
  ...["userIndex", "pendingTasks", "sizeMbit", "numTasks", "numTasksAtSlotStart", "finishedTasks"],
  ...["finishedLateTasks", "realisedLatencySumSlots", "unfinishedTasks", "unfinishedLateTasks", "isBusy"],
];

/** A lane's fields, each a list of numbers; `tasks` has the columns of one task after another. */
export type StateFields = Record<string, number[]>;

/** Names of the fields of a lane's snapshot, and how many numbers each has. */
function shapesOf(batch: BatchEnv, lane: number, numbers: Float64Array): [name: string, length: number][] {
  const { churn, historySlots } = batch.scenarioOf(lane);
  const [numServers, numUsers] = [numbers[4], numbers[5]];
  return [
    ...scalars.map((name): [string, number] => [name, 1]),
    ...["arrivalStream", "sizeStream", "fadingStream", "burstStream"].map((name): [string, number] => [name, 4]),
    ["futureKeys", 2],
    ...["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"].map((name): [string, number] => [name, numServers]),
    ["historyMbit", historySlots * numServers],
    ["backlogMbit", numUsers],
    ["addedBacklogMbit", numUsers],
    ...(churn === undefined
      ? []
      : ([
          ["lostTasks", 1],
          ["lostOnTimeTasks", 1],
          ["churnStream", 4],
          ["isAvailable", numServers],
        ] satisfies [string, number][])),
    ["tasks", numbers[12] * (churn === undefined ? 4 : 5)],
  ];
}

/** The fields of a lane now. */
export function stateOf(batch: BatchEnv, lane: number): StateFields {
  const numbers = new Float64Array(batch.snapshot(lane).slice(HEADER_BYTES).buffer);
  let at = 0;
  const fields = shapesOf(batch, lane, numbers).map(([name, length]): [string, number[]] => {
    at += length;
    return [name, Array.from(numbers.subarray(at - length, at))];
  });
  if (at !== numbers.length) throw new Error(`a snapshot of ${numbers.length} numbers, not ${at}`);
  return Object.fromEntries(fields);
}

/** The snapshot of a lane with other fields, and the checksum that goes with them. */
export function snapshotWith(batch: BatchEnv, lane: number, changes: StateFields): Uint8Array {
  const bytes = batch.snapshot(lane).slice();
  const numbers = Object.values({ ...stateOf(batch, lane), ...changes }).flat();
  bytes.set(new Uint8Array(Float64Array.from(numbers).buffer), HEADER_BYTES);
  bytes.set(sha256(bytes.subarray(HEADER_BYTES)), 40);
  return bytes;
}
