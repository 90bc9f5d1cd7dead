/** Look-aheads (eq. 22-26) that the core evaluates: their results, and the settings it is told. */

import type { CoreModule } from "../core/module.js";
import type { LookAheadOptions } from "./look-ahead-options.js";

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

/** Writes settings for a look-ahead that does not take its scenario's own. */
export function writeLookAheadOptions(core: CoreModule, options: LookAheadOptions): void {
  core.set("lookAhead.numSamples", options.numSamples);
  core.set("lookAhead.weight", options.weight);
  core.set("lookAhead.minSizeFactor", options.sizeFactor.min);
  core.set("lookAhead.maxSizeFactor", options.sizeFactor.max);
  core.set("lookAhead.isSequential", options.mode === "sequential" ? 1 : 0);
  core.set("lookAhead.isResampled", options.rates === "resampled" ? 1 : 0);
}
