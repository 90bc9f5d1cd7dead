/** What must hold in every world, whatever the policy: conservation, pairing, isolation, and bad input without effect. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AutoresetMode,
  BatchEnv,
  FLAG_RESET,
  FLAG_TRUNCATED,
  isObservedActionAvailable,
  listScenarios,
  lookAheadOfState,
  MecgymError,
  makeEnv,
  nextEpisodeSeed,
  observedCostSlots,
  resolveScenario,
  type ScenarioInput,
  type Step,
  scenarioHash,
  TrajectoryDigest,
} from "../../../env/index.js";
import { scenarioArbitrary } from "../scenario-arbitrary.js";

/** Small, busy, and with every kind of draw: episodes of 2 to 5 servers. */
const mixed: ScenarioInput = {
  numServers: { min: 2, max: 5 },
  arrivals: { process: "poisson", ratePerSlot: 0.6 },
  episodeSlots: 25,
  historySlots: 4,
  deadlineSlots: 6,
};

/** A rule that depends on nothing but the decision: any number of policies that differ everywhere. */
type Rule = (decision: number, numServers: number) => number;
const cycle =
  (stride: number): Rule =>
  (decision, numServers) =>
    (decision * stride) % (numServers + 1);

/** A whole episode through the friendly face. */
function episode(scenario: ScenarioInput | string, seed: number, rule: Rule): Step[] {
  const env = makeEnv(scenario);
  const steps = [env.reset(seed)];
  for (let d = 0; !steps[d].truncated; d++) {
    const { observation } = steps[d];
    const action = rule(d, observation.numServers);
    steps.push(env.step(isObservedActionAvailable(observation, action) ? action : 0));
  }
  return steps;
}

/** The error a call throws. */
function errorOf(call: () => unknown): MecgymError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(MecgymError);
    return error as MecgymError;
  }
  throw new Error("expected an error, got none");
}

describe("conservation", () => {
  it("work in = work served + work waiting, at every server and device, and no more served than there is capacity for", () => {
    fc.assert(
      fc.property(
        scenarioArbitrary({ arrivals: "busy", maxSlots: 30 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 1, max: 6 }),
        (fields, seed, stride) => {
          const { densityGcyclesPerMbit: density = 1, slotSeconds = 1 } = fields;
          const steps = episode(fields, seed, cycle(stride));
          // what each server was given in each slot, from actions and sizes alone
          const given = new Map<string, number>();
          for (let d = 0; d + 1 < steps.length; d++) {
            const { slot, sizeMbit } = steps[d].observation;
            const key = `${steps[d + 1].action}/${slot}`;
            given.set(key, (given.get(key) ?? 0) + sizeMbit);
          }
          for (let d = 0; d + 1 < steps.length; d++) {
            const now = steps[d].observation;
            const next = steps[d + 1].observation;
            if (next.slot !== now.slot + 1) continue;
            for (let e = 0; e < now.numServers; e++) {
              const before = now.workloadHistoryMbit[e].at(-1) as number;
              const after = next.workloadHistoryMbit[e].at(-1) as number;
              if (now.isAvailable?.[e] === false) {
                expect(after).toBe(0);
                continue;
              }
              const served = before + (given.get(`${e + 1}/${now.slot}`) ?? 0) - after;
              const capacity = (now.cpuGHz[e] * slotSeconds) / density;
              const tolerance = 1e-9 * (1 + before + capacity);
              expect(served).toBeGreaterThanOrEqual(-tolerance);
              expect(served).toBeLessThanOrEqual(Math.min(before, capacity) + tolerance);
              if (fields.service === "work-conserving") {
                expect(Math.abs(served - Math.min(before, capacity))).toBeLessThanOrEqual(tolerance);
              }
            }
          }
        },
      ),
      { seed: 1, numRuns: 250 },
    );
  });

  it("a device's backlog is what it was given less what it can do, and never below zero", () => {
    const steps = episode({ ...mixed, users: { count: 1 }, localCpuGHz: 10 }, 3, cycle(1));
    let expected = 0;
    for (let d = 0; d + 1 < steps.length; d++) {
      const { observation: now } = steps[d];
      const { observation: next, action } = steps[d + 1];
      expect(now.localBacklogMbit).toBeGreaterThanOrEqual(0);
      if (action === 0) expected += now.sizeMbit;
      if (next.slot === now.slot) expect(next.localBacklogMbit).toBeCloseTo(expected, 9);
      expected = next.localBacklogMbit;
    }
  });

  it("every decided task is finished or unfinished in the end", () => {
    for (let seed = 0; seed < 40; seed++) {
      const env = makeEnv(mixed);
      let step = env.reset(seed);
      for (let d = 0; !step.truncated; d++) step = env.step(cycle(1 + (seed % 5))(d, step.observation.numServers));
      const stats = env.episodeStats();
      expect(stats.finishedTasks + stats.unfinishedTasks).toBe(stats.numDecisions);
      expect(stats.finishedLateTasks).toBeLessThanOrEqual(stats.finishedTasks);
      expect(stats.unfinishedLateTasks).toBeLessThanOrEqual(stats.unfinishedTasks);
    }
  });

  it("task lists grow without losing anything: a thousand slots of tasks for one server", () => {
    const fields: ScenarioInput = {
      numServers: 2,
      users: { count: 6 },
      serverCpuGHz: [1, 48],
      taskSizeMbit: { min: 100, max: 100 },
      arrivals: { process: "bernoulli", probability: 1 },
      episodeSlots: 1000,
      deadlineSlots: 100_000,
    };
    const env = makeEnv(fields);
    let step = env.reset(0);
    while (!step.truncated) step = env.step(1);
    const { activeTasks, workloadMbit, workloadHistoryMbit } = step.observation;
    const stats = env.episodeStats();
    expect(stats.numDecisions).toBe(6000);
    expect(stats.finishedTasks + stats.unfinishedTasks).toBe(6000);
    expect(activeTasks[0]).toBe(stats.unfinishedTasks);
    // served: F·Δt/γ/(N+1) with N = 6·t as slot t begins; no task is ever done, for each gets next to nothing
    let served = 0;
    for (let t = 1; t < 1000; t++) served += (1 * 0.1) / 0.297 / (6 * t + 1);
    expect(stats.finishedTasks).toBe(0);
    expect(Math.abs(workloadMbit[0] - (600_000 - served))).toBeLessThan(1e-6);
    expect(workloadHistoryMbit[0].at(-1)).toBe(workloadMbit[0]);
    expect(activeTasks[1]).toBe(0);
  });

  it("task lists of neighbouring lanes do not run into each other when they grow", () => {
    const fields: ScenarioInput = { numServers: 2, users: { count: 8 }, serverCpuGHz: [1, 1], episodeSlots: 60 };
    const alone = (seed: number, action: number) => episode(fields, seed, () => action).map((step) => step.costSlots);
    const batch = new BatchEnv({ scenarios: [fields], numLanes: 4, autoreset: "next-step" });
    batch.reset([10, 11, 12, 13]);
    const actions = [1, 0, 2, 1];
    const costs: number[][] = [[0], [0], [0], [0]];
    const ended = [false, false, false, false];
    while (ended.includes(false)) {
      batch.step(actions);
      for (let lane = 0; lane < 4; lane++) {
        if (ended[lane]) continue;
        costs[lane].push(batch.costSlots[lane]);
        ended[lane] = (batch.flags[lane] & FLAG_TRUNCATED) !== 0;
      }
    }
    for (let lane = 0; lane < 4; lane++) expect(costs[lane]).toEqual(alone(10 + lane, actions[lane]));
  });
});

