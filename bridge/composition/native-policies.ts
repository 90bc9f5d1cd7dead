/** The native policies for a server: a policy in every lane of a batch. */

import { findPolicy, type Policy, type PolicyEntry } from "../../benchmarks/policies/index.js";
import {
  allocateLookAhead,
  type BatchEnv,
  createStream,
  LaneView,
  type LookAheadOptions,
  MecgymError,
  maxServersOf,
  type RolloutRequest,
  Rollouts,
  type Scenario,
  streamName,
} from "../../env/index.js";
import type { PolicyBook, PolicyPlayer } from "../lanes/policy-provider.js";

/** Evaluations of an action that a decision takes, about: with rollouts, with a look-ahead, and without. */
const ROLLOUT_WORK = 10_000;
const LOOK_AHEAD_WORK = 30;

export const policyBook: PolicyBook = {
  work(name) {
    const { needsRollout, needsLookAhead } = findPolicy(name);
    if (needsRollout) return ROLLOUT_WORK;
    return needsLookAhead ? LOOK_AHEAD_WORK : 1;
  },

  player(name, env) {
    const entry = findPolicy(name);
    if (entry.needsRollout) checkOneScenario(name, env);
    return new BatchPlayer(entry, env);
  },
};

/** Rollouts copy lanes field by field into a batch of one scenario, so both must be laid out alike. */
function checkOneScenario(name: string, { scenarios, maxServers }: BatchEnv): void {
  if (scenarios.length === 1 && maxServers === maxServersOf(scenarios[0])) return;
  throw new MecgymError("invalidOption", {
    path: "/policy",
    got: name,
    expected: "a policy without rollouts, where lanes have several scenarios or room for more servers",
  });
}

/** Views of a batch's lanes, made once: they are many. */
const viewsOf = new WeakMap<BatchEnv, LaneView[]>();

/** One policy in all lanes. Where it remembers or draws, each lane has its own, for each episode. */
class BatchPlayer implements PolicyPlayer {
  readonly #entry: PolicyEntry;
  readonly #env: BatchEnv;
  readonly #views: LaneView[];
  /** Policies of lanes, or of scenarios where all lanes of one share it. */
  readonly #policies: (Policy | undefined)[] = [];
  readonly #isShared: boolean;
  /** Decision that a lane's own policy answered last. */
  readonly #lastDecision: Int32Array;
  #lane = 0;
  readonly #lookAhead: (options?: Partial<LookAheadOptions>) => ReturnType<BatchEnv["lookAhead"]>;
  readonly #rollout: (request: RolloutRequest, out: Float64Array) => void;

  constructor(entry: PolicyEntry, env: BatchEnv) {
    const { numLanes, lanes } = env;
    this.#entry = entry;
    this.#env = env;
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

  choose(actions: Int32Array): void {
    const { lanes } = this.#env;
    for (let lane = 0; lane < actions.length; lane++) {
      if (!lanes.isRunning(lane)) continue;
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

  /** Seed of the policy's chance: the episode's at its start, and another at a later decision that it begins with. */
  #seed(lane: number, decision: number): number {
    const episodeSeed = this.#env.lanes.episodeSeedOf(lane);
    if (decision === 0) return episodeSeed;
    return Math.floor(createStream(streamName("policy-start", episodeSeed, decision))() * 0x100000000);
  }
}
