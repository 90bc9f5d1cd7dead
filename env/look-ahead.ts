/** LACS, the look-ahead of eq. 22-26: what each action costs now, and what it leaves for the tasks that may follow. */

import { checkNames, MecgymError } from "./errors.js";
import { ratesOfUniforms } from "./fading.js";
import { costOfLatency, edgeLatencySlots, type Lanes, localLatencySlots } from "./kernel.js";
import { isServerAvailable, type Observation } from "./observation.js";
import { deriveParameters, type Parameters } from "./parameters.js";
import { futureUniform, seedFutureKeys } from "./random.js";
import type { Scenario } from "./scenario.js";

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

/**
 * One value for each action 0…E, in slots. For an absent server C and J are Infinity and r is −Infinity; C_impact is
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

/**
 * A scenario's settings with those of `options` in their place; what is undefined there is left as it is.
 *
 * @throws MecgymError `invalidOption` for an unknown name, or a value outside the bounds of the scenario schema
 */
export function resolveLookAheadOptions(
  own: LookAheadOptions,
  options: Partial<LookAheadOptions> | undefined,
): LookAheadOptions {
  if (options === undefined) return own;
  checkNames(options, optionNames, "lookAhead");
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

/** Room for the virtual state ŝ; the entries are servers 0…E−1. */
export class LookAhead {
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

  /** Fills `out` with C, J, C_impact and r of every action of `state`. Asking twice gives the same bits. */
  evaluate(state: DecisionState, p: Parameters, options: LookAheadOptions, out: LookAheadResult): void {
    const { numServers, firstServer, sizeMbit, backlogMbit } = state;
    out.latencySlots[0] = localLatencySlots(
      sizeMbit,
      backlogMbit,
      p.localCpuGHz,
      p.densityGcyclesPerMbit,
      p.slotSeconds,
    );
    for (let e = 0; e < numServers; e++) {
      const i = firstServer + e;
      const workload = state.workloadMbit[i];
      const tasks = state.activeTasks[i];
      const cpu = state.cpuGHz[i];
      out.latencySlots[e + 1] = edgeLatencySlots(
        sizeMbit,
        state.rateMbps[i],
        workload,
        tasks,
        cpu,
        p.densityGcyclesPerMbit,
        p.slotSeconds,
      );
      this.#workloadMbit[e] = drained(workload, tasks, cpu, p); // eq. 22 before the task is added
    }
    for (let action = 0; action <= numServers; action++) {
      out.costSlots[action] = costOfLatency(out.latencySlots[action], p.deadlineSlots, p.penaltySlots);
      out.impactSlots[action] = 0;
    }
    if (options.mode === "independent") this.#addIndependent(state, p, options, out);
    else for (let a = 0; a <= numServers; a++) out.impactSlots[a] = this.#sumSequential(state, p, options, a);
    for (let action = 0; action <= numServers; action++) {
      out.impactSlots[action] /= options.numSamples; // eq. 25
      out.reward[action] = -(out.costSlots[action] + options.weight * out.impactSlots[action]); // eq. 26
    }
  }

  /**
   * Eq. 24 for all candidates at once. The virtual states of two candidates differ at the two servers they chose alone,
   * so the cheapest and second cheapest of the common state, and the changed server, give every minimum.
   */
  #addIndependent(state: DecisionState, p: Parameters, options: LookAheadOptions, out: LookAheadResult): void {
    const { numServers, firstServer, sizeMbit } = state;
    const localLeftMbit = positive(state.backlogMbit - p.localServiceMbit);
    for (let k = 0; k < options.numSamples; k++) {
      const futureMbit = this.#drawFuture(state, p, options, k);
      const localCost = localCostSlots(futureMbit, localLeftMbit, p);
      let cheapest = localCost;
      let cheapestAction = 0;
      let secondCheapest = Number.POSITIVE_INFINITY;
      for (let e = 0; e < numServers; e++) {
        const cost = this.#edgeCostSlots(
          state,
          p,
          e,
          futureMbit,
          this.#workloadMbit[e],
          state.activeTasks[firstServer + e],
        );
        if (cost < cheapest) {
          secondCheapest = cheapest;
          cheapest = cost;
          cheapestAction = e + 1;
        } else if (cost < secondCheapest) {
          secondCheapest = cost;
        }
      }
      for (let action = 0; action <= numServers; action++) {
        const e = action - 1;
        const changed =
          action === 0
            ? localCostSlots(futureMbit, localLeftMbit + sizeMbit, p)
            : this.#edgeCostSlots(
                state,
                p,
                e,
                futureMbit,
                this.#workloadMbit[e] + sizeMbit,
                state.activeTasks[firstServer + e] + 1,
              );
        const unchanged = action === cheapestAction ? secondCheapest : cheapest;
        out.impactSlots[action] += changed < unchanged ? changed : unchanged;
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
      const futureMbit = this.#drawFuture(state, p, options, k);
      let cheapest = localCostSlots(futureMbit, localMbit, p);
      let chosen = 0;
      for (let e = 0; e < numServers; e++) {
        const cost = this.#edgeCostSlots(state, p, e, futureMbit, workload[e], tasks[e]);
        if (cost < cheapest) {
          cheapest = cost;
          chosen = e + 1;
        }
      }
      sum += cheapest;
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

  /** Size of future task k in Mbit (eq. 23); its rates are left in `#rateMbps`. */
  #drawFuture(state: DecisionState, p: Parameters, options: LookAheadOptions, k: number): number {
    const { futureKey0, futureKey1, decisionIndex, numServers, firstServer } = state;
    const { min, max } = options.sizeFactor;
    const u = futureUniform(futureKey0, futureKey1, decisionIndex, k, 0);
    for (let e = 0; e < numServers; e++) {
      if (options.rates === "frozen") {
        this.#rateMbps[e] = state.rateMbps[firstServer + e];
        continue;
      }
      this.#rateMbps[e] = futureUniform(futureKey0, futureKey1, decisionIndex, k, e + 1);
    }
    if (options.rates === "resampled") {
      ratesOfUniforms(this.#rateMbps, numServers, p);
      // an absent server stays out: its rate is 0, which makes it infinitely dear
      for (let e = 0; e < numServers; e++) if (state.rateMbps[firstServer + e] === 0) this.#rateMbps[e] = 0;
    }
    return state.sizeMbit * (min + (max - min) * u);
  }

  #edgeCostSlots(
    state: DecisionState,
    p: Parameters,
    e: number,
    futureMbit: number,
    workloadMbit: number,
    tasks: number,
  ): number {
    const latency = edgeLatencySlots(
      futureMbit,
      this.#rateMbps[e],
      workloadMbit,
      tasks,
      state.cpuGHz[state.firstServer + e],
      p.densityGcyclesPerMbit,
      p.slotSeconds,
    );
    return costOfLatency(latency, p.deadlineSlots, p.penaltySlots);
  }
}

