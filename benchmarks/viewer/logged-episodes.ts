/** What a report hands to its episode viewer. */

import type { ScenarioInput } from "../../env/index.js";

/** A setting of a result with the logs of its first episodes. */
export interface LoggedSetting {
  /** The suite and the setting. */
  readonly title: string;
  /** The id of a frozen scenario, or the fields of another one. */
  readonly scenario: string | ScenarioInput;
  /** The scenario's content hash. */
  readonly hash: string;
  /** Seed of the first logged episode; the others follow. */
  readonly firstSeed: number;
  /** For each policy the actions of each logged episode. */
  readonly policies: readonly { readonly name: string; readonly actions: readonly (readonly number[])[] }[];
}
