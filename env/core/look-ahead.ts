/** LACS, the look-ahead of eq. 22-26: what each action costs now, and what it leaves for the tasks that may follow. */

import { checkNames, MecgymError } from "../errors.js";
import { futureUniform } from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import { ratesOfUniforms } from "./fading.js";
import { costOfLatency, edgeLatencySlots, type Lanes, localLatencySlots } from "./kernel.js";
import type { Parameters } from "./parameters.js";

export interface LookAheadOptions {
  /** K: future tasks. */
  readonly numSamples: number;
  /** λ: weight of the future in the reward. */
  readonly weight: number;
  /** Future sizes are uniform on [min, max] times the current task's. */
  readonly sizeFactor: { readonly min: number; readonly max: number };
  /** K alternatives at the next step (eq. 24, 25), or K tasks one after another, a slot apart. */
  readonly mode: Scenario["lookAhead"]["mode"];
  /** Rates of the future tasks: as now, or drawn anew. */
  readonly rates: Scenario["lookAhead"]["rates"];
}

/** What is asked of a look-ahead: other settings than the scenario's own, and the actions that are of interest. */
export interface LookAheadRequest extends Partial<LookAheadOptions> {
  /** Actions in {0, …, E}, in any order; all of them where left out. */
  readonly actions?: ArrayLike<number>;
}

/**
 * One value for each action 0…E, or for each of those asked for, in slots. For an absent server C and J are Infinity and r is −Infinity; C_impact is
 * what is left where the task is nowhere.
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

/** The state a look-ahead starts from: rows of typed arrays, so that a lane and a recorded state look alike. */
export interface DecisionState {
  sizeMbit: number;
  backlogMbit: number;
  numServers: number;
  /** Where the servers' rows begin in the arrays below. */
  firstServer: number;
  /** 0 for an absent server. */
  rateMbps: ArrayLike<number>;
  cpuGHz: ArrayLike<number>;
  activeTasks: ArrayLike<number>;
  workloadMbit: ArrayLike<number>;
  futureKey0: number;
  futureKey1: number;
  decisionIndex: number;
}

const optionNames = ["numSamples", "weight", "sizeFactor", "mode", "rates"] as const;
/** What a request may hold. */
export const lookAheadRequestNames: readonly (keyof LookAheadRequest)[] = [...optionNames, "actions"];

/**
 * A scenario's settings with those of `options` in their place; what is undefined there is left as it is.
 *
 * @param names what `options` may hold besides
 * @throws MecgymError `invalidOption` for an unknown name, or a value outside the bounds of the scenario schema
 */
export function resolveLookAheadOptions(
  own: LookAheadOptions,
  options: Partial<LookAheadOptions> | undefined,
  names: readonly string[] = optionNames,
): LookAheadOptions {
  if (options === undefined) return own;
  checkNames(options, names, "lookAhead");
  const settings: Record<string, unknown> = { ...own };
  for (const name of optionNames) if (options[name] !== undefined) settings[name] = options[name];
  checkLookAheadOptions(settings as unknown as LookAheadOptions);
  return settings as unknown as LookAheadOptions;
}

