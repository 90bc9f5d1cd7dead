/** Branching: lanes copied, and written to bytes and read back, bit for bit. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { MecgymError } from "../errors.js";
import { MAX_SEED } from "../random.js";
import type { Lanes } from "./kernel.js";
import type { LaneField } from "./layout.js";
import { PHASE_ENDED, PHASE_RUNNING } from "./workload.js";

/** First bytes of every snapshot; the last one is the version of the format. */
const MAGIC = Uint8Array.from([0x6d, 0x65, 0x63, 0x67, 0x79, 0x6d, 0x53, 1]); // "mecgymS", 1
/** The same of a whole batch's. */
const BATCH_MAGIC = Uint8Array.from([0x6d, 0x65, 0x63, 0x67, 0x79, 0x6d, 0x42, 1]); // "mecgymB", 1
const HASH_BYTES = 32;
const HEADER_BYTES = MAGIC.length + 2 * HASH_BYTES;
/** Largest number of tasks a snapshot may claim: far beyond any episode, and small enough to allocate. */
const MAX_TASKS = 10_000_000;

/** What a lane of a batch carries besides its episode: which episode comes next. */
export interface LaneCourse {
  /** Seed of the function that picks the next episode. */
  readonly seed: number;
  /** Episodes started so far. */
  readonly episodeIndex: number;
}

/** Fields of one number, in the order of a snapshot. */
const scalarFields = [
  "phase",
  "episodeSeed",
  "numServers",
  "numUsers",
  "slot",
  "endSlot",
  "decisionIndex",
  "userIndex",
  "pendingTasks",
  "sizeMbit",
  "numTasks",
  "numTasksAtSlotStart",
  "finishedTasks",
  "finishedLateTasks",
  "realisedLatencySumSlots",
  "unfinishedTasks",
  "unfinishedLateTasks",
  "isBusy",
] as const satisfies readonly LaneField[];
const serverFields = ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"] as const satisfies readonly LaneField[];
const userFields = ["backlogMbit", "addedBacklogMbit"] as const satisfies readonly LaneField[];
const streamFields = [
  "arrivalStream",
  "sizeStream",
  "fadingStream",
  "burstStream",
] as const satisfies readonly LaneField[];
/** Counts that only a scenario with churn has. */
const churnFields = ["lostTasks", "lostOnTimeTasks"] as const satisfies readonly LaneField[];

/** Makes lane `to` of `target` the state of lane `from` of `source`; both batches must have the same sizes. */
export function copyLane(source: Lanes, from: number, target: Lanes, to: number): void {
  for (const name of Object.keys(source.arrays) as LaneField[]) {
    const values = source.arrays[name];
    const width = values.length / source.size.numLanes;
    if (width === 1) target.arrays[name][to] = values[from];
    else target.arrays[name].set(values.subarray(from * width, (from + 1) * width), to * width);
  }
  const count = source.arrays.numTasks[from];
  target.tasks.reserve(to, count);
  const start = source.tasks.offset[from];
  const end = start + count;
  const at = target.tasks.offset[to];
  target.tasks.residualMbit.set(source.tasks.residualMbit.subarray(start, end), at);
  target.tasks.serverIndex.set(source.tasks.serverIndex.subarray(start, end), at);
  target.tasks.decisionSlot.set(source.tasks.decisionSlot.subarray(start, end), at);
  target.tasks.uploadSlots.set(source.tasks.uploadSlots.subarray(start, end), at);
  target.tasks.wasLate.set(source.tasks.wasLate.subarray(start, end), at);
}

/**
 * A lane's state as bytes: magic and version, the scenario's hash, SHA-256 of what follows, then the fields as
 * little-endian float64. A float64 holds every integer and bit a field can have, so one type serves all.
 */
export function writeLane(lanes: Lanes, lane: number, scenarioHash: string, course: LaneCourse): Uint8Array {
  const values = collectState(lanes, lane, course);
  const bytes = new Uint8Array(HEADER_BYTES + 8 * values.length);
  bytes.set(MAGIC);
  bytes.set(hexBytes(scenarioHash), MAGIC.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => void view.setFloat64(HEADER_BYTES + 8 * i, value, true));
  bytes.set(sha256(bytes.subarray(HEADER_BYTES)), MAGIC.length + HASH_BYTES);
  return bytes;
}

/** Sixteen hexadecimal digits that name a lane's state: the first 8 bytes of the SHA-256 inside its snapshot. */
export function hashOfSnapshot(snapshot: Uint8Array): string {
  return bytesToHex(snapshot.subarray(MAGIC.length + HASH_BYTES, MAGIC.length + HASH_BYTES + 8));
}

