/** What a host writes before a rollout, and where its sums stand. */

import { Batch } from "./batch";
import { aligned, allocateZeros } from "./heap";

/** Sums that one call can give. */
export const MAX_SUMS: i32 = 4096;
export const NUM_WEIGHTS: i32 = 23;

@unmanaged
export class RolloutInput {
  /** 1 if futures are sampled, 0 for the one that will come. */
  isSampled: i32;
  /** Keys that name the sampled futures together with the decision. */
  key0: i32;
  key1: i32;
  /** k ≥ 1: tasks of the current user seen in this slot, the current one among them (Poisson arrivals). */
  tasksSeen: i32;
  /** H: decisions of the slots t … t + H − 1 count, as long as the episode lasts. */
  horizonSlots: i32;
  /** Futures firstFuture … firstFuture + numFutures − 1. */
  firstFuture: i32;
  numFutures: i32;
  numCandidates: i32;
  /** Base policy: 0 the smallest J + κ·N, 1 `adaptive`. */
  base: i32;
  reserved: i32;
  /** Probability that this slot is busy (bursty arrivals). */
  busyProbability: f64;
  /** κ, slots. */
  tollSlots: f64;
  /** `adaptive`: sum and number of the task sizes that it has seen, Mbit. */
  sizeSumMbit: f64;
  numSizes: f64;
  /** Cost of the rollout that the host plays, so far, slots. */
  sum: f64;
  /** Lost tasks that were on time before it, and the slot before which it ends. */
  lostBefore: i32;
  endSlot: i32;
  /** i32 [maxServers + 1] and f64 [MAX_SUMS]. */
  candidates: usize;
  costSlots: usize;
}
export const ROLLOUT_INPUT: usize = memory.data(offsetof<RolloutInput>(), 8);
/** f64 [23]: the weights of `adaptive`. */
export const WEIGHTS: usize = memory.data(8 * 23, 8);

// @ts-ignore: decorator
@inline
export function rolloutInput(): RolloutInput {
  return changetype<RolloutInput>(ROLLOUT_INPUT);
}

export function rolloutBytes(batch: Batch): u64 {
  return aligned(4 * <u64>(batch.maxServers + 1)) + aligned(8 * MAX_SUMS);
}

export function layOutRollout(batch: Batch): void {
  rolloutInput().candidates = allocateZeros(4 * <usize>(batch.maxServers + 1));
  rolloutInput().costSlots = allocateZeros(8 * MAX_SUMS);
}
