/** One episode at a time: an environment for one policy, over a batch of one lane. */

import { checkNames } from "../checks.js";
import { FLAG_LATE, FLAG_TRUNCATED } from "../core/flags.js";
import { MecgymError } from "../errors.js";
import type { Scenario, ScenarioInput } from "../scenario/scenario.js";
import { checkSeed, type Split } from "../scenario/seeds.js";
import { BatchEnv } from "./batch-env.js";
import { episodeStatsFields } from "./episode-stats.js";
import type { LookAheadResult } from "./look-ahead.js";
import type { LookAheadRequest } from "./look-ahead-options.js";
import { copyObservation, LaneView, type ObservationData } from "./observation.js";

export interface EnvOptions {
  /** Seed of the first episode; later resets without a seed follow from it. */
  readonly seed?: number;
  /** The split that resets without a seed draw from; train by default. */
  readonly split?: Split;
}

/** The outcome of a decision, and the next one to take. */
export interface Step {
  /** The decision to take now, as plain data that later steps do not change. */
  readonly observation: ObservationData;
  /** Action that was carried out; undefined after a reset. */
  readonly action: number | undefined;
  /** Reward, −costSlots (eq. 14); 0 after a reset. */
  readonly reward: number;
  /** Latency C (eq. 8), slots; 0 after a reset. */
  readonly latencySlots: number;
  /** Cost J (eq. 11), plus the penalty for each of `lostOnTimeTasks`, slots; 0 after a reset. */
  readonly costSlots: number;
  /** Tasks lost with servers that left since; 0 without churn. */
  readonly lostTasks: number;
  /** Those of them that were not late at their decision. */
  readonly lostOnTimeTasks: number;
  /** Whether C exceeds the deadline. */
  readonly isLate: boolean;
  /** Whether this was the episode's last decision. Episodes are truncated and never terminate. */
  readonly truncated: boolean;
}

/** What became of an episode's tasks; see docs/model.md, "What a decision turned out to cost". */
export type EpisodeStats = { readonly [F in (typeof episodeStatsFields)[number]]: number };

export class Env {
  readonly scenario: Scenario;
  readonly #batch: BatchEnv;
  readonly #view: LaneView;
  #firstSeed: number | undefined;

  constructor(scenario: string | ScenarioInput, options: EnvOptions = {}) {
    checkNames(options, ["seed", "split"], "options");
    if (options.seed !== undefined) checkSeed(options.seed, "seed");
    this.#batch = new BatchEnv({
      scenarios: [scenario],
      numLanes: 1,
      ...(options.split === undefined ? {} : { split: options.split }),
    });
    this.scenario = this.#batch.scenarios[0];
    this.#view = new LaneView(this.#batch.lanes, 0);
    this.#firstSeed = options.seed;
  }

  /**
   * Starts an episode: that of `seed` if given; else, once, that of the constructor's seed; else the next of the split.
   *
   * @throws MecgymError `invalidSeed`; the running episode is unchanged
   */
  reset(seed?: number): Step {
    if (seed !== undefined) checkSeed(seed, "seed");
    const episodeSeed = seed ?? this.#firstSeed;
    this.#batch.reset(episodeSeed === undefined ? undefined : [episodeSeed]);
    this.#firstSeed = undefined;
    return {
      observation: copyObservation(this.#view),
      action: undefined,
      reward: 0,
      latencySlots: 0,
      costSlots: 0,
      lostTasks: 0,
      lostOnTimeTasks: 0,
      isLate: false,
      truncated: false,
    };
  }

  /**
   * Carries out `action` for the current task: 0 runs it locally, e sends it to server e.
   *
   * @throws MecgymError `invalidAction`, `needsReset`; the episode is unchanged
   */
  step(action: number): Step {
    const batch = this.#batch;
    try {
      batch.step([action]);
    } catch (error) {
      // the batch names a place in its list of actions; here there is only one action
      if (!(error instanceof MecgymError)) throw error;
      const path = error.code === "invalidAction" ? "action" : "episode";
      throw new MecgymError(error.code, { path, got: error.got, expected: error.expected });
    }
    const flags = batch.flags[0];
    return {
      observation: copyObservation(this.#view),
      action: batch.executedAction[0],
      reward: batch.reward[0],
      latencySlots: batch.latencySlots[0],
      costSlots: batch.costSlots[0],
      lostTasks: batch.lostTasks[0],
      lostOnTimeTasks: batch.lostOnTimeTasks[0],
      isLate: (flags & FLAG_LATE) !== 0,
      truncated: (flags & FLAG_TRUNCATED) !== 0,
    };
  }

  /**
   * C, J, C_impact and r of all actions of the current decision, or of those asked for (eq. 22-26).
   *
   * @throws MecgymError `needsReset` before the first reset, `invalidOption`, `invalidAction`
   */
  lookAhead(request?: LookAheadRequest): LookAheadResult {
    return this.#batch.lookAhead(0, request);
  }

  /**
   * What became of the episode's tasks.
   *
   * @throws MecgymError `needsReset` unless the last step ended the episode
   */
  episodeStats(): EpisodeStats {
    const batch = this.#batch;
    if (batch.numFinal === 0) {
      throw new MecgymError("needsReset", {
        path: "episodeStats",
        got: "a running episode",
        expected: "one at its end",
      });
    }
    return Object.fromEntries(episodeStatsFields.map((name, i) => [name, batch.finalStats[i]])) as EpisodeStats;
  }
}

/**
 * Makes an environment from a scenario's id or its fields.
 *
 * @throws MecgymError `unknownScenario`, `invalidScenario`, `invalidSeed`
 */
export function makeEnv(scenario: string | ScenarioInput, options?: EnvOptions): Env {
  return new Env(scenario, options);
}
