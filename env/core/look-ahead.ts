/** LACS, the look-ahead of eq. 22-26: what each action costs now, and its impact on possible future tasks. */

import { futureUniform } from "../random.js";
import { latencySlotsOf, localCostSlots } from "./action-costs.js";
import type { DecisionState } from "./decision-state.js";
import { ratesOfUniforms } from "./fading.js";
import { costOfLatency, edgeLatencySlots } from "./kernel.js";
import type { LookAheadOptions } from "./look-ahead-options.js";
import type { Parameters } from "./parameters.js";

/**
 * One value for each action 0…E, or for each action asked for, in slots. For an absent server C and J are Infinity and
 * r is −Infinity; its C_impact is that of a task that goes nowhere.
 */
export interface LookAheadResult {
  /** C (eq. 8). */
  readonly latencySlots: Float64Array;
  /** J (eq. 11). */
  readonly costSlots: Float64Array;
  /** C_impact (eq. 25). */
  readonly impactSlots: Float64Array;
  /** r = −(J + λ·C_impact) (eq. 26). */
  readonly reward: Float64Array;
}

export function allocateLookAhead(maxServers: number): LookAheadResult {
  const numActions = maxServers + 1;
  return {
    latencySlots: new Float64Array(numActions),
    costSlots: new Float64Array(numActions),
    impactSlots: new Float64Array(numActions),
    reward: new Float64Array(numActions),
  };
}

/** Evaluates look-aheads in a virtual state ŝ, whose rows have an entry for each server 0…E−1. */
export class LookAhead {
  /** δ_k of the future tasks, and their rates, E for each. */
  #futureMbit = new Float64Array(0);
  #futureRateMbps = new Float64Array(0);
  readonly #workloadMbit: Float64Array;
  readonly #rateMbps: Float64Array;
  readonly #tasks: Float64Array;
  readonly #virtualWorkloadMbit: Float64Array;

  /** Makes room for states of up to `maxServers` servers. */
  constructor(maxServers: number) {
    this.#workloadMbit = new Float64Array(maxServers);
    this.#rateMbps = new Float64Array(maxServers);
    this.#tasks = new Float64Array(maxServers);
    this.#virtualWorkloadMbit = new Float64Array(maxServers);
  }

  /**
   * Fills `out` with C, J, C_impact and r of actions in `state`. The same call gives the same bits.
   *
   * @param actions the actions asked for, in the order of `out`; all by default
   */
  evaluate(
    state: DecisionState,
    p: Parameters,
    options: LookAheadOptions,
    out: LookAheadResult,
    actions?: ArrayLike<number>,
  ): void {
    const { numServers, firstServer } = state;
    const count = actions === undefined ? numServers + 1 : actions.length;
    for (let e = 0; e < numServers; e++) {
      const i = firstServer + e;
      // eq. 22 before the task is added
      this.#workloadMbit[e] = drained(state.workloadMbit[i], state.activeTasks[i], state.cpuGHz[i], p);
    }
    this.#drawFutures(state, p, options);
    for (let i = 0; i < count; i++) {
      const action = actions === undefined ? i : actions[i];
      out.latencySlots[i] = latencySlotsOf(action, state.sizeMbit, state.backlogMbit, state, firstServer, p);
      out.costSlots[i] = costOfLatency(out.latencySlots[i], p.deadlineSlots, p.penaltySlots);
      out.impactSlots[i] = options.mode === "sequential" ? this.#sumSequential(state, p, options, action) : 0;
    }
    if (options.mode === "independent") this.#addIndependent(state, p, options, out, actions, count);
    for (let i = 0; i < count; i++) {
      out.impactSlots[i] /= options.numSamples; // eq. 25
      out.reward[i] = -(out.costSlots[i] + options.weight * out.impactSlots[i]); // eq. 26
    }
  }

