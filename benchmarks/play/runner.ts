/** Plays policies: whole episodes, or single states visited by the oracle. */

import { cheapestAction } from "../../env/core/kernel.js";
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
  isObservedActionAvailable,
  LaneView,
  lookAheadOfState,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
  Rollouts,
  type Scenario,
  streamName,
  TrajectoryDigest,
} from "../../env/index.js";
import { DecisionLog, logOf, type Realised, type Unit } from "../metrics/units.js";
import { type LookAheadHandle, oracle, type Policy, type PolicyEntry, type RolloutHandle } from "../policies/index.js";

/** An episode as it was played: what the metrics need, and what a replay needs. */
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
   * @param digest collects the trajectory where given
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
        isInvalid: (batch.flags[0] & FLAG_INVALID_ACTION) !== 0,
        lostOnTimeTasks: batch.lostOnTimeTasks[0],
      });
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    digest?.endEpisode(seed);
    return { seed, numServers, decisions, realised: this.#realised() };
  }

  /** What became of the tasks of the episode that has just ended. */
  #realised(): Realised {
    const stats = Object.fromEntries(episodeStatsFields.map((name, i) => [name, this.#batch.finalStats[i]]));
    const { episodeSeed: _seed, numDecisions: _decisions, lostTasks, ...realised } = stats as unknown as EpisodeStats;
    return this.#batch.scenarios[0].churn === undefined ? realised : { ...realised, lostTasks };
  }

  /**
   * A state the oracle visits in episode `seed`, at a decision drawn uniformly from the stream `static-state`.
   *
   * @param watcher is asked at every decision before it, so that it remembers them; its rollouts there are empty, and its
   *   answers are not carried out
   */
  visitState(seed: number, watcher?: Policy): ObservationData {
    const batch = this.#batch;
    const actions = [0];
    const target = Math.floor(createStream(streamName("static-state", seed))() * this.#countDecisions(seed));
    batch.reset([seed]);
    for (let i = 0; i < target; i++) {
      watcher?.(this.#view, this.#lookAhead, emptyRollout);
      actions[0] = cheapestAction(batch.lanes, 0);
      batch.step(actions);
    }
    return copyObservation(this.#view);
  }

  /** What a policy decides in the state that was visited last. */
  ask(policy: Policy): number {
    return policy(this.#view, this.#lookAhead, this.#rollout);
  }

  /** Decisions of episode `seed`, whatever is decided: who has a task when is part of the world. */
  #countDecisions(seed: number): number {
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

/** Futures that cost nothing: for a policy that watches and need not decide well. */
const emptyRollout: RolloutHandle = (_request, out) => {
  out.fill(0);
};

/** A state of the static protocol, and the episode it was recorded in. */
export interface RecordedState {
  readonly episodeSeed: number;
  readonly state: ObservationData;
}

/** The static protocol's states: one for each seed. */
export function* visitStates(scenario: Scenario, firstSeed: number, count: number): Generator<RecordedState> {
  const player = new EpisodePlayer(scenario);
  for (let episodeSeed = firstSeed; episodeSeed < firstSeed + count; episodeSeed++) {
    yield { episodeSeed, state: player.visitState(episodeSeed) };
  }
}

/** A policy's answer to each state, once; `sizeMbit` replaces the size of the current task where given. */
export function answerStates(
  entry: Pick<PolicyEntry, "make">,
  scenario: Scenario,
  records: readonly RecordedState[],
  sizeMbit?: number,
): Unit[] {
  const policy = entry.make(0, scenario);
  return records.map(({ episodeSeed, state: recorded }) => {
    const state = sizeMbit === undefined ? recorded : { ...recorded, sizeMbit };
    const cheapestCostSlots = observedCostSlots(state, oracle(state));
    const answer = policy(state, (options) => lookAheadOfState(scenario, episodeSeed, state, options));
    const isInvalid = !isObservedActionAvailable(state, answer);
    const action = isInvalid ? costliestAction(state) : answer;
    const latencySlots = observedLatencySlots(state, action);
    return {
      numServers: state.numServers,
      decisions: logOf([
        {
          action,
          costSlots: observedCostSlots(state, action),
          latencySlots,
          cheapestCostSlots,
          isLate: latencySlots > state.deadlineSlots,
          isInvalid,
        },
      ]),
    };
  });
}

function costliestAction(state: ObservationData): number {
  let worst = 0;
  for (let action = 1; action <= state.numServers; action++) {
    if (!isObservedActionAvailable(state, action)) continue;
    if (observedCostSlots(state, action) > observedCostSlots(state, worst)) worst = action;
  }
  return worst;
}

/** The trajectory digest of a policy over episodes firstSeed … firstSeed + count − 1. */
export function trajectoryDigest(scenario: Scenario, entry: PolicyEntry, firstSeed: number, count: number): string {
  const player = new EpisodePlayer(scenario);
  const digest = new TrajectoryDigest();
  for (let i = 0; i < count; i++) player.play(entry.make(firstSeed + i, scenario), firstSeed + i, digest);
  return digest.digest();
}
