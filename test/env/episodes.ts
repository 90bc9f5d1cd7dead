/** What the tests of the simulator share: a mixed scenario, rules, whole episodes and the errors of calls. */

import { expect } from "vitest";
import { isObservedActionAvailable, MecgymError, makeEnv, type ScenarioInput, type Step } from "../../env/index.js";

/** A small, busy scenario with every kind of draw: episodes of 2 to 5 servers. */
export const mixed: ScenarioInput = {
  numServers: { min: 2, max: 5 },
  arrivals: { process: "poisson", ratePerSlot: 0.6 },
  episodeSlots: 25,
  historySlots: 4,
  deadlineSlots: 6,
};

/** A rule that depends only on the decision: any number of different policies. */
export type Rule = (decision: number, numServers: number) => number;
export const cycle =
  (stride: number): Rule =>
  (decision, numServers) =>
    (decision * stride) % (numServers + 1);

/** A whole episode through `Env`. */
export function episode(scenario: ScenarioInput | string, seed: number, rule: Rule): Step[] {
  const env = makeEnv(scenario);
  const steps = [env.reset(seed)];
  for (let d = 0; !steps[d].truncated; d++) {
    const { observation } = steps[d];
    const action = rule(d, observation.numServers);
    steps.push(env.step(isObservedActionAvailable(observation, action) ? action : 0));
  }
  return steps;
}

/** The error that a call throws. */
export function errorOf(call: () => unknown): MecgymError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(MecgymError);
    return error as MecgymError;
  }
  throw new Error("expected an error, got none");
}