describe("monotonicity", () => {
  const stateArbitrary = fc.record({
    fields: scenarioArbitrary({ arrivals: "busy", maxSlots: 10 }),
    seed: fc.integer({ min: 0, max: 1000 }),
    stride: fc.integer({ min: 1, max: 5 }),
    factor: fc.double({ min: 1, max: 4, noNaN: true }),
  });

  it("more capacity of a server makes no action dearer; a larger task makes none cheaper", () => {
    fc.assert(
      fc.property(stateArbitrary, ({ fields, seed, stride, factor }) => {
        for (const { observation } of episode(fields, seed, cycle(stride)).slice(0, 40)) {
          for (let action = 0; action <= observation.numServers; action++) {
            const cost = observedCostSlots(observation, action);
            const faster = { ...observation, cpuGHz: observation.cpuGHz.map((cpu) => cpu * factor) };
            const larger = { ...observation, sizeMbit: observation.sizeMbit * factor };
            expect(observedCostSlots(faster, action)).toBeLessThanOrEqual(cost);
            expect(observedCostSlots(larger, action)).toBeGreaterThanOrEqual(cost);
          }
        }
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it("a server with more capacity never has more work left, task for task", () => {
    const backlog = (cpu: number) =>
      episode({ ...mixed, numServers: 2, serverCpuGHz: [cpu, 20] }, 9, cycle(1)).map(
        (step) => step.observation.workloadMbit[0],
      );
    const slow = backlog(5);
    const fast = backlog(9);
    expect(fast.every((work, d) => work <= slow[d] + 1e-9)).toBe(true);
    expect(fast.some((work, d) => work < slow[d])).toBe(true);
  });
});

describe("lanes are alone", () => {
  const scenarios: ScenarioInput[] = [
    mixed,
    { numServers: [3, 6], users: { count: 5 }, episodeSlots: 12, service: "work-conserving", historySlots: 7 },
    { numServers: 1, users: { count: 2 }, serverCpuGHz: [30], episodeSlots: 40, deadlineSlots: 3 },
  ];

  it("each lane of a mixed batch plays what it plays by itself, observation, mask, costs and statistics", () => {
    const laneScenario = [0, 1, 2, 0, 1, 2, 0];
    const seeds = [5, 6, 7, 8, 2 ** 40, 10, 5];
    const options = { history: true, maxServers: 8 } as const;
    const together = new BatchEnv({ scenarios, numLanes: 7, laneScenario, ...options, autoreset: "next-step" });
    together.reset(seeds);
    // every lane by itself, in a batch whose history is as long, so that the rows have one shape
    const alone = laneScenario.map(
      (index) => new BatchEnv({ scenarios: [scenarios[index], ...scenarios], numLanes: 1, ...options }),
    );
    alone.forEach((env, lane) => {
      env.reset([seeds[lane]]);
    });
    const ended = new Array<boolean>(7).fill(false);
    for (let d = 0; ended.includes(false); d++) {
      const actions = alone.map((env, lane) => cycle(lane + 1)(d, env.lanes.arrays.numServers[0]));
      for (let lane = 0; lane < 7; lane++) {
        if (ended[lane]) continue;
        const width = together.observationSize;
        expect(together.observation.slice(lane * width, (lane + 1) * width)).toEqual(alone[lane].observation);
        expect(together.actionMask.slice(lane * 9, (lane + 1) * 9)).toEqual(alone[lane].actionMask);
      }
      together.step(actions);
      for (let lane = 0; lane < 7; lane++) {
        if (ended[lane]) continue;
        const env = alone[lane];
        env.step([actions[lane]]);
        expect(together.latencySlots[lane]).toBe(env.latencySlots[0]);
        expect(together.costSlots[lane]).toBe(env.costSlots[0]);
        expect(together.reward[lane]).toBe(-env.costSlots[0]);
        expect(together.flags[lane]).toBe(env.flags[0]);
        ended[lane] = env.numFinal === 1;
        if (!ended[lane]) continue;
        const row = Array.from(together.finalLane.slice(0, together.numFinal)).indexOf(lane);
        const width = env.finalStats.length;
        expect(together.finalStats.slice(row * width, (row + 1) * width)).toEqual(env.finalStats);
      }
    }
  });

  it("a batch with room for more servers says the same, padded with zeros", () => {
    const narrow = new BatchEnv({ scenarios: [mixed], numLanes: 1 });
    const wide = new BatchEnv({ scenarios: [mixed], numLanes: 1, maxServers: 11 });
    narrow.reset([4]);
    wide.reset([4]);
    const size = narrow.observationSize;
    for (let d = 0; narrow.numFinal === 0; d++) {
      expect(wide.observation.slice(0, size)).toEqual(narrow.observation);
      expect(wide.observation.slice(size).every((value) => value === 0)).toBe(true);
      const action = cycle(1)(d, narrow.lanes.arrays.numServers[0]);
      narrow.step([action]);
      wide.step([action]);
      expect(wide.costSlots).toEqual(narrow.costSlots);
    }
  });
});

describe("seeds", () => {
  it("one seed, one episode: the same bytes in a new environment and in one that has played others", () => {
    const digest = (env: BatchEnv) => {
      const result = new TrajectoryDigest();
      env.reset([77]);
      for (let d = 0; d === 0 || env.numFinal === 0; d++) {
        const seen = env.observation.slice();
        env.step([cycle(2)(d, env.lanes.arrays.numServers[0])]);
        result.addStep(seen, env.executedAction[0], env.latencySlots[0], env.costSlots[0]);
      }
      result.endEpisode(77);
      return result.digest();
    };
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 1, history: true });
    const first = digest(env);
    expect(digest(env)).toBe(first);
    // episodes broken off at any point, also in the middle of a slot, leave nothing behind
    for (let numSteps = 1; numSteps <= 8; numSteps++) {
      env.reset([123_456 + numSteps]);
      for (let d = 0; d < numSteps; d++) env.step([numSteps % 2]);
      expect(digest(env)).toBe(first);
    }
    expect(digest(new BatchEnv({ scenarios: [mixed], numLanes: 1, history: true }))).toBe(first);
  });

  it("neighbouring seeds are different and uncorrelated worlds", () => {
    const numPairs = 2000;
    const fields: ScenarioInput = { numServers: 2, users: { count: 2 } };
    const columns: Record<string, number[]> = { slot: [], user: [], size: [], rate: [], capacity: [], rate2: [] };
    const env = makeEnv(fields);
    for (let seed = 2_000_000; seed <= 2_000_000 + numPairs; seed++) {
      const { observation } = env.reset(seed);
      columns.slot.push(observation.slot);
      columns.user.push(observation.userIndex);
      columns.size.push(observation.sizeMbit);
      columns.rate.push(observation.rateMbps[0]);
      columns.rate2.push(observation.rateMbps[1]);
      columns.capacity.push(observation.cpuGHz[0]);
    }
    for (const [name, values] of Object.entries(columns)) {
      const r = correlation(values.slice(0, -1), values.slice(1));
      expect(Math.abs(r), name).toBeLessThan(3.5 / Math.sqrt(numPairs));
    }
    // and within one seed the streams know nothing of each other
    for (const [a, b] of [
      ["size", "rate"],
      ["size", "capacity"],
      ["rate", "capacity"],
      ["rate", "rate2"],
    ]) {
      expect(Math.abs(correlation(columns[a], columns[b])), `${a}, ${b}`).toBeLessThan(3.5 / Math.sqrt(numPairs));
    }
    for (const name of ["size", "rate", "capacity"]) {
      const same = columns[name].filter((value, i) => i > 0 && value === columns[name][i - 1]);
      expect(same).toEqual([]);
    }
  });

  it("the world does not depend on the actions", () => {
    const world = (rule: Rule) =>
      episode(mixed, 31, rule).map(({ observation: o }) => [o.slot, o.userIndex, o.sizeMbit, o.rateMbps, o.cpuGHz]);
    const reference = world(() => 0);
    expect(world(cycle(1))).toEqual(reference);
    expect(world((_, numServers) => numServers)).toEqual(reference);
    expect(reference.length).toBeGreaterThan(50);
  });

  it("an environment without seeds plays the split's own, lane by lane, episode by episode", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 3, split: "test", seed: 8, autoreset: "next-step" });
    batch.reset();
    const expected = (episodeIndex: number) => [0, 1, 2].map((lane) => nextEpisodeSeed("test", 8, lane, episodeIndex));
    expect(Array.from(batch.lanes.arrays.episodeSeed)).toEqual(expected(0));
    batch.reset();
    expect(Array.from(batch.lanes.arrays.episodeSeed)).toEqual(expected(1));
    expect(expected(0).every((seed) => seed >= 2_000_000 && seed < 2_010_000)).toBe(true);
    // another environment whose lanes are these, two lanes on
    const later = new BatchEnv({ scenarios: [mixed], numLanes: 1, split: "test", seed: 8, firstLane: 2 });
    later.reset();
    expect(later.lanes.arrays.episodeSeed[0]).toBe(expected(0)[2]);
  });
});

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