function localCostSlots(sizeMbit: number, backlogMbit: number, p: Parameters): number {
  const latency = localLatencySlots(sizeMbit, backlogMbit, p.localCpuGHz, p.densityGcyclesPerMbit, p.slotSeconds);
  return costOfLatency(latency, p.deadlineSlots, p.penaltySlots);
}

/** What a slot leaves of a server's work: max(0, L − F·Δt/(γ·(N+1))), or without N+1 where work is conserved. */
function drained(workloadMbit: number, activeTasks: number, cpuGHz: number, p: Parameters): number {
  const work = cpuGHz * p.slotSeconds;
  const service = p.isSharedRate
    ? work / (p.densityGcyclesPerMbit * (activeTasks + 1))
    : work / p.densityGcyclesPerMbit;
  return positive(workloadMbit - service);
}

function positive(value: number): number {
  return value > 0 ? value : 0;
}

/**
 * The look-ahead of a recorded state: what `BatchEnv.lookAhead` gave where it was recorded.
 *
 * @param episodeSeed seed of the episode the state was recorded in; its futures hang on it
 * @throws MecgymError `invalidOption`
 */
export function lookAheadOfState(
  scenario: Scenario,
  episodeSeed: number,
  state: Observation,
  options?: Partial<LookAheadOptions>,
): LookAheadResult {
  const settings = resolveLookAheadOptions(scenario.lookAhead, options);
  const out = allocateLookAhead(state.numServers);
  const decision = decisionOfState(episodeSeed, state);
  new LookAhead(state.numServers).evaluate(decision, deriveParameters(scenario), settings, out);
  return out;
}

/** A recorded state as a look-ahead takes it. */
export function decisionOfState(episodeSeed: number, state: Observation): DecisionState {
  seedFutureKeys(episodeSeed, recordedKeys, 0);
  return {
    sizeMbit: state.sizeMbit,
    backlogMbit: state.localBacklogMbit,
    numServers: state.numServers,
    firstServer: 0,
    rateMbps:
      state.isAvailable === undefined
        ? state.rateMbps
        : Array.from(state.rateMbps, (rate, e) => (isServerAvailable(state, e) ? rate : 0)),
    cpuGHz: state.cpuGHz,
    activeTasks: state.activeTasks,
    workloadMbit: state.workloadMbit,
    futureKey0: recordedKeys[0],
    futureKey1: recordedKeys[1],
    decisionIndex: state.decisionIndex,
  };
}

const recordedKeys = new Int32Array(2);

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
