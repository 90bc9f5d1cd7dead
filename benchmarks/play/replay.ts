/** Plays an action log again: every decision must be one that can be taken, and the log ends where the episode does. */

import { isObservedActionAvailable, MecgymError, type Scenario } from "../../env/index.js";
import type { Unit } from "../metrics/units.js";
import type { Policy } from "../policies/index.js";
import { answerStates, type EpisodePlayer, type RecordedState } from "./runner.js";

/** The actions of episodes or states, a list for each. */
export type ActionLogs = readonly (readonly number[])[];

/** Where a log cannot be what happened. */
export interface LogFault {
  /** Which of the lists, from 0. */
  readonly unit: number;
  /** Which of its actions; null for the list as a whole. */
  readonly decision: number | null;
  readonly expected: string;
  readonly got: number;
}

/** Units as the log plays them, or the first thing in it that cannot be. */
export type Replayed = { readonly units: readonly Unit[] } | { readonly fault: LogFault };

/**
 * What was replayed, where it could be.
 *
 * @param name says where unit i of the logs is from, in errors
 * @throws MecgymError `invalidRecord` where it could not
 */
export function checkReplayed<R extends object>(
  replayed: R | { readonly fault: LogFault },
  name: (unit: number) => string,
): R {
  if (!("fault" in replayed)) return replayed;
  const { unit, decision, expected, got } = replayed.fault;
  const path = decision === null ? name(unit) : `${name(unit)}/${decision}`;
  throw new MecgymError("invalidRecord", { path, expected, got });
}

/** Ends a replay in the middle of an episode; never leaves this file. */
class Stop extends Error {
  readonly fault: LogFault;

  constructor(fault: LogFault) {
    super("the log cannot be replayed");
    this.fault = fault;
  }
}

/** Plays episodes firstSeed … with the decisions of `logs`. */
export function replayEpisodes(player: EpisodePlayer, firstSeed: number, logs: ActionLogs): Replayed {
  return catchStop(() =>
    logs.map((log, unit) => {
      const played = player.play(policyOf(log, unit), firstSeed + unit);
      if (played.decisions.length < log.length) throw lengthFault(unit, played.decisions.length, log.length);
      return played;
    }),
  );
}

/** Gives the answers of `logs`, one to each state. */
export function replayAnswers(
  scenario: Scenario,
  states: readonly RecordedState[],
  sizeMbit: number | undefined,
  logs: ActionLogs,
): Replayed {
  return catchStop(() => {
    for (const [unit, log] of logs.entries()) if (log.length !== 1) throw lengthFault(unit, 1, log.length);
    let unit = 0;
    const answer: Policy = (state) => {
      const decide = policyOf(logs[unit], unit);
      unit++;
      return decide(state);
    };
    return answerStates({ make: () => answer }, scenario, states, sizeMbit);
  });
}

function catchStop(play: () => Unit[]): Replayed {
  try {
    return { units: play() };
  } catch (error) {
    if (error instanceof Stop) return { fault: error.fault };
    throw error;
  }
}

/** Decides as the log says, one action after another. */
function policyOf(log: readonly number[], unit: number): Policy {
  let decision = 0;
  return (observation) => {
    if (decision === log.length) {
      throw new Stop({
        unit,
        decision: null,
        expected: `more than ${log.length} actions: the episode goes on`,
        got: log.length,
      });
    }
    const action = log[decision];
    if (!isObservedActionAvailable(observation, action)) {
      throw new Stop({ unit, decision, expected: "an action that can be taken then", got: action });
    }
    decision++;
    return action;
  };
}

function lengthFault(unit: number, wanted: number, got: number): Stop {
  return new Stop({ unit, decision: null, expected: `${wanted} actions, which is all there is to decide`, got });
}