describe("the look-ahead", () => {
  const everyKind = (["independent", "sequential"] as const).flatMap((mode) =>
    (["frozen", "resampled"] as const).map((rates) => ({ mode, rates, numSamples: 5 })),
  );

  it("gives the same bytes when asked twice, in any order, and changes nothing", () => {
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true, autoreset: "next-step" });
    const undisturbed = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true, autoreset: "next-step" });
    env.reset([1, 2]);
    undisturbed.reset([1, 2]);
    for (let d = 0; d < 60; d++) {
      const first = everyKind.map((options) => env.lookAhead(0, options));
      env.lookAhead(1);
      const again = [...everyKind]
        .reverse()
        .map((options) => env.lookAhead(0, options))
        .reverse();
      expect(again).toEqual(first);
      expect(env.observation).toEqual(undisturbed.observation);
      env.step([d % 3, 0]);
      undisturbed.step([d % 3, 0]);
      expect(env.costSlots).toEqual(undisturbed.costSlots);
    }
  });

  it("faces every action, and every member of a group, with the same futures", () => {
    // alike servers, empty queues: all edge actions leave the same state, so only their futures could differ
    const alike: ScenarioInput = {
      numServers: 4,
      serverCpuGHz: [20, 20, 20, 20],
      uplink: { meanRateMbps: 0.001, minRateMbps: 14 },
    };
    const env = new BatchEnv({ scenarios: [alike], numLanes: 3 });
    env.reset([6, 6, 7]);
    for (const options of everyKind) {
      const { impactSlots } = env.lookAhead(0, options);
      expect(new Set(impactSlots.slice(1)).size).toBe(1);
      expect(env.lookAhead(1, options)).toEqual(env.lookAhead(0, options));
      expect(env.lookAhead(2, options).impactSlots).not.toEqual(impactSlots);
    }
  });

  it("has futures of its own at every decision", () => {
    const still: ScenarioInput = {
      numServers: 1,
      serverCpuGHz: [10_000],
      users: { count: 1 },
      arrivals: { process: "bernoulli", probability: 1 },
      taskSizeMbit: { min: 1, max: 1 },
      uplink: { meanRateMbps: 0.001, minRateMbps: 14 },
      episodeSlots: 300,
      lookAhead: { numSamples: 1 },
    };
    const env = makeEnv(still, { seed: 0 });
    let step = env.reset();
    const impacts = new Set<number>();
    while (!step.truncated) {
      impacts.add(env.lookAhead().impactSlots[1]);
      step = env.step(1);
    }
    expect(impacts.size).toBeGreaterThan(298);
  });

  it("is as long as the episode has actions, and writes into a buffer where given one", () => {
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 1, maxServers: 9 });
    env.reset([2]);
    const result = env.lookAhead(0);
    expect(result.reward.length).toBe(env.lanes.arrays.numServers[0] + 1);
    expect(env.lookAhead(0, undefined, result)).toBe(result);
  });
});

