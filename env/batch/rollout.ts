/** Rollouts: copies of a lane, played on with a base policy over sampled futures or over the true one. */

import { type CoreModule, coreStatus } from "../core/module.js";
import { createStream, streamName } from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import type { Lanes } from "./lanes.js";
import { LaneView } from "./observation.js";

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
  /** Takes the later decisions; it observes the copy. */
  readonly base: (view: LaneView) => number;
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
    for (let i = 0; i < numCandidates; i++) {
      for (let m = 0; m < numFutures; m++) {
        out[i * numFutures + m] = this.#playOn(source, lane, firstFuture + m, candidates[i], request.base);
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

  #playOn(source: Lanes, lane: number, future: number, candidate: number, base: RolloutRequest["base"]): number {
    const { core } = source;
    const status = core.call(() => core.calls.beginRollout(lane, future));
    if (status < 0) throw new Error(`the core refuses a rollout: ${JSON.stringify(core.failure)}`);
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
