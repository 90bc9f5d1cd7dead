/** Native policies as the bridge sees them: whoever starts a server or one of its threads hands them in. */

import type { BatchEnv } from "../../env/batch/batch-env.js";

export interface PolicyBook {
  /**
   * Evaluations of an action that one decision takes, about.
   *
   * @throws MecgymError `unknownPolicy`
   */
  work(name: string): number;
  /**
   * A policy for every lane of a batch, each starting anew with the decision it meets and with every episode.
   *
   * @throws MecgymError `unknownPolicy`
   */
  player(name: string, env: BatchEnv): PolicyPlayer;
}

export interface PolicyPlayer {
  /** Writes the action of every lane that has a decision to take. */
  choose(actions: Int32Array): void;
}
