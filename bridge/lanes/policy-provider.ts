/** Native policies as the bridge sees them. Whoever starts a server or one of its threads provides them. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import type { Scenario } from "../../env/scenario/scenario.js";

export interface PolicyProvider {
  /**
   * Rough cost of one decision in the dearest of these scenarios, in evaluations of an action.
   *
   * @throws MecgymError `unknownPolicy`
   */
  work(name: string, scenarios: readonly Scenario[]): number;
  /**
   * A policy for every lane of a batch. Each lane's policy starts fresh, at the lane's current decision and in every
   * new episode.
   *
   * @throws MecgymError `unknownPolicy`
   */
  player(name: string, env: BatchEnv): PolicyPlayer;
}

export interface PolicyPlayer {
  /** Writes an action for every lane that has a decision to make. */
  choose(actions: Int32Array): void;
}
