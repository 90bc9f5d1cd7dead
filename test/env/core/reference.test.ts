/** The simulator against the slow model of docs/model.md: random scenarios, random policies, every bit. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { oracle } from "../../../benchmarks/policies/index.js";
import {
  BatchEnv,
  copyObservation,
  episodeStatsFields,
  FLAG_INVALID_ACTION,
  FLAG_LATE,
  FLAG_TRUNCATED,
  LaneView,
  makeEnv,
  type ScenarioInput,
} from "../../../env/index.js";
import { expIntegralE1 } from "../../../env/math.js";
import { exponentialIntegral, ReferenceEpisode } from "../../reference/reference-model.js";
import { lookAheadArbitrary, scenarioArbitrary } from "../scenario-arbitrary.js";

/** How a random policy chooses: the oracle, one fixed action, or a list of draws used in a cycle. */
type Policy =
  | { readonly kind: "oracle" }
  | { readonly kind: "always"; readonly action: number }
  | { readonly kind: "draws"; readonly draws: readonly number[] }
  | { readonly kind: "outside"; readonly action: number; readonly every: number };

const policyArbitrary: fc.Arbitrary<Policy> = fc.oneof(
  fc.constant({ kind: "oracle" as const }),
  fc.integer({ min: 0, max: 7 }).map((action) => ({ kind: "always" as const, action })),
  fc
    .array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 12 })
    .map((draws) => ({ kind: "draws" as const, draws })),
  fc.record({
    kind: fc.constant("outside" as const),
    action: fc.constantFrom(-1, 99, 2147483647, -2147483648),
    every: fc.integer({ min: 1, max: 4 }),
  }),
);

const seedArbitrary = fc.oneof(
  fc.integer({ min: 0, max: 3_000_000 }),
  fc.constantFrom(0, Number.MAX_SAFE_INTEGER, 2 ** 32, 2 ** 31),
);

/** Decisions after which a run is long enough to show an error. */
const MAX_DECISIONS = 150;

function choose(policy: Policy, reference: ReferenceEpisode): number {
  const numActions = reference.servers.length + 1;
  const d = reference.decisionIndex;
  switch (policy.kind) {
    case "oracle":
      return reference.oracleAction();
    case "always":
      return policy.action % numActions;
    case "draws":
      return policy.draws[d % policy.draws.length] % numActions;
    case "outside":
      return d % policy.every === 0 ? policy.action : d % numActions;
  }
}

/** Throws if two values differ in a single bit; −0 and 0 differ, NaN equals itself. */
function sameBits(actual: unknown, expected: unknown, where: string): void {
  if (typeof expected === "object" && expected !== null) {
    const left = actual as Record<string, unknown>;
    const right = expected as Record<string, unknown>;
    const keys = Object.keys(right);
    if (Object.keys(left).join() !== keys.join()) {
      throw new Error(`${where}: has ${Object.keys(left)}, the reference has ${keys}`);
    }
    for (const key of keys) sameBits(left[key], right[key], `${where}/${key}`);
    return;
  }
  if (!Object.is(actual, expected)) throw new Error(`${where}: ${actual}, the reference says ${expected}`);
}

function referenceObservation(reference: ReferenceEpisode, env: BatchEnv) {
  const scenario = env.scenarios[0];
  const { decision, servers, devices } = reference;
  const { backlogMbit } = devices[decision.userIndex];
  const { densityGcyclesPerMbit, localCpuGHz, slotSeconds } = scenario;
  return {
    slot: reference.slot,
    decisionIndex: reference.decisionIndex,
    sizeMbit: decision.sizeMbit,
    densityGcyclesPerMbit,
    deadlineSlots: scenario.deadlineSlots,
    penaltySlots: scenario.deadlinePenaltySlots,
    slotSeconds,
    userIndex: decision.userIndex,
    localCpuGHz,
    localBacklogMbit: backlogMbit,
    localWaitSlots: (backlogMbit * densityGcyclesPerMbit) / localCpuGHz / slotSeconds,
    numServers: servers.length,
    rateMbps: decision.rateMbps,
    ...(scenario.churn === undefined ? {} : { isAvailable: servers.map((server) => server.isThere) }),
    cpuGHz: servers.map((server) => server.cpuGHz),
    activeTasks: servers.map((server) => server.activeTasks),
    workloadMbit: servers.map((server) => server.workloadMbit),
    workloadHistoryMbit: servers.map((server) => server.history),
  };
}

type ReferenceObservation = ReturnType<typeof referenceObservation>;