describe("autoreset", () => {
  /** Costs of the first `numEpisodes` episodes of every lane, and the rows they were decided on. */
  function playEpisodes(autoreset: AutoresetMode, numEpisodes: number) {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 3, seed: 4, autoreset, history: true });
    const width = batch.observationSize;
    const episodes: { costs: number[]; rows: number[][]; stats: number[]; final: number[] }[][] = [[], [], []];
    const running = [0, 1, 2].map(() => ({ costs: [] as number[], rows: [] as number[][] }));
    const row = (values: Float32Array, index: number) => Array.from(values.slice(index * width, (index + 1) * width));
    const decision = [0, 0, 0];
    batch.reset();
    while (episodes.some((list) => list.length < numEpisodes)) {
      const seen = [0, 1, 2].map((lane) => row(batch.observation, lane));
      const actions = decision.map((d, lane) => cycle(1)(d, batch.lanes.arrays.numServers[lane]));
      batch.step(actions);
      for (let lane = 0; lane < 3; lane++) {
        if (batch.flags[lane] & FLAG_RESET) {
          expect([batch.reward[lane], batch.costSlots[lane], batch.latencySlots[lane]]).toEqual([0, 0, 0]);
          decision[lane] = 0;
          continue;
        }
        running[lane].costs.push(batch.costSlots[lane]);
        running[lane].rows.push(seen[lane]);
        decision[lane]++;
      }
      const mask = [0, 0, 0];
      for (let i = 0; i < batch.numFinal; i++) {
        const lane = batch.finalLane[i];
        const numStats = batch.finalStats.length / 3;
        episodes[lane].push({
          ...running[lane],
          stats: Array.from(batch.finalStats.slice(i * numStats, (i + 1) * numStats)),
          final: autoreset === "same-step" ? row(batch.finalObservation, i) : row(batch.observation, lane),
        });
        running[lane] = { costs: [], rows: [] };
        if (autoreset !== "next-step") decision[lane] = 0;
        mask[lane] = 1;
      }
      if (autoreset === "disabled" && batch.numFinal > 0) batch.reset(undefined, mask);
    }
    return episodes.map((list) => list.slice(0, numEpisodes));
  }

  it("plays the same episodes in all three modes, with the same final observations and statistics", () => {
    const disabled = playEpisodes("disabled", 3);
    expect(playEpisodes("next-step", 3)).toEqual(disabled);
    expect(playEpisodes("same-step", 3)).toEqual(disabled);
    expect(new Set(disabled.flat().map(({ stats }) => stats[0])).size).toBe(9);
  });
});

