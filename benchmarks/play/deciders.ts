/** What decides while episodes or states are played: a policy that is asked, or an action log that is read. */

import { isObservedActionAvailable, MecgymError, type Scenario } from "../../env/index.js";
import type { Policy, PolicyEntry } from "../policies/index.js";
import { askedAction, type FailedAnswer, failureFault } from "./failed-answers.js";

/** The actions of episodes or states, one list for each. */
export type ActionLogs = readonly (readonly number[])[];

/** Decides in one unit after another. A unit is an episode or a recorded state. */
export interface Decider {
  /** What decides in an episode: unit `unit`, counted from 0, with this episode seed. */
  inEpisode(unit: number, seed: number): Policy;
  /** What answers a recorded state. */
  onState(unit: number): Policy;
  /** Called before the states are answered. */
  checkStates(): void;
  /** Called after an episode with the number of decisions it had. */
  checkEpisode(unit: number, numDecisions: number): void;
}

/** Asks a native policy: a fresh one for each episode, one for all states. */
export class PolicyDecider implements Decider {
  readonly #entry: Pick<PolicyEntry, "make">;
  readonly #scenario: Scenario;
  #answering: Policy | undefined;

  constructor(entry: Pick<PolicyEntry, "make">, scenario: Scenario) {
    this.#entry = entry;
    this.#scenario = scenario;
  }

  inEpisode(_unit: number, seed: number): Policy {
    return this.#entry.make(seed, this.#scenario);
  }

  onState(): Policy {
    this.#answering ??= this.#entry.make(0, this.#scenario);
    return this.#answering;
  }

  checkStates(): void {}
  checkEpisode(): void {}
}

/** The first place where a log cannot be what happened. */
export interface LogFault {
  /** Index of the list, from 0. */
  readonly unit: number;
  /** Index of the action in its list; null for the list as a whole. */
  readonly decision: number | null;
  readonly expected: string;
  readonly got: number;
}

/** Ends a replay in the middle of an episode; `catchFault` turns it into a result. */
class BadLog extends Error {
  readonly fault: LogFault;

  constructor(fault: LogFault) {
    super("the log cannot be replayed");
    this.fault = fault;
  }
}

/** Reads the decisions from logs: every one must be possible, and a log ends where its episode ends. */
export class LogDecider implements Decider {
  readonly #logs: ActionLogs;
  /** Failed answers by unit and decision. */
  readonly #failures = new Map<number, Map<number, FailedAnswer>>();

  /** @param failures answers that were not carried out; the logs have what they were charged with */
  constructor(logs: ActionLogs, failures: readonly FailedAnswer[] = []) {
    this.#logs = logs;
    for (const failed of failures) {
      const ofUnit = this.#failures.get(failed.unit) ?? new Map<number, FailedAnswer>();
      this.#failures.set(failed.unit, ofUnit.set(failed.decision, failed));
    }
  }

  inEpisode(unit: number): Policy {
    const log = this.#logs[unit];
    const failures = this.#failures.get(unit);
    let decision = 0;
    return (observation) => {
      if (decision === log.length) {
        const expected = `more than ${log.length} actions: the episode goes on`;
        throw new BadLog({ unit, decision: null, expected, got: log.length });
      }
      const action = log[decision];
      const failed = failures?.get(decision);
      if (failed !== undefined) {
        const fault = failureFault(observation, failed, action);
        if (fault !== undefined) throw new BadLog({ unit, decision, ...fault });
        decision++;
        return askedAction(failed);
      }
      if (!isObservedActionAvailable(observation, action)) {
        throw new BadLog({ unit, decision, expected: "an action that can be taken then", got: action });
      }
      decision++;
      return action;
    };
  }

  onState(unit: number): Policy {
    return this.inEpisode(unit);
  }

  checkStates(): void {
    for (const [unit, log] of this.#logs.entries()) if (log.length !== 1) throw badLength(unit, 1, log.length);
  }

  checkEpisode(unit: number, numDecisions: number): void {
    const { length } = this.#logs[unit];
    if (numDecisions < length) throw badLength(unit, numDecisions, length);
  }
}

function badLength(unit: number, wanted: number, got: number): BadLog {
  return new BadLog({ unit, decision: null, expected: `${wanted} actions, which is all there is to decide`, got });
}

/** What `play` returns, or the fault of the log that it played. */
export function catchFault<R>(play: () => R): R | { readonly fault: LogFault } {
  try {
    return play();
  } catch (error) {
    if (error instanceof BadLog) return { fault: error.fault };
    throw error;
  }
}

/**
 * What was replayed.
 *
 * @param name names unit i of the logs in errors
 * @throws MecgymError `invalidRecord` if the log has a fault
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
