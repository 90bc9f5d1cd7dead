/** Scores actions in recorded states, as a reward function of group-relative training needs it. */

import { checkOption, isIntegerIn } from "../checks.js";
import { MecgymError } from "../errors.js";
import { resolveScenario, type ScenarioInput } from "../scenario/scenario.js";
import { checkSeed, isSeed } from "../scenario/seeds.js";
import { cheapestOf, costliestOf } from "./action-costs.js";
import { allocateLookAhead } from "./look-ahead.js";
import { type LookAheadOptions, resolveLookAheadOptions } from "./look-ahead-options.js";
import { isObservedActionAvailable, type Observation } from "./observation.js";
import { recordedLookAhead } from "./recorded-states.js";

/** A state and the seed of its episode, on which its futures depend. */
export interface ScoredState {
  readonly episodeSeed: number;
  readonly state: Observation;
}

/** One entry for each action, in order; slots. */
export interface Scores {
  /** Action that is charged: the one asked for, or the costliest one if that is not available. */
  readonly chargedAction: Int32Array;
  /** 1 if the action asked for is not available in its state. */
  readonly isInvalid: Uint8Array;
  /** C (eq. 8). */
  readonly latencySlots: Float64Array;
  /** J (eq. 11). */
  readonly costSlots: Float64Array;
  /** C_impact (eq. 25). */
  readonly impactSlots: Float64Array;
  /** r = −(J + λ·C_impact) (eq. 26). */
  readonly reward: Float64Array;
  /** J of the cheapest action in the state (eq. 31): costSlots minus this is the regret. */
  readonly cheapestCostSlots: Float64Array;
}

/**
 * J, C_impact and r of actions in recorded states (eq. 8, 11, 22-26). A pure function that needs no episode; all
 * actions of one state face the same futures.
 *
 * @param stateOfAction index in `states` of the state of each action; by default action i answers state i
 * @param options look-ahead settings; the scenario's own by default
 * @throws MecgymError `invalidOption`, `invalidSeed`, `invalidAction` for an action that is not a 32-bit integer,
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
  const widest = states.reduce((most, { state }) => Math.max(most, state.numServers), 1);
  const lookAhead = recordedLookAhead(resolved, widest);
  const result = allocateLookAhead(widest);
  const { first, next } = groupByState(states.length, count, stateOfAction);
  for (let index = 0; index < states.length; index++) {
    if (first[index] < 0) continue;
    // most states have a whole group of actions: their look-ahead is evaluated once
    const { state, episodeSeed } = states[index];
    lookAhead.evaluate(episodeSeed, state, settings, result);
    const cheapestCost = result.costSlots[cheapestOf(result.costSlots, state.numServers)];
    const costliest = costliestOf(result.costSlots, state);
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

/** Links the actions of each state: `first` of each state, `next` of each action; −1 ends a chain. */
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

function checkCall(
  states: readonly ScoredState[],
  actions: ArrayLike<number>,
  stateOfAction: ArrayLike<number> | undefined,
): void {
  const numExpected = stateOfAction === undefined ? states.length : stateOfAction.length;
  const each = stateOfAction === undefined ? "state" : "entry of stateOfAction";
  const isComplete = actions.length === numExpected;
  checkOption(isComplete, "actions", `${actions.length} values`, `${numExpected}, one for each ${each}`);
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
    if (isIntegerIn(index, 0, states.length - 1)) continue;
    checkOption(false, `stateOfAction/${i}`, index, `an index from 0 to ${states.length - 1}`);
  }
}
