/** The look-ahead of recorded states: what a batch gave when they were recorded. */

import { maxServersOf, type Scenario } from "../scenario/scenario.js";
import { Lanes } from "./lanes.js";
import { allocateLookAhead, type LookAheadResult, writeLookAheadOptions } from "./look-ahead.js";
import { type LookAheadOptions, resolveLookAheadOptions } from "./look-ahead-options.js";
import { isServerAvailable, type Observation } from "./observation.js";
import { resolveBatchOptions } from "./options.js";

/**
 * The look-ahead of a recorded state: what `BatchEnv.lookAhead` gave when it was recorded.
 *
 * @param episodeSeed seed of the episode in which the state was recorded; its futures depend on it
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
  recordedLookAhead(scenario, state.numServers).evaluate(episodeSeed, state, settings, out);
  return out;
}

/** Evaluates recorded states of one scenario, in a batch of the core that never plays. */
export class RecordedLookAhead {
  readonly maxServers: number;
  readonly #lanes: Lanes;

  /** Makes room for states of up to `numServers` servers. */
  constructor(scenario: Scenario, numServers: number) {
    this.maxServers = Math.max(numServers, maxServersOf(scenario));
    this.#lanes = new Lanes(resolveBatchOptions({ scenarios: [scenario], numLanes: 1, maxServers: this.maxServers }));
  }

  /** Fills `out` with C, J, C_impact and r of all actions. */
  evaluate(episodeSeed: number, state: Observation, settings: LookAheadOptions, out: LookAheadResult): void {
    const { core, decision } = this.#lanes;
    const { numServers } = state;
    decision.episodeSeed[0] = episodeSeed;
    decision.sizeMbit[0] = state.sizeMbit;
    decision.backlogMbit[0] = state.localBacklogMbit;
    decision.decisionIndex[0] = state.decisionIndex;
    decision.numServers[0] = numServers;
    const { rateMbps, cpuGHz, workloadMbit, activeTasks } = state;
    for (let e = 0; e < numServers; e++) {
      decision.rateMbps[e] = isServerAvailable(state, e) ? rateMbps[e] : 0;
      decision.cpuGHz[e] = cpuGHz[e];
      decision.workloadMbit[e] = workloadMbit[e];
      decision.activeTasks[e] = activeTasks[e];
    }
    writeLookAheadOptions(core, settings);
    const status = core.calls.lookAheadOfState(0, 0, -1);
    if (status < 0) throw new Error(`the core refuses a state: ${JSON.stringify(core.failure)}`);
    for (const name of ["latencySlots", "costSlots", "impactSlots", "reward"] as const) {
      const values = core.view(`lookAhead.${name}`);
      for (let i = 0; i <= numServers; i++) out[name][i] = values[i];
    }
  }
}

/** What was made for the scenarios that were asked for. */
const made = new WeakMap<Scenario, RecordedLookAhead>();

/** Look-aheads of a scenario's recorded states, with room for `numServers` servers. */
export function recordedLookAhead(scenario: Scenario, numServers: number): RecordedLookAhead {
  const known = made.get(scenario);
  if (known !== undefined && known.maxServers >= numServers) return known;
  const one = new RecordedLookAhead(scenario, numServers);
  made.set(scenario, one);
  return one;
}
