/** Scores actions for recorded states: what a reward function of group-relative training asks for. */

import {
  allocateLookAhead,
  LookAhead,
  type LookAheadOptions,
  type LookAheadResult,
  resolveLookAheadOptions,
} from "../core/look-ahead.js";
import { deriveParameters } from "../core/parameters.js";
import { MecgymError } from "../errors.js";
import { resolveScenario, type ScenarioInput } from "../scenario/scenario.js";
import { checkSeed, isSeed } from "../scenario/seeds.js";
import { isObservedActionAvailable, type Observation } from "./observation.js";
import { decisionOfState } from "./recorded-states.js";

/** A state, and the episode it was met in, on which its futures hang. */
export interface ScoredState {
  readonly episodeSeed: number;
  readonly state: Observation;
}

/** One entry for each action, in their order; slots. */
export interface Scores {
  /** Action that is charged: the one asked for, or the costliest there is where that one is not available. */
  readonly chargedAction: Int32Array;
  /** 1 where the action asked for is not available in its state. */
  readonly isInvalid: Uint8Array;
  /** C (eq. 8). */
  readonly latencySlots: Float64Array;
  /** J (eq. 11). */
  readonly costSlots: Float64Array;
  /** C_impact (eq. 25). */
  readonly impactSlots: Float64Array;
  /** r = −(J + λ·C_impact) (eq. 26). */
  readonly reward: Float64Array;
  /** J of the cheapest action of the state (eq. 31): costSlots less this is the regret. */
  readonly cheapestCostSlots: Float64Array;
}

/**
 * J, C_impact and r of actions in recorded states (eq. 8, 11, 22-26). Needs no episode, and keeps nothing: the same call
 * gives the same bits, and all actions of one state face the same futures.
 *
 * @param stateOfAction index in `states` of the state each action answers; action i answers state i where left out
 * @param options the scenario's own look-ahead settings where left out
 * @throws MecgymError `invalidOption`, `invalidSeed`, `invalidAction` for an action that is no 32-bit integer,
 *   `unknownScenario`, `invalidScenario`; nothing is scored
 */
export function score(
  scenario: string | ScenarioInput,
  states: readonly ScoredState[],
  actions: ArrayLike<number>,
  stateOfAction?: ArrayLike<number>,
  options?: Partial<LookAheadOptions>,
): Scores {
  const resolved = resolveScenario(scenario);
  const settings = resolveLookAheadOptions(resolved.lookAhead, options);
  checkCall(states, actions, stateOfAction);
  const count = actions.length;
  const scores: Scores = {
    chargedAction: new Int32Array(count),
    isInvalid: new Uint8Array(count),
    latencySlots: new Float64Array(count),
    costSlots: new Float64Array(count),
    impactSlots: new Float64Array(count),
    reward: new Float64Array(count),
    cheapestCostSlots: new Float64Array(count),
  };
  const parameters = deriveParameters(resolved);
  const widest = states.reduce((most, { state }) => Math.max(most, state.numServers), 1);
  const lookAhead = new LookAhead(widest);
  const result = allocateLookAhead(widest);
  const { first, next } = groupByState(states.length, count, stateOfAction);
  for (let index = 0; index < states.length; index++) {
    if (first[index] < 0) continue;
    // most states are asked for by a whole group: their look-ahead is made once
    const { state, episodeSeed } = states[index];
    lookAhead.evaluate(decisionOfState(episodeSeed, state), parameters, settings, result);
    const cheapestCost = result.costSlots[extreme(state, result, -1)];
    const costliest = extreme(state, result, 1);
    for (let i = first[index]; i >= 0; i = next[i]) {
      const isInvalid = !isObservedActionAvailable(state, actions[i]);
      const action = isInvalid ? costliest : actions[i];
      scores.chargedAction[i] = action;
      scores.isInvalid[i] = isInvalid ? 1 : 0;
      scores.latencySlots[i] = result.latencySlots[action];
      scores.costSlots[i] = result.costSlots[action];
      scores.impactSlots[i] = result.impactSlots[action];
      scores.reward[i] = result.reward[action];
      scores.cheapestCostSlots[i] = cheapestCost;
    }
  }
  return scores;
}

/** The actions of each state as a chain: `first` of each state, and the `next` of each action; −1 ends it. */
function groupByState(
  numStates: number,
  count: number,
  stateOfAction: ArrayLike<number> | undefined,
): { first: Int32Array; next: Int32Array } {
  const first = new Int32Array(numStates).fill(-1);
  const next = new Int32Array(count);
  for (let i = count - 1; i >= 0; i--) {
    const index = stateOfAction === undefined ? i : stateOfAction[i];
    next[i] = first[index];
    first[index] = i;
  }
  return { first, next };
}

/** The available action of the largest (sign 1) or smallest (−1) cost, ties to the lowest index. */
function extreme(state: Observation, { costSlots }: LookAheadResult, sign: 1 | -1): number {
  let best = 0;
  for (let action = 1; action <= state.numServers; action++) {
    if (isObservedActionAvailable(state, action) && sign * costSlots[action] > sign * costSlots[best]) best = action;
  }
  return best;
}

function checkCall(
  states: readonly ScoredState[],
  actions: ArrayLike<number>,
  stateOfAction: ArrayLike<number> | undefined,
): void {
  const numExpected = stateOfAction === undefined ? states.length : stateOfAction.length;
  if (actions.length !== numExpected) {
    const expected = `${numExpected}, one for each ${stateOfAction === undefined ? "state" : "entry of stateOfAction"}`;
    throw new MecgymError("invalidOption", { path: "actions", got: `${actions.length} values`, expected });
  }
  for (let i = 0; i < states.length; i++) {
    const { episodeSeed } = states[i];
    if (!isSeed(episodeSeed)) checkSeed(episodeSeed, `states/${i}/episodeSeed`);
  }
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    if ((action | 0) !== action) {
      const expected = "an integer of 32 bits";
      throw new MecgymError("invalidAction", { path: `actions/${i}`, got: action, expected });
    }
    const index = stateOfAction === undefined ? i : stateOfAction[i];
    if (Number.isInteger(index) && index >= 0 && index < states.length) continue;
    const expected = `an index from 0 to ${states.length - 1}`;
    throw new MecgymError("invalidOption", { path: `stateOfAction/${i}`, got: index, expected });
  }
}
