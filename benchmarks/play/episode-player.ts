/** Plays whole episodes of one scenario, and finds the states of the static protocol in them. */

import { cheapestAction } from "../../env/batch/action-costs.js";
import {
  allocateLookAhead,
  BatchEnv,
  copyObservation,
  createStream,
  type EpisodeStats,
  episodeStatsFields,
  FLAG_INVALID_ACTION,
  FLAG_LATE,
  FLAG_TRUNCATED,
  LaneView,
  type ObservationData,
  observedCostSlots,
  Rollouts,
  type Scenario,
  streamName,
  TrajectoryDigest,
} from "../../env/index.js";
import { DecisionLog, type Realised, type Unit } from "../metrics/units.js";
import { type LookAheadHandle, oracle, type Policy, type PolicyEntry, type RolloutHandle } from "../policies/index.js";
import type { Decider } from "./deciders.js";
import { UNREAD } from "./failed-answers.js";

/** An episode as it was played: all that metrics and replays need. */
export interface PlayedEpisode extends Unit {
  readonly seed: number;
  readonly realised: Realised;
}

/** Plays episodes of one scenario, one after another. */
export class EpisodePlayer {
  readonly #batch: BatchEnv;
  readonly #view: LaneView;
  readonly #lookAhead: LookAheadHandle;
  readonly #rollout: RolloutHandle;

  constructor(scenario: Scenario) {
    const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
    const result = allocateLookAhead(batch.maxServers);
    let rollouts: Rollouts | undefined;
    this.#batch = batch;
    this.#view = new LaneView(batch.lanes, 0);
    this.#lookAhead = (options) => batch.lookAhead(0, options, result);
    this.#rollout = (request, out) => {
      rollouts ??= new Rollouts(batch.scenarios[0]);
      rollouts.play(batch.lanes, 0, request, out);
    };
  }

  /**
   * Plays episode `seed` to its end.
   *
   * @param digest collects the trajectory, if given
   */
  play(policy: Policy, seed: number, digest?: TrajectoryDigest): PlayedEpisode {
    const batch = this.#batch;
    const view = this.#view;
    batch.reset([seed]);
    const { numServers } = view;
    const decisions = new DecisionLog();
    const actions = [0];
    const seen = new Float32Array(batch.observationSize);
    do {
      const cheapestCostSlots = observedCostSlots(view, oracle(view));
      actions[0] = policy(view, this.#lookAhead, this.#rollout);
      if (digest !== undefined) seen.set(batch.observation);
      batch.step(actions);
      const action = batch.executedAction[0];
      const costSlots = batch.costSlots[0];
      const latencySlots = batch.latencySlots[0];
      digest?.addStep(seen, action, latencySlots, costSlots);
      decisions.add({
        action,
        costSlots,
        latencySlots,
        cheapestCostSlots,
        isLate: (batch.flags[0] & FLAG_LATE) !== 0,
        isInvalid: (batch.flags[0] & FLAG_INVALID_ACTION) !== 0 && actions[0] !== UNREAD,
        isUnread: actions[0] === UNREAD,
        lostOnTimeTasks: batch.lostOnTimeTasks[0],
      });
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    digest?.endEpisode(seed);
    return { seed, numServers, decisions, realised: this.#realised() };
  }

  /** The outcome of the tasks of the episode that has just ended. */
  #realised(): Realised {
    const stats = Object.fromEntries(episodeStatsFields.map((name, i) => [name, this.#batch.finalStats[i]]));
    const { episodeSeed: _seed, numDecisions: _decisions, lostTasks, ...realised } = stats as unknown as EpisodeStats;
    return this.#batch.scenarios[0].churn === undefined ? realised : { ...realised, lostTasks };
  }

  /**
   * A state that the oracle visits in episode `seed`, at a decision drawn uniformly from the stream `static-state`.
   *
   * @param watcher is asked at every earlier decision, so that it remembers them; its rollouts are empty, and its
   *   answers are not carried out
   */
  visitState(seed: number, watcher?: Policy): ObservationData {
    const batch = this.#batch;
    const actions = [0];
    const target = Math.floor(createStream(streamName("static-state", seed))() * this.countDecisions(seed));
    batch.reset([seed]);
    for (let i = 0; i < target; i++) {
      watcher?.(this.#view, this.#lookAhead, emptyRollout);
      actions[0] = cheapestAction(batch, 0);
      batch.step(actions);
    }
    return copyObservation(this.#view);
  }

  /** A policy's decision in the state that was visited last. */
  ask(policy: Policy): number {
    return policy(this.#view, this.#lookAhead, this.#rollout);
  }

  /** The number of decisions in episode `seed`. It does not depend on the policy, because arrivals do not. */
  countDecisions(seed: number): number {
    const batch = this.#batch;
    batch.reset([seed]);
    let count = 0;
    do {
      batch.step([0]);
      count++;
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    return count;
  }
}

/** Futures that cost nothing, for a policy that only watches and need not decide well. */
const emptyRollout: RolloutHandle = (_request, out) => {
  out.fill(0);
};

/** Plays episodes firstSeed … firstSeed + count − 1. */
export function playEpisodes(player: EpisodePlayer, firstSeed: number, count: number, decider: Decider): Unit[] {
  return Array.from({ length: count }, (_, unit) => {
    const seed = firstSeed + unit;
    const played = player.play(decider.inEpisode(unit, seed), seed);
    decider.checkEpisode(unit, played.decisions.length);
    return played;
  });
}

/** The trajectory digest of a policy over episodes firstSeed … firstSeed + count − 1. */
export function trajectoryDigest(scenario: Scenario, entry: PolicyEntry, firstSeed: number, count: number): string {
  const player = new EpisodePlayer(scenario);
  const digest = new TrajectoryDigest();
  for (let i = 0; i < count; i++) player.play(entry.make(firstSeed + i, scenario), firstSeed + i, digest);
  return digest.digest();
}
