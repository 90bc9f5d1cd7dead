/** The capacity map: the largest number of users at which a policy stays stable over long episodes. */

import { checkOption } from "../../env/checks.js";
import { checkSeed, resolveScenario, type Scenario, type ScenarioInput, scenarioHash } from "../../env/index.js";
import { inSteps, type JobRunner } from "../jobs/jobs.js";
import { isCollapsed, isUnstable, JUDGED_SLOTS, UNSTABLE_COLLAPSED_SHARE } from "../metrics/stability.js";
import { unpackUnits } from "../metrics/units.js";
import { checkCanPlay, findPolicy } from "../policies/index.js";
import type { PartStore } from "../result-file.js";

/** How often a policy collapsed at one number of users. */
export interface Probe {
  readonly users: number;
  readonly collapsed: number;
  readonly episodes: number;
}

/** Identifies a probe. */
export interface ProbeKey {
  /** The number of users, in words for readers of the folder. */
  readonly setting: string;
  readonly policy: string;
  readonly scenarioHash: string;
  readonly firstSeed: number;
  readonly episodes: number;
}

export interface Capacity {
  readonly policy: string;
  /** Largest number of users at which the policy is stable by the stated test. */
  readonly users: number;
  /** Largest number at which it is certainly stable: if the share were 5 %, more collapses would be likely (97.5 %). */
  readonly low: number;
  /** Largest number at which it is not certainly unstable. */
  readonly high: number;
  /** What was played, in order of the number of users. */
  readonly probes: readonly Probe[];
}

export interface CapacityOptions {
  readonly policies: readonly string[];
  /** The scenario whose users are replaced. It has a fixed number of servers, and episodes long enough to be judged. */
  readonly scenario: string | ScenarioInput;
  /** Episodes in a probe. */
  readonly episodes: number;
  readonly firstSeed: number;
  /** The largest number of users that is tried. */
  readonly mostUsers: number;
  readonly runner: JobRunner;
  readonly store?: PartStore<ProbeKey, Probe>;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Typical number of probes of a policy, for the progress bar. */
const USUAL_PROBES = 12;
/** Episodes in one job. */
const EPISODES_PER_JOB = 5;
/** How often each of the two statements about a share of 5 % may be wrong. */
const ERROR_SHARE = 0.025;

/**
 * Finds the capacity of each policy by bisection, on the same seeds for all numbers of users. It assumes that a policy
 * that is unstable at some number of users is also unstable with more.
 *
 * @throws MecgymError `unknownScenario`, `unknownPolicy`, `invalidSeed`, `invalidOption`
 */
export async function findCapacities(options: CapacityOptions): Promise<Capacity[]> {
  const scenario = resolveScenario(options.scenario);
  serversOf(scenario);
  const expected = `a scenario with episodes of ${JUDGED_SLOTS} slots or more`;
  checkOption(scenario.episodeSlots >= JUDGED_SLOTS, "--scenario", scenario.id, expected);
  const names = [...new Set(options.policies)];
  for (const name of names) {
    findPolicy(name);
    checkCanPlay(name, "episodic");
  }
  checkSeed(options.firstSeed, "--seed");
  checkSeed(options.firstSeed + options.episodes - 1, "--seed");
  const finished = new Array<number>(names.length).fill(0);
  const tick = (i: number, amount: number, what: string) => {
    finished[i] = Math.min(1, finished[i] + amount);
    const done = finished.reduce((sum, one) => sum + one, 0);
    options.onProgress?.(Math.round(1000 * done), 1000 * names.length, what);
  };
  return Promise.all(
    names.map(async (name, i) => {
      const capacity = await capacityOf(name, scenario, options, (what) => tick(i, 0.99 / USUAL_PROBES, what));
      tick(i, 1, name);
      return capacity;
    }),
  );
}

/** The number of servers of a scenario, which must be fixed. */
export function serversOf({ id, numServers }: Scenario): number {
  checkOption(typeof numServers === "number", "--scenario", id, "a scenario with a fixed number of servers");
  return numServers;
}

async function capacityOf(
  policy: string,
  scenario: Scenario,
  options: CapacityOptions,
  tick: (what: string) => void,
): Promise<Capacity> {
  const { mostUsers } = options;
  const probes = new Map<number, Probe>();
  const probe = async (users: number): Promise<Probe> => {
    const known = probes.get(users) ?? (await playProbe(policy, { ...scenario, users: { count: users } }, options));
    if (!probes.has(users)) tick(`${policy}, ${users} users`);
    probes.set(users, known);
    return known;
  };
  /** The largest number of users in 0 … mostUsers at which `holds`, by bisection. */
  const largest = async (holds: (probe: Probe) => boolean): Promise<number> => {
    // the probes of earlier searches narrow this one
    let below = 0;
    for (const one of probes.values()) if (holds(one)) below = Math.max(below, one.users);
    let above = mostUsers + 1;
    for (const one of probes.values()) if (!holds(one) && one.users > below) above = Math.min(above, one.users);
    let next = Math.max(serversOf(scenario), 2 * below);
    while (above - below > 1) {
      if (next <= below || next >= above) next = (below + above) >> 1;
      if (holds(await probe(next))) below = next;
      else above = next;
      // doubles until an upper bound is found, so that no probe is far above the capacity
      next = above > mostUsers ? Math.min(2 * below, mostUsers) : (below + above) >> 1;
    }
    return below;
  };
  const users = await largest(({ collapsed, episodes }) => !isUnstable(collapsed, episodes));
  const low = await largest(({ collapsed, episodes }) => isCertainlyStable(collapsed, episodes));
  const high = await largest(({ collapsed, episodes }) => !isCertainlyUnstable(collapsed, episodes));
  return { policy, users, low, high, probes: [...probes.values()].sort((a, b) => a.users - b.users) };
}

async function playProbe(policy: string, scenario: Scenario, options: CapacityOptions): Promise<Probe> {
  const { episodes, firstSeed, runner, store } = options;
  const users = "count" in scenario.users ? scenario.users.count : 0;
  const key = { setting: `${users}-users`, policy, scenarioHash: scenarioHash(scenario), firstSeed, episodes };
  const kept = store?.load(key);
  if (kept !== undefined) return kept;
  const counts = await inSteps(episodes, EPISODES_PER_JOB, async (start, count) => {
    const { units } = await runner.run({ kind: "play", scenario, policy, firstSeed: firstSeed + start, count });
    return unpackUnits(units).filter(isCollapsed).length;
  });
  const found = { users, collapsed: counts.reduce((sum, one) => sum + one, 0), episodes };
  store?.save(key, found);
  return found;
}

/** Whether at most 2.5 % of probes with a share of 5 % would have this few collapses or fewer. */
export function isCertainlyStable(collapsed: number, episodes: number): boolean {
  return atMost(collapsed, episodes, UNSTABLE_COLLAPSED_SHARE) <= ERROR_SHARE;
}

/** Whether at most 2.5 % of probes with a share of 5 % would have this many collapses or more. */
export function isCertainlyUnstable(collapsed: number, episodes: number): boolean {
  return collapsed > 0 && 1 - atMost(collapsed - 1, episodes, UNSTABLE_COLLAPSED_SHARE) <= ERROR_SHARE;
}

/** Probability of at most k successes in n trials. */
function atMost(k: number, n: number, p: number): number {
  let term = 1;
  for (let i = 0; i < n; i++) term *= 1 - p;
  let sum = term;
  for (let i = 1; i <= k; i++) {
    term *= ((n - i + 1) / i) * (p / (1 - p));
    sum += term;
  }
  return sum;
}