  /**
   * Eq. 24 for all candidates at once. The virtual states of two candidates differ only at the two servers they chose,
   * so the cheapest and second cheapest cost of the common state and the cost of the changed server give every minimum.
   */
  #addIndependent(
    state: DecisionState,
    p: Parameters,
    options: LookAheadOptions,
    out: LookAheadResult,
    actions: ArrayLike<number> | undefined,
    count: number,
  ): void {
    const { numServers, firstServer, sizeMbit, activeTasks } = state;
    const workload = this.#workloadMbit;
    const localLeftMbit = positive(state.backlogMbit - p.localServiceMbit);
    for (let k = 0; k < options.numSamples; k++) {
      const futureMbit = this.#futureMbit[k];
      let cheapest = localCostSlots(futureMbit, localLeftMbit, p);
      let cheapestAction = 0;
      let secondCheapest = Number.POSITIVE_INFINITY;
      for (let e = 0; e < numServers; e++) {
        const cost = this.#edgeCostSlots(state, p, e, k, workload[e], activeTasks[firstServer + e]);
        if (cost < cheapest) {
          secondCheapest = cheapest;
          cheapest = cost;
          cheapestAction = e + 1;
        } else if (cost < secondCheapest) {
          secondCheapest = cost;
        }
      }
      for (let i = 0; i < count; i++) {
        const action = actions === undefined ? i : actions[i];
        const e = action - 1;
        const changed =
          action === 0
            ? localCostSlots(futureMbit, localLeftMbit + sizeMbit, p)
            : this.#edgeCostSlots(state, p, e, k, workload[e] + sizeMbit, activeTasks[firstServer + e] + 1);
        const unchanged = action === cheapestAction ? secondCheapest : cheapest;
        out.impactSlots[i] += changed < unchanged ? changed : unchanged;
      }
    }
  }

  /**
   * Plays the K tasks one after another, after `action`: each goes where it is cheapest, then a slot drains the queues.
   */
  #sumSequential(state: DecisionState, p: Parameters, options: LookAheadOptions, action: number): number {
    const { numServers, firstServer, sizeMbit } = state;
    const workload = this.#virtualWorkloadMbit;
    const tasks = this.#tasks;
    for (let e = 0; e < numServers; e++) {
      workload[e] = this.#workloadMbit[e];
      tasks[e] = state.activeTasks[firstServer + e];
    }
    let localMbit = positive(state.backlogMbit - p.localServiceMbit);
    if (action === 0) localMbit += sizeMbit;
    else {
      workload[action - 1] += sizeMbit;
      tasks[action - 1] += 1;
    }
    let sum = 0;
    for (let k = 0; k < options.numSamples; k++) {
      const futureMbit = this.#futureMbit[k];
      let cheapest = localCostSlots(futureMbit, localMbit, p);
      let chosen = 0;
      for (let e = 0; e < numServers; e++) {
        const cost = this.#edgeCostSlots(state, p, e, k, workload[e], tasks[e]);
        if (cost < cheapest) {
          cheapest = cost;
          chosen = e + 1;
        }
      }
      sum += cheapest;
      if (k + 1 === options.numSamples) break;
      for (let e = 0; e < numServers; e++)
        workload[e] = drained(workload[e], tasks[e], state.cpuGHz[firstServer + e], p);
      localMbit = positive(localMbit - p.localServiceMbit);
      if (chosen === 0) localMbit += futureMbit;
      else {
        workload[chosen - 1] += futureMbit;
        tasks[chosen - 1] += 1;
      }
    }
    return sum;
  }

  /** Draws the sizes (eq. 23) and rates of the K future tasks. All actions of the state face the same tasks. */
  #drawFutures(state: DecisionState, p: Parameters, options: LookAheadOptions): void {
    const { futureKey0, futureKey1, decisionIndex, numServers, firstServer } = state;
    const { numSamples, rates } = options;
    const { min, max } = options.sizeFactor;
    const length = numSamples * numServers;
    if (this.#futureMbit.length < numSamples) this.#futureMbit = new Float64Array(numSamples);
    if (this.#futureRateMbps.length < length) this.#futureRateMbps = new Float64Array(length);
    for (let k = 0, at = 0; k < numSamples; k++, at += numServers) {
      const u = futureUniform(futureKey0, futureKey1, decisionIndex, k, 0);
      this.#futureMbit[k] = state.sizeMbit * (min + (max - min) * u);
      if (rates === "frozen") {
        for (let e = 0; e < numServers; e++) this.#futureRateMbps[at + e] = state.rateMbps[firstServer + e];
        continue;
      }
      for (let e = 0; e < numServers; e++) {
        this.#rateMbps[e] = futureUniform(futureKey0, futureKey1, decisionIndex, k, e + 1);
      }
      ratesOfUniforms(this.#rateMbps, numServers, p);
      for (let e = 0; e < numServers; e++) {
        // an absent server keeps the rate 0, so its cost is infinite
        this.#futureRateMbps[at + e] = state.rateMbps[firstServer + e] === 0 ? 0 : this.#rateMbps[e];
      }
    }
  }

  /** J of future task k at server e with this much work and this many tasks. */
  #edgeCostSlots(
    state: DecisionState,
    p: Parameters,
    e: number,
    k: number,
    workloadMbit: number,
    tasks: number,
  ): number {
    const latency = edgeLatencySlots(
      this.#futureMbit[k],
      this.#futureRateMbps[k * state.numServers + e],
      workloadMbit,
      tasks,
      state.cpuGHz[state.firstServer + e],
      p.densityGcyclesPerMbit,
      p.slotSeconds,
    );
    return costOfLatency(latency, p.deadlineSlots, p.penaltySlots);
  }
}

/** A server's work after a slot: max(0, L − F·Δt/(γ·(N+1))) (eq. 9, 22), or without N+1 if work is conserved. */
function drained(workloadMbit: number, activeTasks: number, cpuGHz: number, p: Parameters): number {
  if (workloadMbit === 0) return 0; // true of most servers at most loads
  const work = cpuGHz * p.slotSeconds;
  const service = p.isSharedRate
    ? work / (p.densityGcyclesPerMbit * (activeTasks + 1))
    : work / p.densityGcyclesPerMbit;
  return positive(workloadMbit - service);
}

function positive(value: number): number {
  return value > 0 ? value : 0;
}