function collectState(lanes: Lanes, lane: number, course: LaneCourse): number[] {
  const { arrays, size, tasks } = lanes;
  const values: number[] = [course.seed, course.episodeIndex];
  for (const name of scalarFields) values.push(arrays[name][lane]);
  for (const name of streamFields) values.push(...arrays[name].subarray(4 * lane, 4 * lane + 4));
  values.push(arrays.futureKeys[2 * lane], arrays.futureKeys[2 * lane + 1]);
  const numServers = arrays.numServers[lane];
  const firstServer = lane * size.maxServers;
  for (const name of serverFields) values.push(...arrays[name].subarray(firstServer, firstServer + numServers));
  const { historySlots } = lanes.parameters[lane];
  for (let row = lane * size.historySlots, end = row + historySlots; row < end; row++) {
    const at = row * size.maxServers;
    values.push(...arrays.historyMbit.subarray(at, at + numServers));
  }
  const firstUser = lane * size.maxUsers;
  for (const name of userFields) values.push(...arrays[name].subarray(firstUser, firstUser + arrays.numUsers[lane]));
  // states of other scenarios stay as they were before there was churn, and so do their hashes
  const { hasChurn } = lanes.parameters[lane];
  if (hasChurn) {
    for (const name of churnFields) values.push(arrays[name][lane]);
    values.push(...arrays.churnStream.subarray(4 * lane, 4 * lane + 4));
    values.push(...arrays.isAvailable.subarray(firstServer, firstServer + numServers));
  }
  const start = tasks.offset[lane];
  for (let i = start, end = start + arrays.numTasks[lane]; i < end; i++) {
    values.push(tasks.residualMbit[i], tasks.serverIndex[i], tasks.decisionSlot[i], tasks.uploadSlots[i]);
    if (hasChurn) values.push(tasks.wasLate[i]);
  }
  return values;
}

/**
 * Reads a snapshot for a lane. Everything is checked here; what is returned writes it into the lane and cannot fail.
 *
 * @throws MecgymError `invalidSnapshot`
 */
export function readLane(lanes: Lanes, lane: number, scenarioHash: string, snapshot: Uint8Array): () => LaneCourse {
  const state = new StateReader(checkEnvelope(snapshot, scenarioHash));
  const { arrays, size, tasks } = lanes;
  const p = lanes.parameters[lane];

  const seed = state.integer("seed", 0, MAX_SEED);
  const episodeIndex = state.integer("episodeIndex", 0, MAX_SEED);
  const scalars = new Map<LaneField, number>();
  const integer = (name: LaneField, min: number, max: number) =>
    scalars.set(name, state.integer(name, min, max)).get(name) as number;
  const amount = (name: LaneField) => void scalars.set(name, state.amount(name));
  integer("phase", PHASE_RUNNING, PHASE_ENDED);
  integer("episodeSeed", 0, MAX_SEED);
  const numServers = integer("numServers", 1, size.maxServers);
  const numUsers = integer("numUsers", 1, size.maxUsers);
  const slot = integer("slot", 0, 0x7fffffff);
  integer("endSlot", 0, 0x7fffffff);
  integer("decisionIndex", 0, 0x7fffffff);
  integer("userIndex", 0, numUsers - 1);
  integer("pendingTasks", 0, 0x7fffffff);
  amount("sizeMbit");
  const numTasks = integer("numTasks", 0, MAX_TASKS);
  integer("numTasksAtSlotStart", 0, numTasks);
  integer("finishedTasks", 0, 0x7fffffff);
  integer("finishedLateTasks", 0, 0x7fffffff);
  amount("realisedLatencySumSlots");
  integer("unfinishedTasks", 0, 0x7fffffff);
  integer("unfinishedLateTasks", 0, 0x7fffffff);
  integer("isBusy", 0, 1);
  const streams = streamFields.map((name) => state.stream(name));
  const keys = [0, 1].map(() => state.integer("futureKeys", -0x80000000, 0x7fffffff));
  const servers = serverFields.map((name) =>
    Float64Array.from({ length: numServers }, () =>
      name === "activeTasks" ? state.integer(name, 0, numTasks) : state.amount(name),
    ),
  );
  const history = Float64Array.from({ length: numServers * p.historySlots }, () => state.amount("historyMbit"));
  const users = userFields.map((name) => Float64Array.from({ length: numUsers }, () => state.amount(name)));
  for (const name of p.hasChurn ? churnFields : []) integer(name, 0, 0x7fffffff);
  const churnStream = p.hasChurn ? state.stream("churnStream") : [0, 0, 0, 0];
  const isAvailable = Array.from({ length: numServers }, () => (p.hasChurn ? state.integer("isAvailable", 0, 1) : 1));
  const list = Array.from({ length: state.fits("numTasks", numTasks, p.hasChurn ? 5 : 4) }, () => ({
    residualMbit: state.amount("residualMbit"),
    serverIndex: state.integer("serverIndex", 0, numServers - 1),
    decisionSlot: state.integer("decisionSlot", 0, slot),
    uploadSlots: state.amount("uploadSlots"),
    wasLate: p.hasChurn ? state.integer("wasLate", 0, 1) : 0,
  }));
  state.end();
  checkQueues(list, servers[2], servers[3]);
  checkAbsent(isAvailable, servers[0], servers[2]);

  return () => {
    for (const [name, value] of scalars) arrays[name][lane] = value;
    for (const [i, name] of streamFields.entries()) arrays[name].set(streams[i], 4 * lane);
    if (!p.hasChurn) for (const name of churnFields) arrays[name][lane] = 0;
    arrays.churnStream.set(churnStream, 4 * lane);
    arrays.isAvailable.fill(0, lane * size.maxServers, (lane + 1) * size.maxServers);
    arrays.isAvailable.set(isAvailable, lane * size.maxServers);
    arrays.futureKeys.set(keys, 2 * lane);
    for (const [i, name] of serverFields.entries()) {
      arrays[name].fill(0, lane * size.maxServers, (lane + 1) * size.maxServers);
      arrays[name].set(servers[i], lane * size.maxServers);
    }
    const firstRow = lane * size.historySlots;
    arrays.historyMbit.fill(0, firstRow * size.maxServers, (firstRow + size.historySlots) * size.maxServers);
    for (let i = 0; i < p.historySlots; i++) {
      const row = history.subarray(i * numServers, (i + 1) * numServers);
      arrays.historyMbit.set(row, (firstRow + i) * size.maxServers);
    }
    for (const [i, name] of userFields.entries()) {
      arrays[name].fill(0, lane * size.maxUsers, (lane + 1) * size.maxUsers);
      arrays[name].set(users[i], lane * size.maxUsers);
    }
    tasks.reserve(lane, numTasks);
    for (const [i, task] of list.entries()) {
      const at = tasks.offset[lane] + i;
      tasks.residualMbit[at] = task.residualMbit;
      tasks.serverIndex[at] = task.serverIndex;
      tasks.decisionSlot[at] = task.decisionSlot;
      tasks.uploadSlots[at] = task.uploadSlots;
      tasks.wasLate[at] = task.wasLate;
    }
    return { seed, episodeIndex };
  };
}

