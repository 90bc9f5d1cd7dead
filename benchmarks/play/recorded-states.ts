/** The static protocol: states that the oracle visits, and one answer to each of them. */

import {
  isObservedActionAvailable,
  lookAheadOfState,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
  type Scenario,
} from "../../env/index.js";
import { logOf, type Unit } from "../metrics/units.js";
import { oracle } from "../policies/index.js";
import type { Decider } from "./deciders.js";
import { EpisodePlayer } from "./episode-player.js";
import { costliestAction, UNREAD } from "./failed-answers.js";

/** A state of the static protocol, and the episode it was recorded in. */
export interface RecordedState {
  readonly episodeSeed: number;
  readonly state: ObservationData;
}

/** Finds the static protocol's states, one for each seed. */
export function* visitStates(scenario: Scenario, firstSeed: number, count: number): Generator<RecordedState> {
  const player = new EpisodePlayer(scenario);
  for (let episodeSeed = firstSeed; episodeSeed < firstSeed + count; episodeSeed++) {
    yield { episodeSeed, state: player.visitState(episodeSeed) };
  }
}

/**
 * Answers each state once, in order.
 *
 * @param sizeMbit replaces the size of the current task in every state; undefined keeps it
 */
export function answerStates(
  scenario: Scenario,
  records: readonly RecordedState[],
  decider: Decider,
  sizeMbit?: number,
): Unit[] {
  decider.checkStates();
  return records.map(({ episodeSeed, state: recorded }, unit) => {
    const state = sizeMbit === undefined ? recorded : { ...recorded, sizeMbit };
    const cheapestCostSlots = observedCostSlots(state, oracle(state));
    const answer = decider.onState(unit)(state, (options) => lookAheadOfState(scenario, episodeSeed, state, options));
    const isUnread = answer === UNREAD;
    const isFailed = !isObservedActionAvailable(state, answer);
    const isInvalid = isFailed && !isUnread;
    const action = isFailed ? costliestAction(state) : answer;
    const latencySlots = observedLatencySlots(state, action);
    const costSlots = observedCostSlots(state, action);
    const isLate = latencySlots > state.deadlineSlots;
    return {
      numServers: state.numServers,
      decisions: logOf([{ action, costSlots, latencySlots, cheapestCostSlots, isLate, isInvalid, isUnread }]),
    };
  });
}