/** The float32 row of an observation, as docs/model.md lays it out. */
function referenceRow(o: ReferenceObservation, env: BatchEnv): number[] {
  const servers = Array.from({ length: env.maxServers }, (_, e) =>
    e < o.numServers && o.isAvailable?.[e] !== false
      ? [o.rateMbps[e], o.cpuGHz[e], o.activeTasks[e], o.workloadMbit[e]]
      : [0, 0, 0, 0],
  );
  const histories = Array.from({ length: env.maxServers }, (_, e) =>
    e < o.numServers ? o.workloadHistoryMbit[e] : new Array<number>(env.historySlots).fill(0),
  );
  return [
    o.sizeMbit,
    o.densityGcyclesPerMbit,
    o.deadlineSlots,
    o.userIndex,
    o.localCpuGHz,
    o.localWaitSlots,
    ...servers.flat(),
    ...histories.flat(),
  ].map(Math.fround);
}

interface Tally {
  episodes: number;
  decisions: number;
  lookAheads: number;
  late: number;
  finished: number;
  unfinishedLate: number;
  extended: number;
  absent: number;
  lost: number;
  lostLate: number;
}

const newTally = (): Tally => ({
  episodes: 0,
  decisions: 0,
  lookAheads: 0,
  late: 0,
  finished: 0,
  unfinishedLate: 0,
  extended: 0,
  absent: 0,
  lost: 0,
  lostLate: 0,
});

/** Plays one episode in both and throws at the first difference. */
function compareEpisode(
  input: ScenarioInput,
  seed: number,
  policy: Policy,
  lookAheadOptions: Parameters<BatchEnv["lookAhead"]>[1],
  plays: "extended" | "ordinary",
  tally: Tally,
): void {
  const env = new BatchEnv({ scenarios: [input], numLanes: 1, history: true, invalidActions: "costliest" });
  const scenario = env.scenarios[0];
  const view = new LaneView(env.lanes, 0);
  env.reset([seed]);
  const reference = new ReferenceEpisode(scenario, seed);
  const isExtended = reference.slot >= scenario.episodeSlots;
  if (isExtended !== (plays === "extended")) return;
  tally.episodes++;
  if (isExtended) tally.extended++;

  for (;;) {
    const d = reference.decisionIndex;
    const observation = referenceObservation(reference, env);
    sameBits(copyObservation(view), observation, `decision ${d}`);
    sameBits(Array.from(env.observation), referenceRow(observation, env), `row ${d}`);
    const exists = Array.from({ length: env.maxServers + 1 }, (_, a) => (reference.actions().includes(a) ? 1 : 0));
    tally.absent += observation.numServers + 1 - reference.actions().length;
    sameBits(Array.from(env.actionMask), exists, `action mask ${d}`);
    sameBits(oracle(view), reference.oracleAction(), `oracle ${d}`);
    if (d % 4 === 0) {
      const options = d % 8 === 0 ? undefined : lookAheadOptions;
      const { latencySlots, costSlots, impactSlots, reward } = env.lookAhead(0, options);
      sameBits(
        {
          latencySlots: Array.from(latencySlots),
          costSlots: Array.from(costSlots),
          impactSlots: Array.from(impactSlots),
          reward: Array.from(reward),
        },
        reference.lookAhead(options),
        `look-ahead ${d}`,
      );
      // a few actions in another order have the same figures
      const actions = [d % env.maxServers, 0, d % 3].filter((action) => action <= observation.numServers);
      const some = env.lookAhead(0, { ...options, actions });
      actions.forEach((action, i) => {
        sameBits(some.reward[i], reward[action], `reward of action ${action} alone ${d}`);
        sameBits(some.costSlots[i], costSlots[action], `cost of action ${action} alone ${d}`);
        sameBits(some.impactSlots[i], impactSlots[action], `impact of action ${action} alone ${d}`);
      });
      tally.lookAheads++;
    }
    if (reference.truncated || d >= MAX_DECISIONS) break;

    const asked = choose(policy, reference);
    const step = reference.step(asked);
    env.step([asked]);
    const flags = env.flags[0];
    sameBits(
      {
        action: env.executedAction[0],
        latencySlots: env.latencySlots[0],
        costSlots: env.costSlots[0],
        reward: env.reward[0],
        isLate: (flags & FLAG_LATE) !== 0,
        isInvalid: (flags & FLAG_INVALID_ACTION) !== 0,
        truncated: (flags & FLAG_TRUNCATED) !== 0,
        lostTasks: env.lostTasks[0],
        lostOnTimeTasks: env.lostOnTimeTasks[0],
      },
      {
        action: step.action,
        latencySlots: step.latencySlots,
        costSlots: step.costSlots,
        reward: -step.costSlots,
        isLate: step.isLate,
        isInvalid: asked !== step.action,
        truncated: step.truncated,
        lostTasks: step.lostTasks,
        lostOnTimeTasks: step.lostOnTimeTasks,
      },
      `step ${d} (action ${asked})`,
    );
    tally.decisions++;
    if (step.isLate) tally.late++;
    tally.lost += step.lostTasks;
    tally.lostLate += step.lostTasks - step.lostOnTimeTasks;
  }
  if (!reference.truncated) return;

  const expected = reference.stats();
  const actual = Object.fromEntries(episodeStatsFields.map((name, i) => [name, env.finalStats[i]]));
  const { realisedLatencySumSlots, ...counts } = actual;
  sameBits(
    counts,
    {
      episodeSeed: seed,
      numDecisions: reference.decisionIndex,
      finishedTasks: expected.numFinished,
      finishedLateTasks: expected.numLate,
      unfinishedTasks: expected.numUnfinished,
      unfinishedLateTasks: expected.numUnfinishedLate,
      lostTasks: expected.numLost,
    },
    "stats",
  );
  // another order of summation changes the last bits, and docs/model.md gives no order
  if (Math.abs(realisedLatencySumSlots - expected.realisedSum) > 1e-12 * expected.realisedSum) {
    throw new Error(`realised latency: ${realisedLatencySumSlots}, the reference says ${expected.realisedSum}`);
  }
  tally.finished += expected.numFinished;
  tally.unfinishedLate += expected.numUnfinishedLate;
}

