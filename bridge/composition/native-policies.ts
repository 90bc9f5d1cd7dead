/** Plays the native policies on a server: one policy in every lane of a batch. */

import { findPolicy, type Policy, type PolicyEntry } from "../../benchmarks/policies/index.js";
import { type RolloutOptions, rolloutDefaults } from "../../benchmarks/policies/rollout.js";
import { checkOption } from "../../env/checks.js";
import {
  allocateLookAhead,
  type BatchEnv,
  createStream,
  LaneView,
  type LookAheadOptions,
  maxServersOf,
  maxUsersOf,
  type RolloutRequest,
  Rollouts,
  type Scenario,
  streamName,
} from "../../env/index.js";
import type { Cancellation } from "../lanes/cancellation.js";
import type { PolicyPlayer, PolicyProvider } from "../lanes/policy-provider.js";

/**
 * Roughly how many evaluations of an action a decision takes in `paper-v1`: with the default rollouts, with a
 * look-ahead of ten samples, and for every other policy.
 */
const ROLLOUT_WORK = 10_000;
const LOOK_AHEAD_WORK = 30;
const PLAIN_WORK = 1;
/** The sizes that these numbers are for. */
const [PAPER_ACTIONS, PAPER_USERS, LOOK_AHEAD_SAMPLES] = [7, 12, 10];
const ROLLOUT_SLOTS = rolloutDefaults.numFutures * rolloutDefaults.horizonSlots * rolloutDefaults.numCandidates;

/** The native policies, as a server takes them. */
export const nativePolicies: PolicyProvider = {
  work(name, scenarios) {
    const entry = findPolicy(name);
    return Math.max(...scenarios.map((scenario) => decisionWork(entry, scenario)));
  },

  player(name, env) {
    const entry = findPolicy(name);
    if (entry.needsRollout) checkOneScenario(name, env);
    return new BatchPlayer(entry, env);
  },
};

/** Work grows with what a decision looks at, and is never less than in `paper-v1` with the default options. */
function decisionWork(entry: PolicyEntry, scenario: Scenario): number {
  const { needsRollout, needsLookAhead } = entry;
  const more = (count: number, usual: number) => Math.max(1, count / usual);
  const actions = more(maxServersOf(scenario) + 1, PAPER_ACTIONS);
  // a policy that takes no options has the depth that the numbers above are for
  const options = entry.options === undefined ? {} : entry.parameters?.(scenario);
  if (needsRollout) {
    const { numFutures, horizonSlots, numCandidates } = { ...rolloutDefaults, ...options } as RolloutOptions;
    // each slot of a future has the decisions of all users
    const slots = more(numFutures * horizonSlots * numCandidates, ROLLOUT_SLOTS);
    return ROLLOUT_WORK * slots * actions * more(maxUsersOf(scenario), PAPER_USERS);
  }
  if (needsLookAhead) {
    const { numSamples, mode } = { ...scenario.lookAhead, ...options };
    const perAction = mode === "sequential" ? actions : 1;
    return LOOK_AHEAD_WORK * more(Number(numSamples), LOOK_AHEAD_SAMPLES) * actions * perAction;
  }
  return PLAIN_WORK * actions;
}

/** Rollouts copy lanes field by field into a batch of one scenario, so both must have the same layout. */
function checkOneScenario(name: string, { scenarios, maxServers }: BatchEnv): void {
  const isOne = scenarios.length === 1 && maxServers === maxServersOf(scenarios[0]);
  const expected = "a policy without rollouts, because lanes have several scenarios or room for more servers";
  checkOption(isOne, "/policy", name, expected);
}

/** Views of a batch's lanes. They are made once, because there are many. */
const viewsOf = new WeakMap<BatchEnv, LaneView[]>();

/** One policy in all lanes. If it remembers or draws, each lane has its own, for each episode. */
class BatchPlayer implements PolicyPlayer {
  readonly #entry: PolicyEntry;
  readonly #env: BatchEnv;
  readonly #views: LaneView[];
  /** Policies by lane, or by scenario if all lanes of a scenario share one. */
  readonly #policies: (Policy | undefined)[] = [];
  readonly #isShared: boolean;
  /** Whether single decisions may take long. */
  readonly #isSlow: boolean;
  /** Index of the last decision that a lane's own policy took. */
  readonly #lastDecision: Int32Array;
  #lane = 0;
  readonly #lookAhead: (options?: Partial<LookAheadOptions>) => ReturnType<BatchEnv["lookAhead"]>;
  readonly #rollout: (request: RolloutRequest, out: Float64Array) => void;

  constructor(entry: PolicyEntry, env: BatchEnv) {
    const { numLanes, lanes } = env;
    this.#entry = entry;
    this.#env = env;
    this.#isSlow = Boolean(entry.needsRollout || entry.needsLookAhead);
    this.#isShared = !(entry.remembers || entry.isRandom || entry.needsRollout);
    this.#lastDecision = new Int32Array(numLanes).fill(-1);
    let views = viewsOf.get(env);
    if (views === undefined) {
      views = Array.from({ length: numLanes }, (_, lane) => new LaneView(lanes, lane));
      viewsOf.set(env, views);
    }
    this.#views = views;
    const result = allocateLookAhead(env.maxServers);
    let rollouts: Rollouts | undefined;
    this.#lookAhead = (options) => env.lookAhead(this.#lane, options, result);
    this.#rollout = (request, out) => {
      rollouts ??= new Rollouts(env.scenarios[0]);
      rollouts.play(lanes, this.#lane, request, out);
    };
  }

  choose(actions: Int32Array, cancellation: Pick<Cancellation, "check">): void {
    const { lanes } = this.#env;
    for (let lane = 0; lane < actions.length; lane++) {
      if (!lanes.isRunning(lane)) continue;
      if (this.#isSlow) cancellation.check();
      this.#lane = lane;
      const policy = this.#isShared ? this.#shared(lane) : this.#own(lane);
      actions[lane] = policy(this.#views[lane], this.#lookAhead, this.#rollout);
    }
  }

  #shared(lane: number): Policy {
    const scenario = this.#env.scenarioOf(lane);
    const index = this.#env.scenarios.indexOf(scenario);
    this.#policies[index] ??= this.#entry.make(0, scenario);
    return this.#policies[index];
  }

  #own(lane: number): Policy {
    const decision = this.#env.lanes.numberOf("decisionIndex", lane);
    if (this.#policies[lane] === undefined || decision <= this.#lastDecision[lane]) {
      this.#policies[lane] = this.#entry.make(this.#seed(lane, decision), this.#env.scenarioOf(lane) as Scenario);
    }
    this.#lastDecision[lane] = decision;
    return this.#policies[lane];
  }

  /** Seed of the policy's draws: the episode's seed if it begins with the episode, another if it begins later. */
  #seed(lane: number, decision: number): number {
    const episodeSeed = this.#env.lanes.episodeSeedOf(lane);
    if (decision === 0) return episodeSeed;
    return Math.floor(createStream(streamName("policy-start", episodeSeed, decision))() * 0x100000000);
  }
}