describe("bad input changes nothing", () => {
  const seeds = [41, 42];
  const makeBatch = () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true });
    batch.reset(seeds);
    return batch;
  };
  type Call = (batch: BatchEnv) => void;
  const bad: [string, Call, Partial<MecgymError>][] = [
    ["an action that does not exist", (b) => b.step([0, 99]), { code: "invalidAction", path: "actions/1", got: 99 }],
    [
      "no future tasks",
      (b) => b.lookAhead(0, { numSamples: 0 }),
      { code: "invalidOption", path: "lookAhead/numSamples", got: 0 },
    ],
    [
      "a negative weight",
      (b) => b.lookAhead(0, { weight: -1 }),
      { code: "invalidOption", path: "lookAhead/weight", got: -1 },
    ],
    [
      "an unknown mode",
      (b) => b.lookAhead(0, { mode: "both" as never }),
      { code: "invalidOption", path: "lookAhead/mode", got: "both" },
    ],
    ["a lane that is not there", (b) => b.lookAhead(2), { code: "invalidOption", path: "lane", got: 2 }],
    ["a negative action", (b) => b.step([-1, 0]), { code: "invalidAction", path: "actions/0", got: -1 }],
    ["half an action", (b) => b.step([1.5, 0]), { code: "invalidAction", path: "actions/0", got: 1.5 }],
    ["no number", (b) => b.step([0, Number.NaN]), { code: "invalidAction", path: "actions/1", got: Number.NaN }],
    ["a string", (b) => b.step(["1", 0] as never), { code: "invalidAction", path: "actions/0", got: "1" }],
    ["nothing", (b) => b.step([undefined, 0] as never), { code: "invalidAction", path: "actions/0", got: undefined }],
    ["infinity", (b) => b.step([0, Infinity]), { code: "invalidAction", path: "actions/1", got: Infinity }],
    [
      "an integer beyond 32 bits",
      (b) => b.step([2 ** 32, 0]),
      { code: "invalidAction", path: "actions/0", got: 2 ** 32 },
    ],
    ["too few actions", (b) => b.step([0]), { code: "invalidOption", path: "actions", got: "1 values" }],
    ["too many actions", (b) => b.step([0, 0, 0]), { code: "invalidOption", path: "actions", got: "3 values" }],
    ["too few seeds", (b) => b.reset([1]), { code: "invalidOption", path: "seeds", got: "1 values" }],
    ["a mask too long", (b) => b.reset([1, 2], [1, 1, 1]), { code: "invalidOption", path: "mask", got: "3 values" }],
    ["a negative seed", (b) => b.reset([1, -1]), { code: "invalidSeed", path: "seeds/1", got: -1 }],
    ["half a seed", (b) => b.reset([0.5, 1]), { code: "invalidSeed", path: "seeds/0", got: 0.5 }],
    ["a seed too large", (b) => b.reset([1, 2 ** 53]), { code: "invalidSeed", path: "seeds/1", got: 2 ** 53 }],
    ["a string as seed", (b) => b.reset(["7", 1] as never), { code: "invalidSeed", path: "seeds/0", got: "7" }],
  ];

  it.each(bad)("%s", (_, call, expected) => {
    const disturbed = makeBatch();
    const undisturbed = makeBatch();
    for (let d = 0; undisturbed.numFinal === 0; d++) {
      if (d % 5 === 0) {
        const error = errorOf(() => call(disturbed));
        expect(error).toMatchObject(expected);
        expect(error.expected).not.toBe("");
        expect(error.message).toContain(`${error.code} at ${error.path}: expected ${error.expected}, got`);
      }
      const actions = seeds.map((_seed, lane) => cycle(3)(d, disturbed.lanes.arrays.numServers[lane]));
      disturbed.step(actions);
      undisturbed.step(actions);
      expect(disturbed.observation).toEqual(undisturbed.observation);
      expect(disturbed.costSlots).toEqual(undisturbed.costSlots);
      expect(disturbed.flags).toEqual(undisturbed.flags);
    }
    expect(disturbed.finalStats).toEqual(undisturbed.finalStats);
  });

  it("a step, a look-ahead before the first reset", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 1 });
    const before = { code: "needsReset", path: "lanes/0", got: "a lane before its first reset" };
    expect(errorOf(() => batch.step([0]))).toMatchObject(before);
    expect(errorOf(() => batch.lookAhead(0))).toMatchObject(before);
    expect(errorOf(() => makeEnv(mixed).step(0))).toMatchObject({ ...before, path: "episode" });
    expect(errorOf(() => makeEnv(mixed).episodeStats())).toMatchObject({ code: "needsReset", path: "episodeStats" });
    batch.reset([41]);
    const fresh = makeEnv(mixed).reset(41).observation;
    expect(batch.observation[0]).toBe(Math.fround(fresh.sizeMbit));
  });

  it("a step after the end", () => {
    const env = makeEnv({ ...mixed, episodeSlots: 2 });
    let step = env.reset(3);
    while (!step.truncated) step = env.step(0);
    const stats = env.episodeStats();
    expect(errorOf(() => env.step(0))).toMatchObject({
      code: "needsReset",
      path: "episode",
      got: "a lane after its end",
      expected: "a reset first",
    });
    expect(env.episodeStats()).toEqual(stats);
    expect(env.reset(3).observation).toEqual(makeEnv({ ...mixed, episodeSlots: 2 }).reset(3).observation);
  });

  it("a bad seed leaves a running episode of the friendly face alone", () => {
    const env = makeEnv(mixed, { seed: 3 });
    env.reset();
    for (const seed of [-1, 1.5, Number.NaN, 2 ** 53, "1" as never]) {
      expect(errorOf(() => env.reset(seed))).toMatchObject({ code: "invalidSeed", path: "seed", got: seed });
      expect(errorOf(() => makeEnv(mixed, { seed }))).toMatchObject({ code: "invalidSeed", path: "seed", got: seed });
    }
    expect(env.step(1)).toEqual(episode(mixed, 3, () => 1)[1]);
  });

  it("an action of a lane that only resets is ignored", () => {
    const batch = new BatchEnv({ scenarios: [{ ...mixed, episodeSlots: 1 }], numLanes: 1, autoreset: "next-step" });
    batch.reset([1]);
    while (batch.numFinal === 0) batch.step([0]);
    batch.step([99]);
    expect([batch.flags[0], batch.reward[0]]).toEqual([FLAG_RESET, 0]);
  });

  it("an invalid action of one lane stops no other lane from being right afterwards", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 2, invalidActions: "costliest" });
    batch.reset(seeds);
    expect(errorOf(() => batch.step([7, 1.5]))).toMatchObject({ code: "invalidAction", path: "actions/1" });
    expect(batch.lanes.arrays.decisionIndex[0]).toBe(0);
  });

  it.each([
    ["no scenario", { scenarios: [], numLanes: 1 }, "invalidOption", "scenarios"],
    ["no lane", { scenarios: [mixed], numLanes: 0 }, "invalidOption", "numLanes"],
    ["half a lane", { scenarios: [mixed], numLanes: 1.5 }, "invalidOption", "numLanes"],
    ["too little room", { scenarios: [mixed], numLanes: 1, maxServers: 4 }, "invalidOption", "maxServers"],
    ["an unknown split", { scenarios: [mixed], numLanes: 1, split: "toString" }, "invalidOption", "split"],
    ["a bad seed", { scenarios: [mixed], numLanes: 1, seed: -1 }, "invalidSeed", "seed"],
    ["a scenario too far", { scenarios: [mixed], numLanes: 1, laneScenario: [1] }, "invalidOption", "laneScenario/0"],
    ["too few lane scenarios", { scenarios: [mixed], numLanes: 2, laneScenario: [0] }, "invalidOption", "laneScenario"],
    ["an unknown id", { scenarios: ["paper-v0"], numLanes: 1 }, "unknownScenario", "scenario"],
  ])("options of a batch: %s", (_, options, code, path) => {
    expect(errorOf(() => new BatchEnv(options as never))).toMatchObject({ code, path });
  });
});

