/** What was tuned for each frozen scenario on its validation seeds: `manifest.json`, and how to look it up. */

import { resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import { adaptiveFeatures } from "./adaptive.js";
import manifest from "./manifest.json" with { type: "json" };

/** What `mecgym tune` found for one scenario. */
export interface Tuning {
  /** κ of the policy `priced`, slots for each active task (`mecgym tune priced`). */
  readonly tollSlots: number;
  /** Name of the best native policy that sees nothing of the future (`mecgym tune reference`). */
  readonly reference: string;
  /** The candidates it was chosen from, with [average latency, low, high] on the validation seeds they played, slots. */
  readonly chosenFrom?: {
    readonly firstSeed: number;
    readonly episodes: number;
    readonly averageLatencySlots: Readonly<Record<string, readonly number[]>>;
  };
}

/** The weights of the policy `adaptive`, one set for all scenarios (`mecgym tune adaptive`). */
export const adaptiveWeights: readonly number[] = adaptiveFeatures.map((name) => manifest.adaptive.weights[name]);

/** κ where nothing was tuned, slots. */
export const DEFAULT_TOLL_SLOTS = 1;

const tunings: Readonly<Record<string, Tuning>> = manifest.scenarios;
const byHash = new Map(Object.entries(tunings).map(([id, tuning]) => [scenarioHash(id), tuning]));
/** An episode asks for its tuning as it begins, and hashing a scenario takes longer than many an episode's step. */
const found = new WeakMap<Scenario, { readonly tuning: Tuning | undefined }>();

/** What was tuned for a scenario, or for one of the same content; undefined where nothing was. */
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
 * Name of a scenario's reference: the native policy that was best on its validation seeds, of those that see nothing of
 * the future. Undefined where none was chosen.
 */
export function referenceOf(scenario: string | Scenario): string | undefined {
  return tuningOf(resolveScenario(scenario))?.reference;
}
