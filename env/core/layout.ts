/** The memory map of a batch of lanes: one typed array for each field, one row of it for each lane. */

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

/** The typed arrays of `allocateLanes`; lane i of a field that is n wide stands at [i·n, (i+1)·n). */
export type LaneArrays = Readonly<ReturnType<typeof allocateLanes>>;
export type LaneField = keyof LaneArrays;

/**
 * Allocates every field of the lanes' state. What is not here or in the task lists is not state: a lane copied field by
 * field, with its tasks, plays on exactly as the original.
 *
 * Written as one literal on purpose: V8 reads the fields of an object built name by name many times more slowly.
 */
export function allocateLanes(size: LaneSize) {
  const { numLanes, maxServers, maxUsers, historySlots } = size;
  const float64 = (width: number) => new Float64Array(numLanes * width);
  const int32 = (width: number) => new Int32Array(numLanes * width);
  const uint8 = (width: number) => new Uint8Array(numLanes * width);
  return {
    /** 0 before the first reset, 1 while an episode runs, 2 after its end. */
    phase: uint8(1),
    /** Seed of the episode, an integer in [0, 2^53). */
    episodeSeed: float64(1),
    /** E: servers of this episode. */
    numServers: int32(1),
    /** U: users of this episode. */
    numUsers: int32(1),
    /** t: the current slot. */
    slot: int32(1),
    /** First slot whose service no longer counts: T, or one more than the first task's slot where that is later. */
    endSlot: int32(1),
    /** Decisions taken so far in this episode; the index of the current one. */
    decisionIndex: int32(1),
    /** Source user u of the current task. */
    userIndex: int32(1),
    /** Further tasks of the same user in this slot (Poisson arrivals). */
    pendingTasks: int32(1),
    /** D: size of the current task, Mbit. */
    sizeMbit: float64(1),
    /** R_{u,e}: uplink rates of the current task's user, Mbit/s. */
    rateMbps: float64(maxServers),
    /** F_e: capacities, GHz. */
    cpuGHz: float64(maxServers),
    /** N_e: active tasks. */
    activeTasks: int32(maxServers),
    /** L_e: waiting work, Mbit. */
    workloadMbit: float64(maxServers),
    /** 1 where a server is there, 0 where it is absent or does not exist. */
    isAvailable: uint8(maxServers),
    /** H: workloads at the end of the last W slots, Mbit; slot t stands in row t mod W. */
    historyMbit: float64(maxServers * historySlots),
    /** Local backlog of each user as the slot began, Mbit: what this slot's service may touch. */
    backlogMbit: float64(maxUsers),
    /** Local work each user took on in this slot, Mbit; W_u is the sum of the two. */
    addedBacklogMbit: float64(maxUsers),
    /** Whether this slot is busy (bursty arrivals). */
    isBusy: uint8(1),
    /** Random streams of the episode. */
    arrivalStream: float64(STREAM_SIZE),
    sizeStream: float64(STREAM_SIZE),
    fadingStream: float64(STREAM_SIZE),
    burstStream: float64(STREAM_SIZE),
    churnStream: float64(STREAM_SIZE),
    /** Keys of the look-ahead futures. */
    futureKeys: int32(2),
    /** Tasks in the lane's list, and how many of them were there as the slot began (the first ones). */
    numTasks: int32(1),
    numTasksAtSlotStart: int32(1),
    /** What became of the tasks decided so far: docs/model.md, "What a decision turned out to cost". */
    finishedTasks: int32(1),
    finishedLateTasks: int32(1),
    realisedLatencySumSlots: float64(1),
    unfinishedTasks: int32(1),
    unfinishedLateTasks: int32(1),
    lostTasks: int32(1),
    /** Those of them that were not late at their decision. */
    lostOnTimeTasks: int32(1),
  };
}