describe("scenarios", () => {
  it.each<[string, unknown, string]>([
    ["a typo in a field", { numServer: 3 }, "/numServer"],
    ["a typo further in", { uplink: { meanRate: 14 } }, "/uplink/meanRate"],
    ["a negative capacity", { numServers: 2, serverCpuGHz: [20, -1] }, "/serverCpuGHz/1"],
    ["a negative deadline", { deadlineSlots: -1 }, "/deadlineSlots"],
    ["min above max in sizes", { taskSizeMbit: { min: 5, max: 2 } }, "/taskSizeMbit"],
    ["min above max in capacities", { serverCpuGHz: { min: 50, max: 20 } }, "/serverCpuGHz"],
    ["min above max in servers", { numServers: { min: 5, max: 2 } }, "/numServers"],
    ["min above max in factors", { lookAhead: { sizeFactor: { min: 2, max: 1 } } }, "/lookAhead/sizeFactor"],
    ["too few capacities", { numServers: 3, serverCpuGHz: [20, 20] }, "/serverCpuGHz"],
    ["too many capacities", { numServers: [1, 2], serverCpuGHz: [20, 20, 20] }, "/serverCpuGHz"],
    ["NaN", { localCpuGHz: Number.NaN }, "/localCpuGHz"],
    ["infinity", { slotSeconds: Number.POSITIVE_INFINITY }, "/slotSeconds"],
    ["null", { densityGcyclesPerMbit: null }, "/densityGcyclesPerMbit"],
    ["a number as string", { deadlineSlots: "10" }, "/deadlineSlots"],
    ["half a slot", { episodeSlots: 2.5 }, "/episodeSlots"],
    ["no servers", { numServers: 0 }, "/numServers"],
    ["an unknown service", { service: "fair" }, "/service"],
    ["a probability above 1", { arrivals: { process: "bernoulli", probability: 1.5 } }, "/arrivals/probability"],
    ["a Poisson rate that is missing", { arrivals: { process: "poisson" } }, "/arrivals"],
    ["a size without an end", { taskSizeMbit: { min: 2 } }, "/taskSizeMbit"],
    ["an array", [1, 2], "scenario"],
    ["null for the whole", null, "scenario"],
    ["a number for the whole", 6, "scenario"],
    ["a function among the fields", { deadlineSlots: () => 1 }, "scenario"],
  ])("refuses %s, and says where", (_, fields, path) => {
    const error = errorOf(() => resolveScenario(fields as never));
    expect([error.code, error.path]).toEqual(["invalidScenario", path]);
    expect(error.expected).not.toBe("");
    expect(error.message).toContain(path);
  });

  it("refuses an id that nobody knows, and lists those that exist", () => {
    const error = errorOf(() => resolveScenario("paper-v99"));
    expect(error).toMatchObject({ code: "unknownScenario", path: "scenario", got: "paper-v99" });
    expect(error.expected).toContain("paper-v1");
  });

  it("leaves what it was given as it was, and gives back what nobody can change", () => {
    const fields = { numServers: 3, lookAhead: { numSamples: 2 } };
    const scenario = resolveScenario(fields);
    expect(fields).toEqual({ numServers: 3, lookAhead: { numSamples: 2 } });
    expect(resolveScenario(scenario)).toBe(scenario);
    expect(() => {
      (scenario.lookAhead as { weight: number }).weight = 9;
    }).toThrow(TypeError);
  });

  it("has one hash for one world: without id and description, in any order of keys, defaults written out or not", () => {
    const hash = (fields: ScenarioInput) => scenarioHash(resolveScenario(fields));
    const reference = hash({});
    expect(reference).toMatch(/^[0-9a-f]{64}$/);
    expect(hash({ id: "other", description: "Another name." })).toBe(reference);
    expect(hash({ deadlineSlots: 10, numServers: 6 })).toBe(reference);
    expect(hash({ numServers: 6, deadlineSlots: 10 })).toBe(reference);
    expect(hash({ taskSizeMbit: { max: 5, min: 2 } })).toBe(reference);
    expect(scenarioHash(listScenarios().find(({ id }) => id === "paper-v1") as never)).toBe(reference);
  });

  it("has another hash when any field changes", () => {
    const changes: Omit<Required<ScenarioInput>, "id" | "description" | "profile" | "uplink" | "lookAhead"> = {
      numServers: 7,
      users: { perServer: 3 },
      serverCpuGHz: { min: 20, max: 49 },
      localCpuGHz: 3,
      slotSeconds: 0.2,
      densityGcyclesPerMbit: 0.3,
      taskSizeMbit: { min: 2, max: 6 },
      arrivals: { process: "bernoulli", probability: 0.31 },
      churn: {},
      deadlineSlots: 11,
      deadlinePenaltySlots: 11,
      service: "work-conserving",
      historySlots: 11,
      episodeSlots: 101,
    };
    const inner: ScenarioInput[] = [
      { uplink: { meanRateMbps: 15 } },
      { uplink: { meanSnrDb: 31 } },
      { uplink: { minRateMbps: 2 } },
      { lookAhead: { numSamples: 4 } },
      { lookAhead: { weight: 0.4 } },
      { lookAhead: { sizeFactor: { min: 0.5, max: 1.6 } } },
      { lookAhead: { mode: "sequential" } },
      { lookAhead: { rates: "resampled" } },
      { numServers: [6] },
      { numServers: { min: 6, max: 6 } },
      { arrivals: { process: "poisson", ratePerSlot: 0.3 } },
      { churn: { leaveProbability: 0 } },
      { churn: { returnProbability: 0.1 } },
    ];
    const outer = Object.entries(changes).map(([name, value]) => ({ [name]: value }) as ScenarioInput);
    const all = [{}, ...outer, ...inner].map((fields) => scenarioHash(resolveScenario(fields)));
    expect(new Set(all).size).toBe(all.length);
    // the list above names every field there is
    const { id, description, profile, uplink, lookAhead, ...rest } = resolveScenario({});
    expect(Object.keys(changes).sort()).toEqual([...Object.keys(rest), "churn"].sort());
    expect([id, description, profile]).toEqual(["custom", "", "paper"]);
    expect(Object.keys(uplink).length + Object.keys(lookAhead).length).toBe(8);
  });
});