function checkLookAheadOptions({ numSamples, weight, sizeFactor, mode, rates }: LookAheadOptions): void {
  const check = (isRight: boolean, path: string, got: unknown, expected: string) => {
    if (!isRight) throw new MecgymError("invalidOption", { path: `lookAhead/${path}`, got, expected });
  };
  const isIn = (value: unknown, min: number, max: number) => typeof value === "number" && value >= min && value <= max;
  const isCount = Number.isInteger(numSamples) && isIn(numSamples, 1, 64);
  check(isCount, "numSamples", numSamples, "an integer from 1 to 64");
  check(isIn(weight, 0, 1000), "weight", weight, "a number from 0 to 1000");
  const isRange =
    typeof sizeFactor === "object" &&
    sizeFactor !== null &&
    isIn(sizeFactor.min, 0.001, 1000) &&
    isIn(sizeFactor.max, sizeFactor.min, 1000);
  check(isRange, "sizeFactor", sizeFactor, "{min, max} with 0.001 ≤ min ≤ max ≤ 1000");
  check(mode === "independent" || mode === "sequential", "mode", mode, "independent or sequential");
  check(rates === "frozen" || rates === "resampled", "rates", rates, "frozen or resampled");
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

/**
 * Checks which actions a look-ahead is asked for.
 *
 * @throws MecgymError `invalidOption`, or `invalidAction` for one outside {0, …, E}
 */
export function checkLookAheadActions(actions: ArrayLike<number>, numServers: number): void {
  const { length } = actions;
  if (!Number.isInteger(length)) {
    const expected = "a list of actions";
    throw new MecgymError("invalidOption", { path: "lookAhead/actions", got: actions, expected });
  }
  for (let i = 0; i < length; i++) {
    const action = actions[i];
    if (Number.isInteger(action) && action >= 0 && action <= numServers) continue;
    const expected = `an integer from 0 (local) to ${numServers} (server ${numServers})`;
    throw new MecgymError("invalidAction", { path: `lookAhead/actions/${i}`, got: action, expected });
  }
}

/** Room for the virtual state ŝ; the entries are servers 0…E−1. */
export class LookAhead {
  /** δ_k of the future tasks, and their rates, E for each. */
  #futureMbit = new Float64Array(0);
  #futureRateMbps = new Float64Array(0);
  readonly #workloadMbit: Float64Array;
  readonly #rateMbps: Float64Array;
  readonly #tasks: Float64Array;
  readonly #virtualWorkloadMbit: Float64Array;

  /** Room for states of up to `maxServers` servers. */
  constructor(maxServers: number) {
    this.#workloadMbit = new Float64Array(maxServers);
    this.#rateMbps = new Float64Array(maxServers);
    this.#tasks = new Float64Array(maxServers);
    this.#virtualWorkloadMbit = new Float64Array(maxServers);
  }

  /**
   * Fills `out` with C, J, C_impact and r of actions of `state`. Asking twice gives the same bits.
   *
   * @param actions those asked for, in the order of `out`; all where left out
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
      out.latencySlots[i] = latencySlotsOf(state, p, action);
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
   * Eq. 24 for all candidates at once. The virtual states of two candidates differ at the two servers they chose alone,
   * so the cheapest and second cheapest of the common state, and the changed server, give every minimum.
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

  /** The K tasks one after another after `action`: each goes where it is cheapest, then a slot drains the queues. */
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

  /** Draws the K future tasks: their sizes (eq. 23) and rates. All actions of the state face the same ones. */
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
        // an absent server stays out: its rate is 0, which makes it infinitely dear
        this.#futureRateMbps[at + e] = state.rateMbps[firstServer + e] === 0 ? 0 : this.#rateMbps[e];
      }
    }
  }

  /** J of future task k at server e with so much work and so many tasks. */
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

/** C of an action for the current task (eq. 8). */
function latencySlotsOf(state: DecisionState, p: Parameters, action: number): number {
  const { sizeMbit, backlogMbit, firstServer } = state;
  const { densityGcyclesPerMbit, slotSeconds } = p;
  if (action === 0) return localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, densityGcyclesPerMbit, slotSeconds);
  const i = firstServer + action - 1;
  return edgeLatencySlots(
    sizeMbit,
    state.rateMbps[i],
    state.workloadMbit[i],
    state.activeTasks[i],
    state.cpuGHz[i],
    densityGcyclesPerMbit,
    slotSeconds,
  );
}

function localCostSlots(sizeMbit: number, backlogMbit: number, p: Parameters): number {
  const latency = localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, p.densityGcyclesPerMbit, p.slotSeconds);
  return costOfLatency(latency, p.deadlineSlots, p.penaltySlots);
}

/** What a slot leaves of a server's work: max(0, L − F·Δt/(γ·(N+1))), or without N+1 where work is conserved. */
function drained(workloadMbit: number, activeTasks: number, cpuGHz: number, p: Parameters): number {
  if (workloadMbit === 0) return 0; // most servers, at most loads
  const work = cpuGHz * p.slotSeconds;
  const service = p.isSharedRate
    ? work / (p.densityGcyclesPerMbit * (activeTasks + 1))
    : work / p.densityGcyclesPerMbit;
  return positive(workloadMbit - service);
}

function positive(value: number): number {
  return value > 0 ? value : 0;
}

/** Points `state` at a lane's current decision. */
export function readDecision(lanes: Lanes, lane: number, state: DecisionState): void {
  const { arrays, size } = lanes;
  const user = lane * size.maxUsers + arrays.userIndex[lane];
  state.sizeMbit = arrays.sizeMbit[lane];
  state.backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
  state.numServers = arrays.numServers[lane];
  state.firstServer = lane * size.maxServers;
  state.rateMbps = arrays.rateMbps;
  state.cpuGHz = arrays.cpuGHz;
  state.activeTasks = arrays.activeTasks;
  state.workloadMbit = arrays.workloadMbit;
  state.futureKey0 = arrays.futureKeys[2 * lane];
  state.futureKey1 = arrays.futureKeys[2 * lane + 1];
  state.decisionIndex = arrays.decisionIndex[lane];
}