/** Snapshots of all lanes of a batch as one: magic and version, their number, their lengths in bytes, and themselves. */
export function joinSnapshots(snapshots: readonly Uint8Array[]): Uint8Array {
  const headerBytes = BATCH_MAGIC.length + 4 * (1 + snapshots.length);
  const bytes = new Uint8Array(snapshots.reduce((sum, one) => sum + one.length, headerBytes));
  bytes.set(BATCH_MAGIC);
  const view = new DataView(bytes.buffer, BATCH_MAGIC.length);
  view.setUint32(0, snapshots.length, true);
  let at = headerBytes;
  for (const [i, snapshot] of snapshots.entries()) {
    view.setUint32(4 * (1 + i), snapshot.length, true);
    bytes.set(snapshot, at);
    at += snapshot.length;
  }
  return bytes;
}

/**
 * The lanes' snapshots in a batch's.
 *
 * @throws MecgymError `invalidSnapshot` unless there are `numLanes` of them, and nothing else
 */
export function splitSnapshot(bytes: Uint8Array, numLanes: number): Uint8Array[] {
  const headerBytes = BATCH_MAGIC.length + 4 * (1 + numLanes);
  if (!(bytes instanceof Uint8Array) || bytes.length < BATCH_MAGIC.length + 4) {
    throw invalid("length", `${bytes?.length} bytes`, `at least ${headerBytes} bytes`);
  }
  const magic = bytesToHex(bytes.subarray(0, BATCH_MAGIC.length));
  if (magic !== bytesToHex(BATCH_MAGIC)) throw invalid("magic", magic, "a snapshot of a batch, version 1");
  const view = new DataView(bytes.buffer, bytes.byteOffset + BATCH_MAGIC.length, bytes.length - BATCH_MAGIC.length);
  const count = view.getUint32(0, true);
  if (count !== numLanes) throw invalid("numLanes", count, `${numLanes}, as many as the batch has`);
  if (bytes.length < headerBytes) throw invalid("length", `${bytes.length} bytes`, `at least ${headerBytes} bytes`);
  let at = headerBytes;
  const snapshots = Array.from({ length: numLanes }, (_, i) => {
    const start = at;
    at += view.getUint32(4 * (1 + i), true);
    return bytes.subarray(start, at);
  });
  if (at !== bytes.length) throw invalid("length", `${bytes.length} bytes`, `${at}, as the lanes' lengths add up to`);
  return snapshots;
}