describe("the simulator is the reference model, to the last bit", { timeout: 300_000 }, () => {
  it("in random scenarios under random policies", () => {
    const tally = newTally();
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "busy", maxSlots: 30 }),
        seedArbitrary,
        policyArbitrary,
        lookAheadArbitrary,
        (scenario, seed, policy, options) => compareEpisode(scenario, seed, policy, options, "ordinary", tally),
      ),
      { seed: 20260407, numRuns: 3500 },
    );
    // the comparison is worth little unless the scenarios cover every case
    expect(tally.episodes).toBeGreaterThan(2500);
    expect(tally.decisions).toBeGreaterThan(50_000);
    expect(tally.lookAheads).toBeGreaterThan(10_000);
    expect(tally.late).toBeGreaterThan(1000);
    expect(tally.finished).toBeGreaterThan(10_000);
    expect(tally.unfinishedLate).toBeGreaterThan(1000);
    expect(tally.absent).toBeGreaterThan(10_000);
    expect(tally.lost).toBeGreaterThan(1000);
    expect(tally.lostLate).toBeGreaterThan(100);
  });

  it("in quiet scenarios, where slots pass without a task", () => {
    const tally = newTally();
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "rare", maxSlots: 200 }),
        seedArbitrary,
        policyArbitrary,
        lookAheadArbitrary,
        (scenario, seed, policy, options) => compareEpisode(scenario, seed, policy, options, "ordinary", tally),
      ),
      { seed: 20260408, numRuns: 800 },
    );
    expect(tally.episodes).toBeGreaterThan(300);
  });

  it("in episodes that are extended to their first task", () => {
    const tally = newTally();
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "rare", maxSlots: 4 }),
        seedArbitrary,
        policyArbitrary,
        lookAheadArbitrary,
        (scenario, seed, policy, options) => compareEpisode(scenario, seed, policy, options, "extended", tally),
      ),
      { seed: 20260409, numRuns: 800 },
    );
    expect(tally.extended).toBeGreaterThan(200);
  });

  it("in episodes that are extended: one step, and that one is truncated", () => {
    // ten users with rare tasks: some seed has several tasks in the first slot that has any
    const scenario: ScenarioInput = {
      users: { count: 10 },
      arrivals: { process: "poisson", ratePerSlot: 0.05 },
      episodeSlots: 1,
    };
    let extended = 0;
    for (let seed = 0; seed < 200; seed++) {
      const env = makeEnv(scenario, { seed });
      if (env.reset().observation.slot < 1) continue;
      extended++;
      expect(env.step(0).truncated, `seed ${seed}`).toBe(true);
    }
    expect(extended).toBeGreaterThan(50);
  });

  it("in the paper's own setting over a whole episode, through makeEnv", () => {
    for (const seed of [2_000_000, 2_000_001, 2_000_002]) {
      const env = makeEnv("paper-v1", { seed });
      const reference = new ReferenceEpisode(env.scenario, seed);
      let { observation } = env.reset();
      for (let d = 0; ; d++) {
        expect(observation.sizeMbit).toBe(reference.decision.sizeMbit);
        expect(observation.workloadMbit).toEqual(reference.servers.map((server) => server.workloadMbit));
        const action = d % 3 === 0 ? d % 7 : reference.oracleAction();
        const expected = reference.step(action);
        const step = env.step(action);
        expect(Object.is(step.latencySlots, expected.latencySlots)).toBe(true);
        expect(Object.is(step.costSlots, expected.costSlots)).toBe(true);
        expect(step.truncated).toBe(expected.truncated);
        observation = step.observation;
        if (step.truncated) break;
      }
      expect(env.episodeStats().finishedTasks).toBe(reference.stats().numFinished);
    }
  });

  it("in the exponential integral, up to its last bits", () => {
    for (let x = 1e-8; x < 700; x *= 1.3) {
      expect(Math.abs(expIntegralE1(x) / exponentialIntegral(x) - 1)).toBeLessThan(1e-13);
    }
  });
});
