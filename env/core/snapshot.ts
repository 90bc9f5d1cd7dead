/** A lane's state as bytes: written, read back bit for bit, and named by a hash. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { MAX_SEED } from "../random.js";
import type { Lanes } from "./kernel.js";
import { type LaneField, laneFieldNames, numRows, rowLength, specOf, taskColumns } from "./layout.js";
import { invalidSnapshot, StateReader } from "./state-reader.js";

/** First bytes of every snapshot; the last one is the version of the format. */
const MAGIC = Uint8Array.from([0x6d, 0x65, 0x63, 0x67, 0x79, 0x6d, 0x53, 1]); // "mecgymS", 1
const HASH_BYTES = 32;
const HEADER_BYTES = MAGIC.length + 2 * HASH_BYTES;

/** What a lane of a batch carries besides its episode: which episode comes next. */
export interface LaneCourse {
  /** Seed of the function that picks the next episode. */
  readonly seed: number;
  /** Episodes started so far. */
  readonly episodeIndex: number;
}

/**
 * A lane's state as bytes: magic and version, the scenario's hash, SHA-256 of what follows, then the fields as
 * little-endian float64. A float64 holds every integer and bit a field can have, so one type serves all.
 */
export function writeLane(lanes: Lanes, lane: number, scenarioHash: string, course: LaneCourse): Uint8Array {
  const values = collectState(lanes, lane, course);
  const bytes = new Uint8Array(HEADER_BYTES + 8 * values.length);
  bytes.set(MAGIC);
  bytes.set(hexToBytes(scenarioHash), MAGIC.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => void view.setFloat64(HEADER_BYTES + 8 * i, value, true));
  bytes.set(sha256(bytes.subarray(HEADER_BYTES)), MAGIC.length + HASH_BYTES);
  return bytes;
}

/** Sixteen hexadecimal digits that name a lane's state: the first 8 bytes of the SHA-256 inside its snapshot. */
export function hashOfSnapshot(snapshot: Uint8Array): string {
  return bytesToHex(snapshot.subarray(MAGIC.length + HASH_BYTES, MAGIC.length + HASH_BYTES + 8));
}

/**
 * The fields and task columns that a snapshot of a scenario holds. Snapshots without churn are as they were before
 * there was churn, and so are their hashes.
 */
const contents = {
  withoutChurn: {
    fields: laneFieldNames.filter((name) => specOf(name).withoutChurn === undefined),
    columns: taskColumns.filter((name) => name !== "wasLate"),
  },
  withChurn: { fields: laneFieldNames, columns: taskColumns },
};

function contentsOf(hasChurn: boolean) {
  return hasChurn ? contents.withChurn : contents.withoutChurn;
}

/** The first number of a field in a lane, and the numbers in one of its rows. */
function placeOf(lanes: Lanes, lane: number, name: LaneField): { first: number; width: number } {
  const { maxServers, maxUsers, historySlots } = lanes.size;
  const width = rowLength(specOf(name), maxServers, maxUsers);
  return { first: lane * width * numRows(specOf(name), historySlots), width };
}

function collectState(lanes: Lanes, lane: number, course: LaneCourse): number[] {
  const { arrays, tasks } = lanes;
  const { hasChurn, historySlots } = lanes.parameters[lane];
  const { fields, columns } = contentsOf(hasChurn);
  const values: number[] = [course.seed, course.episodeIndex];
  for (const name of fields) {
    const { first, width } = placeOf(lanes, lane, name);
    const length = rowLength(specOf(name), arrays.numServers[lane], arrays.numUsers[lane]);
    for (let row = 0, rows = numRows(specOf(name), historySlots); row < rows; row++) {
      const at = first + row * width;
      values.push(...arrays[name].subarray(at, at + length));
    }
  }
  const start = tasks.offset[lane];
  for (let i = start, end = start + arrays.numTasks[lane]; i < end; i++) {
    for (const name of columns) values.push(tasks[name][i]);
  }
  return values;
}

/**
 * Reads a snapshot for a lane. Everything is checked here; the function returned writes it into the lane and cannot
 * fail.
 *
 * @throws MecgymError `invalidSnapshot`
 */
export function readLane(lanes: Lanes, lane: number, scenarioHash: string, snapshot: Uint8Array): () => LaneCourse {
  const reader = new StateReader(checkEnvelope(snapshot, scenarioHash));
  const course = {
    seed: reader.integer("seed", 0, MAX_SEED),
    episodeIndex: reader.integer("episodeIndex", 0, MAX_SEED),
  };
  const { hasChurn } = lanes.parameters[lane];
  const values = readFields(reader, lanes, lane);
  const valuesOf = (name: LaneField) => values.get(name) as number[];
  const [numTasks] = valuesOf("numTasks");
  const tasks = readTasks(reader, numTasks, valuesOf("numServers")[0], valuesOf("slot")[0], hasChurn);
  reader.end();
  checkQueues(tasks, valuesOf("activeTasks"), valuesOf("workloadMbit"));
  checkAbsent(valuesOf("isAvailable"), valuesOf("rateMbps"), valuesOf("activeTasks"));
  return () => {
    for (const [name, numbers] of values) writeField(lanes, lane, name, numbers);
    lanes.tasks.reserve(lane, numTasks);
    const at = lanes.tasks.offset[lane];
    for (const [i, task] of tasks.entries()) for (const name of taskColumns) lanes.tasks[name][at + i] = task[name];
    return course;
  };
}

