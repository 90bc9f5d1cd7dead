/** The look-ahead of recorded states: what a batch gave at the decision where they were recorded. */

import {
  allocateLookAhead,
  type DecisionState,
  LookAhead,
  type LookAheadOptions,
  type LookAheadResult,
  resolveLookAheadOptions,
} from "../core/look-ahead.js";
import { deriveParameters } from "../core/parameters.js";
import { seedFutureKeys } from "../random.js";
import type { Scenario } from "../scenario/scenario.js";
import { isServerAvailable, type Observation } from "./observation.js";

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
