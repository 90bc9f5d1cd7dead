/** Rollouts: a lane copied and played on with a base policy, over futures that are sampled, or over the true one. */

import { decideTasks, isActionAvailable, type Lanes } from "../core/kernel.js";
import type { LaneField } from "../core/layout.js";
import type { BatchOutputs } from "../core/outputs.js";
import { advanceLanes } from "../core/workload.js";
import { drawUniform, futureUniform, seedStream, streamName } from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import { BatchEnv } from "./batch-env.js";
import { LaneView } from "./observation.js";

/** What a rollout plays. One object can be filled again for every decision. */
export interface RolloutRequest {
  /** Actions of the current decision; each must be available. */
  readonly candidates: ArrayLike<number>;
  /** How many of them count. */
  readonly numCandidates: number;
  /** Futures firstFuture … firstFuture + numFutures − 1. */
  readonly firstFuture: number;
  readonly numFutures: number;
  /** H: decisions of the slots t … t + H − 1 count, as long as the episode lasts. */
  readonly horizonSlots: number;
  /** Takes the later decisions; it sees the copy. */
  readonly base: (view: LaneView) => number;
  /** Whether the futures are sampled, or are the one that will come (numFutures of it, all alike). */
  readonly future: "sampled" | "true";
  /** Two keys that name the sampled futures together with the decision: `rolloutKeys`. */
  readonly keys: Int32Array;
  /** Probability that this slot is busy (bursty arrivals). */
  readonly busyProbability: number;
  /** k ≥ 1: tasks of the current user seen in this slot, the current one among them (Poisson arrivals). */
  readonly tasksSeen: number;
}

/** Streams that a sampled future replaces. */
const streams = ["arrivalStream", "sizeStream", "fadingStream", "burstStream", "churnStream"] as const;
/** Items of a future behind the three numbers of each stream. */
const BUSY_ITEM = 3 * streams.length;
const PENDING_ITEM = BUSY_ITEM + 1;

/** The keys of a policy's own futures: drawn from the stream `rollout` of its seed, which no episode draws from. */
export function rolloutKeys(seed: number): Int32Array {
  const state = new Float64Array(4);
  seedStream(streamName("rollout", seed), state, 0);
  return Int32Array.from([0, 0], () => (drawUniform(state, 0) * 0x100000000) | 0);
}

/**
 * Plays on from a lane's current decision without touching the lane.
 *
 * A sampled future holds nothing that a policy which watched the episode could not know. Arrivals of the users that have
 * not been asked yet, sizes, rates, bursts and churn come from new streams; whether the slot is busy and how many tasks
 * of the current user still wait are drawn anew. What stays is known: the current task with its rates; the clock, the
 * capacities and who is there, which are observed; and the residual work of every task and every device, which follows
 * from the decisions and the model. A new stream is a state of Alea: three uniforms, multiples of 2^-32, and a carry of
 * 1, as after seeding.
 *
 * All candidates meet the same futures (common random numbers), so differences between their sums are paired.
 */
export class Rollouts {
  readonly #lanes: Lanes;
  readonly #outputs: BatchOutputs;
  readonly #actions = new Int32Array(1);
  readonly #view: LaneView;
  readonly #fields: LaneField[];

  constructor(scenario: Scenario) {
    const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
    this.#lanes = batch.lanes;
    this.#outputs = batch.outputs;
    this.#view = new LaneView(this.#lanes, 0);
    this.#fields = Object.keys(this.#lanes.arrays) as LaneField[];
  }

  /**
   * Sums of J (eq. 11), and of ρ for tasks lost on time, over the decisions of the horizon. Allocates nothing, but for
   * a task list that outgrows its block.
   *
   * @param source lanes of the scenario this was made for; not changed
   * @param out receives [numCandidates][numFutures], slots
   */
  play(source: Lanes, lane: number, request: RolloutRequest, out: Float64Array): void {
    const { candidates, numCandidates, firstFuture, numFutures, future } = request;
    for (let i = 0; i < numCandidates; i++) {
      for (let m = 0; m < numFutures; m++) {
        this.#copy(source, lane);
        if (future === "sampled") this.#sample(request, firstFuture + m);
        out[i * numFutures + m] = this.#playOn(candidates[i], request);
      }
    }
  }

