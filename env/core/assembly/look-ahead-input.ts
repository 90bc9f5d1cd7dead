/** What a host can ask of a look-ahead in place of a scenario's own settings. */

import { Scenario } from "./scenario";

@unmanaged
export class LookAheadInput {
  /** K. */
  numSamples: i32;
  /** 1 if future tasks come one after another, 0 if they are alternatives at the next step. */
  isSequential: i32;
  /** 1 if their rates are drawn again, 0 if they are as now. */
  isResampled: i32;
  reserved: i32;
  /** λ. */
  weight: f64;
  minSizeFactor: f64;
  maxSizeFactor: f64;
}
export const LOOK_AHEAD_INPUT: usize = memory.data(offsetof<LookAheadInput>(), 8);

/** Writes a scenario's own settings. */
export function loadLookAhead(scenario: Scenario): void {
  const input = changetype<LookAheadInput>(LOOK_AHEAD_INPUT);
  input.numSamples = scenario.numSamples;
  input.isSequential = scenario.isSequential ? 1 : 0;
  input.isResampled = scenario.isResampled ? 1 : 0;
  input.weight = scenario.weight;
  input.minSizeFactor = scenario.minSizeFactor;
  input.maxSizeFactor = scenario.maxSizeFactor;
}