/** The numbers of every field that the episode uses, row by row. */
function readFields(reader: StateReader, lanes: Lanes, lane: number): Map<LaneField, number[]> {
  const { hasChurn, historySlots } = lanes.parameters[lane];
  const { fields } = contentsOf(hasChurn);
  const values = new Map<LaneField, number[]>();
  const known = (name: string) => values.get(name as LaneField)?.[0] as number;
  for (const name of laneFieldNames) {
    const spec = specOf(name);
    const { bounds, withoutChurn } = spec;
    const length = rowLength(spec, known("numServers"), known("numUsers")) * numRows(spec, historySlots);
    if (!fields.includes(name)) values.set(name, new Array(length).fill(withoutChurn));
    else if (bounds.kind === "stream") values.set(name, reader.stream(name));
    else {
      const max = bounds.kind === "integer" ? bounds.max(lanes.size, known) : 0;
      const next = () => (bounds.kind === "integer" ? reader.integer(name, bounds.min, max) : reader.amount(name));
      values.set(name, Array.from({ length }, next));
    }
  }
  return values;
}

type Task = Record<(typeof taskColumns)[number], number>;

function readTasks(reader: StateReader, count: number, numServers: number, slot: number, hasChurn: boolean): Task[] {
  const { columns } = contentsOf(hasChurn);
  return Array.from({ length: reader.fits("numTasks", count, columns.length) }, () => ({
    residualMbit: reader.amount("residualMbit"),
    serverIndex: reader.integer("serverIndex", 0, numServers - 1),
    decisionSlot: reader.integer("decisionSlot", 0, slot),
    uploadSlots: reader.amount("uploadSlots"),
    wasLate: hasChurn ? reader.integer("wasLate", 0, 1) : 0,
  }));
}

/** Writes the numbers of a field into a lane; the room that the episode does not use is cleared. */
function writeField(lanes: Lanes, lane: number, name: LaneField, numbers: readonly number[]): void {
  const { first, width } = placeOf(lanes, lane, name);
  const rows = numRows(specOf(name), lanes.parameters[lane].historySlots);
  const length = numbers.length / rows;
  const array = lanes.arrays[name];
  array.fill(0, first, first + width * numRows(specOf(name), lanes.size.historySlots));
  for (let row = 0; row < rows; row++) array.set(numbers.slice(row * length, (row + 1) * length), first + row * width);
}

/** Numbers of a snapshot, after its magic, version, scenario and checksum have been checked. */
function checkEnvelope(snapshot: Uint8Array, scenarioHash: string): DataView {
  const isWhole =
    snapshot instanceof Uint8Array && snapshot.length >= HEADER_BYTES && (snapshot.length - HEADER_BYTES) % 8 === 0;
  if (!isWhole) {
    throw invalidSnapshot("length", `${snapshot?.length} bytes`, `at least ${HEADER_BYTES} bytes, and a multiple of 8`);
  }
  const last = MAGIC.length - 1;
  for (let i = 0; i < last; i++) {
    if (snapshot[i] !== MAGIC[i]) {
      throw invalidSnapshot("magic", bytesToHex(snapshot.subarray(0, last)), "a mecgym snapshot");
    }
  }
  const version = snapshot[last];
  if (version !== MAGIC[last]) throw invalidSnapshot("version", version, `version ${MAGIC[last]}`);
  const scenario = bytesToHex(snapshot.subarray(MAGIC.length, MAGIC.length + HASH_BYTES));
  if (scenario !== scenarioHash) {
    throw invalidSnapshot("scenario", scenario, `a state of the lane's scenario ${scenarioHash}`);
  }
  const checksum = bytesToHex(snapshot.subarray(MAGIC.length + HASH_BYTES, HEADER_BYTES));
  const actual = bytesToHex(sha256(snapshot.subarray(HEADER_BYTES)));
  if (checksum !== actual) throw invalidSnapshot("checksum", actual, `${checksum}: the snapshot is damaged`);
  return new DataView(snapshot.buffer, snapshot.byteOffset + HEADER_BYTES, snapshot.length - HEADER_BYTES);
}

/** N and L must be those of the listed tasks, to the bit: a state that contradicts itself is not a state. */
function checkQueues(tasks: readonly Task[], counts: readonly number[], works: readonly number[]): void {
  const count = new Float64Array(counts.length);
  const work = new Float64Array(works.length);
  for (const { residualMbit, serverIndex } of tasks) {
    count[serverIndex] += 1;
    work[serverIndex] += residualMbit;
  }
  for (let e = 0; e < counts.length; e++) {
    if (count[e] !== counts[e]) {
      throw invalidSnapshot(`activeTasks/${e}`, counts[e], `${count[e]}, as many as are listed`);
    }
    if (work[e] !== works[e]) {
      throw invalidSnapshot(`workloadMbit/${e}`, works[e], `${work[e]}, the sum of the listed residuals`);
    }
  }
}

/** An absent server has no tasks and a rate of 0, and no other server has that rate. */
function checkAbsent(isAvailable: readonly number[], rates: readonly number[], counts: readonly number[]): void {
  for (const [e, available] of isAvailable.entries()) {
    if (available === 0 && counts[e] !== 0) {
      throw invalidSnapshot(`activeTasks/${e}`, counts[e], "0, for the server is absent");
    }
    if ((available === 0) !== (rates[e] === 0)) {
      throw invalidSnapshot(`rateMbps/${e}`, rates[e], "more than 0 where the server is there, else 0");
    }
  }
}
