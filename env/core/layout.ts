/** The fields of a lane's state: one table that drives allocation, copies, snapshots and restores. */

import { STREAM_SIZE } from "../random.js";

/** Sizes that all lanes of a batch share. */
export interface LaneSize {
  readonly numLanes: number;
  /** Servers a lane has room for; a lane with fewer leaves the rest at zero. */
  readonly maxServers: number;
  /** Users a lane has room for. */
  readonly maxUsers: number;
  /** W: slots of workload history. */
  readonly historySlots: number;
}

/** What a lane has one number of; a stream has four numbers, and the look-ahead futures have two keys. */
type Extent = "lane" | "stream" | "key" | "server" | "user";

/** What a number of a snapshot may be; a bound can depend on fields that stand before it. */
export type Bounds =
  | { readonly kind: "amount" | "stream" }
  | { readonly kind: "integer"; readonly min: number; readonly max: (size: LaneSize, known: Known) => number };

/** The value of a field that was read before and has one number in a lane. */
type Known = (name: string) => number;

/** What is known of a field besides its name. */
interface FieldSpec {
  readonly per: Extent;
  readonly bounds: Bounds;
  /** Whether the lane keeps one row for each of the last W slots. */
  readonly isHistory?: true;
  /** Set for fields that only snapshots of scenarios with churn hold: the value they have without it. */
  readonly withoutChurn?: number;
}

type TypedArray = Float64Array | Int32Array | Uint8Array;
type Make<A> = (per: Extent, bounds: Bounds, options?: Pick<FieldSpec, "isHistory" | "withoutChurn">) => A;

const integers = (min: number, max: number | ((size: LaneSize, known: Known) => number)): Bounds => ({
  kind: "integer",
  min,
  max: typeof max === "number" ? () => max : max,
});
const count = integers(0, 0x7fffffff);
const seed = integers(0, Number.MAX_SAFE_INTEGER);
const amount: Bounds = { kind: "amount" };
const stream: Bounds = { kind: "stream" };
/** Most tasks that a snapshot may claim: far more than any episode has, and few enough to allocate. */
const MAX_TASKS = 10_000_000;

/**
 * The table: every field of a lane's state, in the order of a snapshot. What is neither here nor in the task lists is
 * not state: a lane copied field by field, with its tasks, plays on exactly as the original.
 *
 * One literal on purpose: V8 reads the fields of an object built name by name many times more slowly.
 */
