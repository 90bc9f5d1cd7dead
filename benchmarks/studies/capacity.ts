/** The capacity map: the largest number of users at which a policy stays stable over long episodes. */

import { checkSeed, MecgymError, resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import type { JobRunner } from "../jobs/jobs.js";
import { isCollapsed, isUnstable, JUDGED_SLOTS, UNSTABLE_COLLAPSED_SHARE } from "../metrics/stability.js";
import { unpackUnits } from "../metrics/units.js";
import { checkCanPlay, findPolicy } from "../policies/index.js";
import type { PartStore } from "../runs/run-suite.js";

/** How often a policy collapsed with so many users. */
export interface Probe {
  readonly users: number;
  readonly collapsed: number;
  readonly episodes: number;
}

/** What makes a probe what it is. */
export interface ProbeKey {
  /** How many users, for a reader of the folder. */
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
  /** Largest number at which it is stable for certain: more collapses would be likely (97.5 %), were the share 5 %. */
  readonly low: number;
  /** Largest number at which it is not unstable for certain. */
  readonly high: number;
  /** What was played, by users. */
  readonly probes: readonly Probe[];
}

export interface CapacityOptions {
  readonly policies: readonly string[];
  /** Scenario whose users are replaced; its number of servers is fixed, and its episodes are long enough to judge. */
  readonly scenario: string;
  /** Episodes of a probe. */
  readonly episodes: number;
  readonly firstSeed: number;
  /** No more users are tried. */
  readonly mostUsers: number;
  readonly runner: JobRunner;
  readonly store?: PartStore<ProbeKey, Probe>;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Probes of a policy, about: enough for a bar. */
const USUAL_PROBES = 12;
/** Episodes of one job. */
const EPISODES_PER_JOB = 5;
/** Each of the two statements about a share of 5 % errs this rarely. */
const ERROR_SHARE = 0.025;

/**
 * Finds the capacity of each policy by bisection, on the same seeds for all numbers of users. That assumes that a policy
 * which is unstable with some users is so with more.
 *
 * @throws MecgymError `unknownScenario`, `unknownPolicy`, `invalidSeed`, `invalidOption`
 */
export async function findCapacities(options: CapacityOptions): Promise<Capacity[]> {
  const scenario = resolveScenario(options.scenario);
  serversOf(scenario);
  if (scenario.episodeSlots < JUDGED_SLOTS) {
    const expected = `a scenario with episodes of ${JUDGED_SLOTS} slots or more`;
    throw new MecgymError("invalidOption", { path: "--scenario", got: options.scenario, expected });
  }
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

/** Servers of a scenario that has a fixed number of them. */
export function serversOf({ id, numServers }: Scenario): number {
  if (typeof numServers === "number") return numServers;
  const expected = "a scenario with a fixed number of servers";
  throw new MecgymError("invalidOption", { path: "--scenario", got: id, expected });
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
    // what other searches have played narrows this one
    let below = 0;
    for (const one of probes.values()) if (holds(one)) below = Math.max(below, one.users);
    let above = mostUsers + 1;
    for (const one of probes.values()) if (!holds(one) && one.users > below) above = Math.min(above, one.users);
    let next = Math.max(serversOf(scenario), 2 * below);
    while (above - below > 1) {
      if (next <= below || next >= above) next = (below + above) >> 1;
      if (holds(await probe(next))) below = next;
      else above = next;
      // doubling until there is something above, so that no probe is far beyond what matters
      next = above > mostUsers ? Math.min(2 * below, mostUsers) : (below + above) >> 1;
    }
    return below;
  };
  const users = await largest(({ collapsed, episodes }) => !isUnstable(collapsed, episodes));
  const low = await largest(({ collapsed, episodes }) => isStableForCertain(collapsed, episodes));
  const high = await largest(({ collapsed, episodes }) => !isUnstableForCertain(collapsed, episodes));
  return { policy, users, low, high, probes: [...probes.values()].sort((a, b) => a.users - b.users) };
}

async function playProbe(policy: string, scenario: Scenario, options: CapacityOptions): Promise<Probe> {
  const { episodes, firstSeed, runner, store } = options;
  const users = "count" in scenario.users ? scenario.users.count : 0;
  const key = { setting: `${users}-users`, policy, scenarioHash: scenarioHash(scenario), firstSeed, episodes };
  const kept = store?.load(key);
  if (kept !== undefined) return kept;
  const starts = Array.from({ length: Math.ceil(episodes / EPISODES_PER_JOB) }, (_, i) => i * EPISODES_PER_JOB);
  const counts = await Promise.all(
    starts.map(async (start) => {
      const count = Math.min(EPISODES_PER_JOB, episodes - start);
      const job = { kind: "play", scenario, policy, firstSeed: firstSeed + start, count } as const;
      const { units } = await runner.run(job);
      return unpackUnits(units).filter(isCollapsed).length;
    }),
  );
  const found = { users, collapsed: counts.reduce((sum, one) => sum + one, 0), episodes };
  store?.save(key, found);
  return found;
}

/** Whether so few collapses, or fewer, would come with a share of 5 % in at most 2.5 % of such probes. */
export function isStableForCertain(collapsed: number, episodes: number): boolean {
  return atMost(collapsed, episodes, UNSTABLE_COLLAPSED_SHARE) <= ERROR_SHARE;
}

/** Whether so many collapses, or more, would come with a share of 5 % in at most 2.5 % of such probes. */
export function isUnstableForCertain(collapsed: number, episodes: number): boolean {
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
