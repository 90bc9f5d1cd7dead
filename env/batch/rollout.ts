/** Rollouts: copies of a lane, played on with a base policy over sampled futures or over the true one. */

import { type CoreModule, coreStatus } from "../core/module.js";
import { createStream, streamName } from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import type { Lanes } from "./lanes.js";
import { LaneView } from "./observation.js";

/** A base policy that the core has itself: rollouts with it are played in one call. */
export type CoreBase =
  /** `priced`: the smallest J + κ·N_e; with κ = 0, `oracle`. */
  | { readonly name: "priced"; readonly tollSlots: number }
  /** `adaptive`: its 23 weights, and the sum and number of the task sizes that it has seen. */
  | {
      readonly name: "adaptive";
      readonly weights: ArrayLike<number>;
      readonly sizeSumMbit: number;
      readonly numSizes: number;
    };

/** What a rollout plays. One object can serve every decision. */
export interface RolloutRequest {
  /** Actions of the current decision; all must be available. */
  readonly candidates: ArrayLike<number>;
  /** How many of them to play. */
  readonly numCandidates: number;
  /** Futures firstFuture … firstFuture + numFutures − 1. */
  readonly firstFuture: number;
  readonly numFutures: number;
  /** H: decisions of the slots t … t + H − 1 count, until the episode ends. */
  readonly horizonSlots: number;
  /** Takes the later decisions: a policy of the core's, or a function that observes the copy. */
  readonly base: CoreBase | ((view: LaneView) => number);
  /** Whether the futures are sampled or the true one (then all numFutures are alike). */
  readonly future: "sampled" | "true";
  /** Two keys (`rolloutKeys`) that, with the decision, name the sampled futures. */
  readonly keys: Int32Array;
  /** Probability that this slot is busy (bursty arrivals). */
  readonly busyProbability: number;
  /** k ≥ 1: tasks of the current user observed in this slot, including the current one (Poisson arrivals). */
  readonly tasksSeen: number;
}

/** The keys of a policy's own futures, from the stream `rollout` of its seed, which no episode uses. */
export function rolloutKeys(seed: number): Int32Array {
  const draw = createStream(streamName("rollout", seed));
  return Int32Array.from([0, 0], () => (draw() * 0x100000000) | 0);
}

/**
 * Plays on from a lane's current decision without changing the lane.
 *
 * A sampled future reveals nothing that a policy could not know from watching the episode. Arrivals of the users not
 * asked yet, sizes, rates, bursts and churn come from new streams. Whether the slot is busy, and how many tasks of the
 * current user still wait, are drawn again. Everything else is known: the current task with its rates; the clock, the
 * capacities and which servers are available, all of which are observed; and the residual work of every task and
 * device, which follows from the decisions and the model. A new stream is a state of Alea: three uniforms, multiples of
 * 2^-32, and a carry of 1, as after seeding.
 *
 * All candidates meet the same futures (common random numbers), so their sums can be compared in pairs.
 */
export class Rollouts {
  readonly #scenario: Scenario;
  #view: LaneView | undefined;
  #lanes: Lanes | undefined;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  /**
   * Sums J (eq. 11), and ρ for tasks lost on time, over the decisions of the horizon.
   *
   * @param source lanes of the scenario given to the constructor; they are not changed
   * @param out receives [numCandidates][numFutures], slots
   */
  play(source: Lanes, lane: number, request: RolloutRequest, out: Float64Array): void {
    const { candidates, numCandidates, firstFuture, numFutures } = request;
    if (source !== this.#lanes) {
      this.#lanes = source;
      // the core's lane behind the last one, where rollouts play
      this.#view = new LaneView(source, source.numLanes);
    }
    this.#writeRequest(source.core, request);
    const { base } = request;
    if (typeof base !== "function") {
      playInCore(source.core, lane, base, request, out);
      return;
    }
    for (let i = 0; i < numCandidates; i++) {
      for (let m = 0; m < numFutures; m++) {
        out[i * numFutures + m] = this.#playOn(source, lane, firstFuture + m, candidates[i], base);
      }
    }
  }

  #writeRequest(core: CoreModule, request: RolloutRequest): void {
    core.set("rollout.isSampled", request.future === "sampled" ? 1 : 0);
    core.set("rollout.key0", request.keys[0]);
    core.set("rollout.key1", request.keys[1]);
    core.set("rollout.busyProbability", request.busyProbability);
    core.set("rollout.tasksSeen", request.tasksSeen);
    // no episode is longer
    core.set("rollout.horizonSlots", Math.min(request.horizonSlots, this.#scenario.episodeSlots));
  }

  #playOn(source: Lanes, lane: number, future: number, candidate: number, base: (view: LaneView) => number): number {
    const { core } = source;
    const status = core.call(() => core.calls.beginRollout(lane, future));
    expectDone(core, status);
    let action = candidate;
    for (;;) {
      const answer = core.call(() => core.calls.playRollout(action));
      source.version += 1;
      if (answer === coreStatus.invalidAction) return Number.POSITIVE_INFINITY;
      if (answer === 0) return core.get("rollout.sum");
      action = base(this.#view as LaneView);
    }
  }
}

/** Sums that the core gives in one call. */
const MAX_SUMS = 4096;

/** Plays with one of the core's own policies: candidate by candidate, as many futures in a call as it takes. */
function playInCore(core: CoreModule, lane: number, base: CoreBase, request: RolloutRequest, out: Float64Array): void {
  const { candidates, numCandidates, firstFuture, numFutures } = request;
  writeBase(core, base);
  if (numCandidates * numFutures <= MAX_SUMS && numCandidates < core.view("rollout.candidates").length) {
    playPart(core, lane, candidates, 0, numCandidates, firstFuture, numFutures, out, 0);
    return;
  }
  for (let i = 0; i < numCandidates; i++) {
    for (let m = 0; m < numFutures; m += MAX_SUMS) {
      const count = Math.min(MAX_SUMS, numFutures - m);
      playPart(core, lane, candidates, i, 1, firstFuture + m, count, out, i * numFutures + m);
    }
  }
}

function playPart(
  core: CoreModule,
  lane: number,
  candidates: ArrayLike<number>,
  firstCandidate: number,
  numCandidates: number,
  firstFuture: number,
  numFutures: number,
  out: Float64Array,
  at: number,
): void {
  const given = core.view("rollout.candidates");
  for (let i = 0; i < numCandidates; i++) given[i] = candidates[firstCandidate + i];
  core.set("rollout.numCandidates", numCandidates);
  core.set("rollout.firstFuture", firstFuture);
  core.set("rollout.numFutures", numFutures);
  expectDone(
    core,
    core.call(() => core.calls.rollout(lane)),
  );
  const sums = core.view("rollout.costSlots");
  for (let i = 0, count = numCandidates * numFutures; i < count; i++) out[at + i] = sums[i];
}

function writeBase(core: CoreModule, base: CoreBase): void {
  core.set("rollout.base", base.name === "adaptive" ? 1 : 0);
  if (base.name === "priced") {
    core.set("rollout.tollSlots", base.tollSlots);
    return;
  }
  core.view("rollout.weights").set(base.weights);
  core.set("rollout.sizeSumMbit", base.sizeSumMbit);
  core.set("rollout.numSizes", base.numSizes);
}

function expectDone(core: CoreModule, status: number): void {
  if (status < 0) throw new Error(`the core refuses a rollout: ${JSON.stringify(core.failure)}`);
}