describe("bursty arrivals", { timeout: 90_000 }, () => {
  it("come 0.3 a user and slot on average, in busy times of 10 slots and quiet ones of 20", () => {
    const scenario: ScenarioInput = {
      users: { count: 50 },
      arrivals: {
        process: "bursty",
        busyProbability: 0.6,
        quietProbability: 0.15,
        meanBusySlots: 10,
        meanQuietSlots: 20,
      },
      episodeSlots: 300,
      service: "work-conserving",
    };
    // with 50 users a slot's count tells the chain's state: 30 ± 3.5 tasks busy, 7.5 ± 2.5 quiet
    let tasks = 0;
    let busySlots = 0;
    let busyTimes = 0;
    let startsBusy = 0;
    const episodes = 200;
    for (let seed = 0; seed < episodes; seed++) {
      const env = makeEnv(scenario, { seed });
      const counts = new Array<number>(300).fill(0);
      let step = env.reset();
      for (;;) {
        counts[step.observation.slot]++;
        step = env.step(1);
        tasks++;
        if (step.truncated) break;
      }
      const isBusy = counts.map((count) => count > 18);
      if (isBusy[0]) startsBusy++;
      busySlots += isBusy.filter(Boolean).length;
      busyTimes += isBusy.filter((busy, t) => busy && !isBusy[t - 1]).length;
    }
    const slots = episodes * 300;
    expect(tasks / slots / 50).toBeCloseTo(0.3, 1.7);
    expect(busySlots / slots).toBeCloseTo(1 / 3, 1.5);
    expect(busySlots / busyTimes).toBeGreaterThan(9);
    expect(busySlots / busyTimes).toBeLessThan(11);
    // 200 starts at 1/3: 67 ± 6.7
    expect(Math.abs(startsBusy - episodes / 3)).toBeLessThan(4 * 6.7);
  });
});