  /** `copyLane` without its views. */
  #copy(source: Lanes, lane: number): void {
    const { arrays, tasks } = this.#lanes;
    for (let f = 0; f < this.#fields.length; f++) {
      const to = arrays[this.#fields[f]];
      const from = source.arrays[this.#fields[f]];
      const first = lane * to.length;
      for (let i = 0; i < to.length; i++) to[i] = from[first + i];
    }
    const count = source.arrays.numTasks[lane];
    tasks.reserve(0, count);
    const first = source.tasks.offset[lane];
    const at = tasks.offset[0];
    for (let i = 0; i < count; i++) {
      tasks.residualMbit[at + i] = source.tasks.residualMbit[first + i];
      tasks.serverIndex[at + i] = source.tasks.serverIndex[first + i];
      tasks.decisionSlot[at + i] = source.tasks.decisionSlot[first + i];
      tasks.uploadSlots[at + i] = source.tasks.uploadSlots[first + i];
      tasks.wasLate[at + i] = source.tasks.wasLate[first + i];
    }
  }

  #sample({ keys, busyProbability, tasksSeen }: RolloutRequest, sample: number): void {
    const { arrays, parameters } = this.#lanes;
    const p = parameters[0];
    const decision = arrays.decisionIndex[0];
    for (let s = 0; s < streams.length; s++) {
      const state = arrays[streams[s]];
      for (let i = 0; i < 3; i++) state[i] = futureUniform(keys[0], keys[1], decision, sample, 3 * s + i);
      state[3] = 1;
    }
    const busy = futureUniform(keys[0], keys[1], decision, sample, BUSY_ITEM);
    if (p.isBursty) arrays.isBusy[0] = busy < busyProbability ? 1 : 0;
    const pending = futureUniform(keys[0], keys[1], decision, sample, PENDING_ITEM);
    if (p.isPoisson) arrays.pendingTasks[0] = pendingCount(pending, p.arrivalRate, tasksSeen);
  }

  #playOn(candidate: number, { horizonSlots, base }: RolloutRequest): number {
    const lanes = this.#lanes;
    const { arrays } = lanes;
    const p = lanes.parameters[0];
    const lostBefore = arrays.lostOnTimeTasks[0];
    const lastSlot = arrays.slot[0] + horizonSlots;
    // an episode's one task may come after its slots
    const end = lastSlot < p.episodeSlots ? lastSlot : p.episodeSlots;
    let action = candidate;
    let sum = 0;
    for (;;) {
      if (!isActionAvailable(lanes, 0, action)) return Number.POSITIVE_INFINITY;
      this.#actions[0] = action;
      decideTasks(lanes, lanes.oneLane, 1, this.#actions, this.#outputs);
      sum += this.#outputs.costSlots[0];
      advanceLanes(lanes, lanes.oneLane, 1);
      if (arrays.slot[0] >= end) break;
      action = base(this.#view);
    }
    return sum + p.penaltySlots * (arrays.lostOnTimeTasks[0] - lostBefore);
  }
}

/**
 * The number of tasks still to come that belongs to the uniform `u`, where a Poisson count X of mean `mean` is known to
 * be at least `seen`: by inversion of P(X − seen = j | X ≥ seen).
 */
export function pendingCount(u: number, mean: number, seen: number): number {
  // weights relative to that of j = 0, so that nothing is lost by taking 1 − P(X < seen)
  let total = 0;
  for (let j = 0, weight = 1; total + weight > total; j++) {
    total += weight;
    weight = (weight * mean) / (seen + j + 1);
  }
  const target = u * total;
  let count = 0;
  let weight = 1;
  let cumulative = 1;
  while (target >= cumulative && weight > 0) {
    count++;
    weight = (weight * mean) / (seen + count);
    cumulative += weight;
  }
  return count;
}