function makeFields(float64: Make<Float64Array>, int32: Make<Int32Array>, uint8: Make<Uint8Array>) {
  return {
    /** One of the phases of phases.ts. */
    phase: uint8("lane", integers(1, 2)),
    /** Seed of the episode, an integer in [0, 2^53). */
    episodeSeed: float64("lane", seed),
    /** E: servers of this episode. */
    numServers: int32(
      "lane",
      integers(1, ({ maxServers }) => maxServers),
    ),
    /** U: users of this episode. */
    numUsers: int32(
      "lane",
      integers(1, ({ maxUsers }) => maxUsers),
    ),
    /** t: the current slot. */
    slot: int32("lane", count),
    /** First slot whose service no longer counts: T, or the slot after the first task's if that is later. */
    endSlot: int32("lane", count),
    /** Decisions taken so far in this episode; the index of the current one. */
    decisionIndex: int32("lane", count),
    /** Source user u of the current task. */
    userIndex: int32(
      "lane",
      integers(0, (_, known) => known("numUsers") - 1),
    ),
    /** Further tasks of the same user in this slot (Poisson arrivals). */
    pendingTasks: int32("lane", count),
    /** D: size of the current task, Mbit. */
    sizeMbit: float64("lane", amount),
    /** Tasks in the lane's list. */
    numTasks: int32("lane", integers(0, MAX_TASKS)),
    /** How many of them were there when the slot began (the first ones). */
    numTasksAtSlotStart: int32(
      "lane",
      integers(0, (_, known) => known("numTasks")),
    ),
    /** What became of the tasks decided so far: docs/model.md, "What a decision turned out to cost". */
    finishedTasks: int32("lane", count),
    finishedLateTasks: int32("lane", count),
    realisedLatencySumSlots: float64("lane", amount),
    unfinishedTasks: int32("lane", count),
    unfinishedLateTasks: int32("lane", count),
    /** Whether this slot is busy (bursty arrivals). */
    isBusy: uint8("lane", integers(0, 1)),
    /** Random streams of the episode. */
    arrivalStream: float64("stream", stream),
    sizeStream: float64("stream", stream),
    fadingStream: float64("stream", stream),
    burstStream: float64("stream", stream),
    /** Keys of the look-ahead futures. */
    futureKeys: int32("key", integers(-0x80000000, 0x7fffffff)),
    /** R_{u,e}: uplink rates of the current task's user, Mbit/s. */
    rateMbps: float64("server", amount),
    /** F_e: capacities, GHz. */
    cpuGHz: float64("server", amount),
    /** N_e: active tasks. */
    activeTasks: int32(
      "server",
      integers(0, (_, known) => known("numTasks")),
    ),
    /** L_e: waiting work, Mbit. */
    workloadMbit: float64("server", amount),
    /** H: workloads at the end of the last W slots, Mbit; slot t stands in row t mod W. */
    historyMbit: float64("server", amount, { isHistory: true }),
    /** Local backlog of each user when the slot began, Mbit: what this slot's service may touch. */
    backlogMbit: float64("user", amount),
    /** Local work each user took on in this slot, Mbit; W_u is the sum of the two. */
    addedBacklogMbit: float64("user", amount),
    /** Tasks lost with servers that left. */
    lostTasks: int32("lane", count, { withoutChurn: 0 }),
    /** Those of them that were not late at their decision. */
    lostOnTimeTasks: int32("lane", count, { withoutChurn: 0 }),
    churnStream: float64("stream", stream, { withoutChurn: 0 }),
    /** 1 for a server that is there, 0 for one that is absent or does not exist. */
    isAvailable: uint8("server", integers(0, 1), { withoutChurn: 1 }),
  };
}

/** One typed array for each field; lane i of a field with n numbers a lane stands at [i·n, (i+1)·n). */
export type LaneArrays = Readonly<ReturnType<typeof makeFields>>;
export type LaneField = keyof LaneArrays;

/** Makes the fields; `toArray` says what becomes of each. */
function makeWith(toArray: <A extends TypedArray>(type: new (length: number) => A, spec: FieldSpec) => A): LaneArrays {
  const maker =
    <A extends TypedArray>(type: new (length: number) => A): Make<A> =>
    (per, bounds, options) =>
      toArray(type, { per, bounds, ...options });
  return makeFields(maker(Float64Array), maker(Int32Array), maker(Uint8Array));
}

const specs: FieldSpec[] = [];
const template = makeWith((type, spec) => {
  specs.push(spec);
  return new type(0);
});
/** The fields' names, in the order of the table. */
export const laneFieldNames = Object.keys(template) as LaneField[];
const specByName = Object.fromEntries(laneFieldNames.map((name, i) => [name, specs[i]])) as Record<
  LaneField,
  FieldSpec
>;

export function specOf(name: LaneField): FieldSpec {
  return specByName[name];
}

/** Columns of the list of a lane's tasks, in the order of a snapshot. */
export const taskColumns = ["residualMbit", "serverIndex", "decisionSlot", "uploadSlots", "wasLate"] as const;

/** Numbers in a row of a field: those a lane has room for, or those its episode uses. */
export function rowLength({ per }: FieldSpec, numServers: number, numUsers: number): number {
  switch (per) {
    case "lane":
      return 1;
    case "stream":
      return STREAM_SIZE;
    case "key":
      return 2;
    case "server":
      return numServers;
    case "user":
      return numUsers;
  }
}

/** Rows of a field in a lane: one, or one for each slot of history. */
export function numRows({ isHistory }: FieldSpec, historySlots: number): number {
  return isHistory ? historySlots : 1;
}

/** Allocates every field for all lanes, at zero. */
export function allocateLanes({ numLanes, maxServers, maxUsers, historySlots }: LaneSize): LaneArrays {
  return makeWith((type, spec) => {
    return new type(numLanes * rowLength(spec, maxServers, maxUsers) * numRows(spec, historySlots));
  });
}
