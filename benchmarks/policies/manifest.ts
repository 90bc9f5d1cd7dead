/** Looks up what was tuned for each frozen scenario on its validation seeds (`manifest.json`). */

import { resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import { adaptiveFeatures } from "./adaptive.js";
import manifest from "./manifest.json" with { type: "json" };

/** The results of `mecgym tune` for one scenario. */
export interface Tuning {
  /** κ of the policy `priced`, slots for each active task (`mecgym tune priced`). */
  readonly tollSlots: number;
  /** Name of the best native policy that does not see the future (`mecgym tune reference`). */
  readonly reference: string;
  /** The candidates, with [average latency, low, high] on the validation seeds that they played, slots. */
  readonly chosenFrom?: {
    readonly firstSeed: number;
    readonly episodes: number;
    readonly averageLatencySlots: Readonly<Record<string, readonly number[]>>;
  };
}

/** The weights of the policy `adaptive`, one set for all scenarios (`mecgym tune adaptive`). */
export const adaptiveWeights: readonly number[] = adaptiveFeatures.map((name) => manifest.adaptive.weights[name]);

/** κ of a scenario that was not tuned, slots. */
export const DEFAULT_TOLL_SLOTS = 1;

const tunings: Readonly<Record<string, Tuning>> = manifest.scenarios;
const byHash = new Map(Object.entries(tunings).map(([id, tuning]) => [scenarioHash(id), tuning]));
/** Kept because every episode asks at its start, and hashing a scenario takes longer than many steps. */
const found = new WeakMap<Scenario, { readonly tuning: Tuning | undefined }>();

/** The tuning of a scenario, or of one with the same content; undefined if there is none. */
export function tuningOf(scenario: Scenario): Tuning | undefined {
  let entry = found.get(scenario);
  if (entry === undefined) {
    entry = { tuning: byHash.get(scenarioHash(scenario)) };
    found.set(scenario, entry);
  }
  return entry.tuning;
}

/** κ of `priced` in a scenario, slots. */
export function tollSlotsOf(scenario: Scenario): number {
  return tuningOf(scenario)?.tollSlots ?? DEFAULT_TOLL_SLOTS;
}

/**
 * Name of a scenario's reference: the best native policy on its validation seeds among those that do not see the
 * future. Undefined if none was chosen.
 */
export function referenceOf(scenario: string | Scenario): string | undefined {
  return tuningOf(resolveScenario(scenario))?.reference;
}