/** Numbers of a snapshot, after its magic, version, scenario and checksum have been found right. */
function checkEnvelope(snapshot: Uint8Array, scenarioHash: string): DataView {
  if (
    !(snapshot instanceof Uint8Array) ||
    snapshot.length < HEADER_BYTES ||
    (snapshot.length - HEADER_BYTES) % 8 !== 0
  ) {
    throw invalid("length", `${snapshot?.length} bytes`, `at least ${HEADER_BYTES} bytes, and a multiple of 8`);
  }
  for (let i = 0; i < MAGIC.length - 1; i++) {
    if (snapshot[i] !== MAGIC[i]) throw invalid("magic", bytesToHex(snapshot.subarray(0, 7)), "a mecgym snapshot");
  }
  const version = snapshot[MAGIC.length - 1];
  if (version !== MAGIC[MAGIC.length - 1]) throw invalid("version", version, `version ${MAGIC[MAGIC.length - 1]}`);
  const scenario = bytesToHex(snapshot.subarray(MAGIC.length, MAGIC.length + HASH_BYTES));
  if (scenario !== scenarioHash) throw invalid("scenario", scenario, `a state of the lane's scenario ${scenarioHash}`);
  const checksum = bytesToHex(snapshot.subarray(MAGIC.length + HASH_BYTES, HEADER_BYTES));
  const actual = bytesToHex(sha256(snapshot.subarray(HEADER_BYTES)));
  if (checksum !== actual) throw invalid("checksum", actual, `${checksum}: the snapshot is damaged`);
  return new DataView(snapshot.buffer, snapshot.byteOffset + HEADER_BYTES, snapshot.length - HEADER_BYTES);
}

/** N and L must be those of the listed tasks, to the bit: a state that contradicts itself is none. */
function checkQueues(
  list: readonly { residualMbit: number; serverIndex: number }[],
  counts: Float64Array,
  works: Float64Array,
): void {
  const count = new Float64Array(counts.length);
  const work = new Float64Array(works.length);
  for (const { residualMbit, serverIndex } of list) {
    count[serverIndex] += 1;
    work[serverIndex] += residualMbit;
  }
  for (let e = 0; e < counts.length; e++) {
    if (count[e] !== counts[e]) throw invalid(`activeTasks/${e}`, counts[e], `${count[e]}, as many as are listed`);
    if (work[e] !== works[e])
      throw invalid(`workloadMbit/${e}`, works[e], `${work[e]}, the sum of the listed residuals`);
  }
}

/** An absent server has no tasks and a rate of 0, and no other has that rate. */
function checkAbsent(isAvailable: readonly number[], rates: Float64Array, counts: Float64Array): void {
  for (const [e, available] of isAvailable.entries()) {
    if (available === 0 && counts[e] !== 0) throw invalid(`activeTasks/${e}`, counts[e], "0, for the server is absent");
    if ((available === 0) !== (rates[e] === 0)) {
      throw invalid(`rateMbps/${e}`, rates[e], "more than 0 where the server is there, else 0");
    }
  }
}

function invalid(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidSnapshot", { path: `snapshot/${path}`, got, expected });
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** Takes the numbers of a snapshot one by one, each within its bounds. */
class StateReader {
  readonly #view: DataView;
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  #next(path: string): number {
    if (this.#at + 8 > this.#view.byteLength) throw invalid(path, "the end", "a number");
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  integer(path: string, min: number, max: number): number {
    const value = this.#next(path);
    if (!Number.isInteger(value) || value < min || value > max)
      throw invalid(path, value, `an integer from ${min} to ${max}`);
    return value;
  }

  /** A finite number that is not negative. */
  amount(path: string): number {
    const value = this.#next(path);
    if (!Number.isFinite(value) || value < 0) throw invalid(path, value, "a finite number, not negative");
    return value;
  }

  /** A number in [0, 1). */
  unit(path: string): number {
    const value = this.#next(path);
    if (!(value >= 0 && value < 1)) throw invalid(path, value, "a number in [0, 1)");
    return value;
  }

  /** The state of a random stream. */
  stream(path: string): number[] {
    return [this.unit(path), this.unit(path), this.unit(path), this.integer(path, 0, 2_091_639)];
  }

  /** `count`, if so many records of `width` numbers are left. */
  fits(path: string, count: number, width: number): number {
    const left = (this.#view.byteLength - this.#at) / 8;
    if (count * width !== left) throw invalid(path, count, `${left / width} records of ${width} numbers`);
    return count;
  }

  end(): void {
    if (this.#at !== this.#view.byteLength)
      throw invalid("length", `${this.#view.byteLength - this.#at} more bytes`, "none");
  }
}