describe("options of the wrong kind", () => {
  const batch = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 2 });
  batch.reset([1, 2]);
  const before = batch.snapshot(0);
  const wrong = (value: unknown) => value as never;
  const cases: [string, () => unknown, { code: string; path: string }][] = [
    ["a date as scenario", () => makeEnv(wrong(new Date())), { code: "invalidScenario", path: "scenario" }],
    ["a map as scenario", () => makeEnv(wrong(new Map())), { code: "invalidScenario", path: "scenario" }],
    ["an unknown id to hash", () => scenarioHash("paper-v0"), { code: "unknownScenario", path: "scenario" }],
    [
      "a typo in makeEnv",
      () => makeEnv("paper-v1", wrong({ sede: 3 })),
      { code: "invalidOption", path: "options/sede" },
    ],
    ["null for options", () => makeEnv("paper-v1", wrong(null)), { code: "invalidOption", path: "options" }],
    ["no options", () => new BatchEnv(wrong(undefined)), { code: "invalidOption", path: "options" }],
    [
      "a typo in BatchEnv",
      () => new BatchEnv(wrong({ scenarios: ["paper-v1"], numLanes: 1, autorest: "disabled" })),
      { code: "invalidOption", path: "options/autorest" },
    ],
    [
      "one id for a list",
      () => new BatchEnv(wrong({ scenarios: "paper-v1", numLanes: 1 })),
      { code: "invalidOption", path: "scenarios" },
    ],
    [
      "half a first lane",
      () => new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1, firstLane: -1.5 }),
      { code: "invalidOption", path: "firstLane" },
    ],
    [
      "too many scenario indices",
      () => new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1, laneScenario: [0, 0] }),
      { code: "invalidOption", path: "laneScenario" },
    ],
    [
      "a word for a switch",
      () => new BatchEnv(wrong({ scenarios: ["paper-v1"], numLanes: 1, history: "no" })),
      { code: "invalidOption", path: "history" },
    ],
    ["no actions", () => batch.step(wrong(undefined)), { code: "invalidOption", path: "actions" }],
    ["null seeds", () => batch.reset(wrong(null)), { code: "invalidOption", path: "seeds" }],
    ["a bigint action", () => batch.step(wrong([1n, 1n])), { code: "invalidAction", path: "actions/0" }],
    [
      "text in a look-ahead",
      () => batch.lookAhead(0, wrong({ sizeFactor: { min: "1", max: "2" } })),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a text weight",
      () => batch.lookAhead(0, wrong({ weight: "1" })),
      { code: "invalidOption", path: "lookAhead/weight" },
    ],
    [
      "65 samples",
      () => batch.lookAhead(0, { numSamples: 65 }),
      { code: "invalidOption", path: "lookAhead/numSamples" },
    ],
    [
      "a factor from more to less",
      () => batch.lookAhead(0, { sizeFactor: { min: 2, max: 1 } }),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a server that is none in a look-ahead",
      () => batch.lookAhead(0, { actions: [0, 7] }),
      { code: "invalidAction", path: "lookAhead/actions/1" },
    ],
    [
      "half an action in a look-ahead",
      () => batch.lookAhead(0, { actions: [0.5] }),
      { code: "invalidAction", path: "lookAhead/actions/0" },
    ],
    [
      "one action for a list of them",
      () => batch.lookAhead(0, wrong({ actions: 3 })),
      { code: "invalidOption", path: "lookAhead/actions" },
    ],
    [
      "actions for a score",
      () => lookAheadOfState(batch.scenarios[0], 1, {} as never, wrong({ actions: [1] })),
      { code: "invalidOption", path: "lookAhead/actions" },
    ],
    [
      "null as factor",
      () => batch.lookAhead(0, wrong({ sizeFactor: null })),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a typo in a look-ahead",
      () => batch.lookAhead(0, wrong({ numsamples: 3 })),
      { code: "invalidOption", path: "lookAhead/numsamples" },
    ],
    ["a number for options", () => batch.lookAhead(0, wrong(3)), { code: "invalidOption", path: "lookAhead" }],
  ];

  it.each(cases)("%s", (_name, run, expected) => {
    expect(errorOf(run)).toMatchObject(expected);
    expect(batch.snapshot(0)).toEqual(before);
  });

  it("undefined leaves a setting of the look-ahead as it is", () => {
    expect(batch.lookAhead(0, { weight: undefined } as never)).toEqual(batch.lookAhead(0));
  });

  it("a scenario hashes alike by id, by fields and complete", () => {
    expect(scenarioHash({})).toBe(scenarioHash("paper-v1"));
  });
});
