/** An episode played by one policy, decision by decision, with what its pictures show. */

import { Env, type ObservationData, type Scenario } from "../../env/index.js";
import type { LookAheadHandle, Policy } from "../policies/index.js";

/** A server at a decision. */
export interface ServerScene {
  readonly cpuGHz: number;
  /** Uplink rate of the current user, Mbit/s; 0 for an absent server. */
  readonly rateMbps: number;
  readonly activeTasks: number;
  readonly workloadMbit: number;
  readonly isAvailable: boolean;
}

/** The decision before the one that a scene shows. */
export interface LastDecision {
  readonly action: number;
  readonly costSlots: number;
  readonly isLate: boolean;
}

/** What a picture shows: the decision to take now, and the one before. */
export interface Scene {
  readonly slot: number;
  readonly episodeSlots: number;
  /** Decisions taken so far. */
  readonly numDecisions: number;
  readonly userIndex: number;
  readonly sizeMbit: number;
  readonly deadlineSlots: number;
  readonly localCpuGHz: number;
  readonly localWaitSlots: number;
  /** J of each action now, slots: local, then each server; infinite for an absent server. */
  readonly costSlots: readonly number[];
  readonly servers: readonly ServerScene[];
  /** Undefined before the first decision. */
  readonly last: LastDecision | undefined;
  readonly hasEnded: boolean;
}

/** Plays one episode. Two tracks with the same scenario and seed face the same tasks, whatever their policies do. */
export class EpisodeTrack {
  readonly episodeSlots: number;
  readonly deadlineSlots: number;
  /** Sum of the costs of the decisions taken in each slot, slots. */
  readonly costSumSlots: Float64Array;
  readonly decisionsInSlot: Uint32Array;
  /** The action of each decision so far. */
  readonly actions: number[] = [];
  readonly #env: Env;
  readonly #decide: Policy;
  readonly #lookAhead: LookAheadHandle;
  #observation: ObservationData;
  #last: LastDecision | undefined;
  #hasEnded = false;

  /** @param decide a policy, fresh for this episode; it is given a look-ahead, but no rollouts */
  constructor(scenario: Scenario, seed: number, decide: Policy) {
    this.#env = new Env(scenario);
    this.#decide = decide;
    this.#lookAhead = (options) => this.#env.lookAhead(options);
    this.episodeSlots = scenario.episodeSlots;
    this.deadlineSlots = scenario.deadlineSlots;
    this.costSumSlots = new Float64Array(scenario.episodeSlots);
    this.decisionsInSlot = new Uint32Array(scenario.episodeSlots);
    this.#observation = this.#env.reset(seed).observation;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Slot of the decision to take now; after the last decision, the number of slots. */
  get slot(): number {
    return this.#hasEnded ? this.episodeSlots : this.#observation.slot;
  }

  /** Takes one decision; nothing happens after the last one. */
  step(): void {
    if (this.#hasEnded) return;
    const { slot } = this.#observation;
    const {
      observation,
      action = 0,
      costSlots,
      isLate,
      truncated,
    } = this.#env.step(this.#decide(this.#observation, this.#lookAhead));
    this.actions.push(action);
    this.#last = { action, costSlots, isLate };
    // an episode without a task in its slots goes on to its first one
    const counted = Math.min(slot, this.episodeSlots - 1);
    this.costSumSlots[counted] += costSlots;
    this.decisionsInSlot[counted] += 1;
    this.#observation = observation;
    this.#hasEnded = truncated;
  }

  /** Takes all decisions of the slots before `slot`. */
  playToSlot(slot: number): void {
    while (!this.#hasEnded && this.#observation.slot < slot) this.step();
  }

  /** Takes decisions until `numDecisions` are taken. */
  playToDecision(numDecisions: number): void {
    while (!this.#hasEnded && this.actions.length < numDecisions) this.step();
  }

  /** Mean cost of the decisions in the slots from `first` up to, and not including, `end`; NaN if there are none. */
  meanCostSlots(first: number, end: number): number {
    let sum = 0;
    let decisions = 0;
    for (let slot = Math.max(0, first); slot < Math.min(end, this.episodeSlots); slot++) {
      sum += this.costSumSlots[slot];
      decisions += this.decisionsInSlot[slot];
    }
    return sum / decisions;
  }

  scene(): Scene {
    const one = this.#observation;
    return {
      slot: this.slot,
      episodeSlots: this.episodeSlots,
      numDecisions: this.actions.length,
      userIndex: one.userIndex,
      sizeMbit: one.sizeMbit,
      deadlineSlots: one.deadlineSlots,
      localCpuGHz: one.localCpuGHz,
      localWaitSlots: one.localWaitSlots,
      costSlots: this.#hasEnded ? [] : [...this.#env.lookAhead().costSlots],
      servers: one.cpuGHz.map((cpuGHz, e) => ({
        cpuGHz,
        rateMbps: one.rateMbps[e],
        activeTasks: one.activeTasks[e],
        workloadMbit: one.workloadMbit[e],
        isAvailable: one.isAvailable?.[e] ?? true,
      })),
      last: this.#last,
      hasEnded: this.#hasEnded,
    };
  }
}

/**
 * A policy that repeats recorded actions. After the last of them it stays local, but an episode of the same scenario
 * and seed ends there.
 */
export function recorded(actions: ArrayLike<number>): Policy {
  let next = 0;
  return () => (next < actions.length ? actions[next++] : 0);
}
