/** Lanes are independent, seeds determine episodes, and all autoreset modes play the same ones. */

import { describe, expect, it } from "vitest";
import {
  type AutoresetMode,
  BatchEnv,
  FLAG_RESET,
  makeEnv,
  nextEpisodeSeed,
  type ScenarioInput,
  TrajectoryDigest,
} from "../../../env/index.js";
import { cycle, episode, mixed, type Rule } from "../episodes.js";

describe("lanes are independent", () => {
  const scenarios: ScenarioInput[] = [
    mixed,
    { numServers: [3, 6], users: { count: 5 }, episodeSlots: 12, service: "work-conserving", historySlots: 7 },
    { numServers: 1, users: { count: 2 }, serverCpuGHz: [30], episodeSlots: 40, deadlineSlots: 3 },
  ];

  it("each lane of a mixed batch has the observations, masks, costs and statistics it has alone", () => {
    const laneScenario = [0, 1, 2, 0, 1, 2, 0];
    const seeds = [5, 6, 7, 8, 2 ** 40, 10, 5];
    const options = { history: true, maxServers: 8 } as const;
    const together = new BatchEnv({ scenarios, numLanes: 7, laneScenario, ...options, autoreset: "next-step" });
    together.reset(seeds);
    // every lane alone, in a batch with the same length of history, so that the rows have one shape
    const alone = laneScenario.map(
      (index) => new BatchEnv({ scenarios: [scenarios[index], ...scenarios], numLanes: 1, ...options }),
    );
    alone.forEach((env, lane) => {
      env.reset([seeds[lane]]);
    });
    const ended = new Array<boolean>(7).fill(false);
    for (let d = 0; ended.includes(false); d++) {
      const actions = alone.map((env, lane) => cycle(lane + 1)(d, env.outputs.numServers[0]));
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

  it("a batch with room for more servers gives the same, padded with zeros", () => {
    const narrow = new BatchEnv({ scenarios: [mixed], numLanes: 1 });
    const wide = new BatchEnv({ scenarios: [mixed], numLanes: 1, maxServers: 11 });
    narrow.reset([4]);
    wide.reset([4]);
    const size = narrow.observationSize;
    for (let d = 0; narrow.numFinal === 0; d++) {
      expect(wide.observation.slice(0, size)).toEqual(narrow.observation);
      expect(wide.observation.slice(size).every((value) => value === 0)).toBe(true);
      const action = cycle(1)(d, narrow.outputs.numServers[0]);
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
        env.step([cycle(2)(d, env.outputs.numServers[0])]);
        result.addStep(seen, env.executedAction[0], env.latencySlots[0], env.costSlots[0]);
      }
      result.endEpisode(77);
      return result.digest();
    };
    const env = new BatchEnv({ scenarios: [mixed], numLanes: 1, history: true });
    const first = digest(env);
    expect(digest(env)).toBe(first);
    // episodes abandoned at any point, even within a slot, have no effect on later ones
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
    // and the streams of one seed are independent
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

  it("an environment without seeds plays those of the split, lane by lane, episode by episode", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 3, split: "test", seed: 8, autoreset: "next-step" });
    batch.reset();
    const expected = (episodeIndex: number) => [0, 1, 2].map((lane) => nextEpisodeSeed("test", 8, lane, episodeIndex));
    expect([0, 1, 2].map((lane) => batch.lanes.episodeSeedOf(lane))).toEqual(expected(0));
    batch.reset();
    expect([0, 1, 2].map((lane) => batch.lanes.episodeSeedOf(lane))).toEqual(expected(1));
    expect(expected(0).every((seed) => seed >= 2_000_000 && seed < 2_010_000)).toBe(true);
    // another environment whose lanes are these, two lanes on
    const later = new BatchEnv({ scenarios: [mixed], numLanes: 1, split: "test", seed: 8, firstLane: 2 });
    later.reset();
    expect(later.lanes.episodeSeedOf(0)).toBe(expected(0)[2]);
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

describe("autoreset", () => {
  /** Costs of the first `numEpisodes` episodes of every lane, and the observations behind them. */
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
      const actions = decision.map((d, lane) => cycle(1)(d, batch.outputs.numServers[lane]));
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

describe("a change of lanes between two steps", () => {
  it.each([
    ["reset", (batch: BatchEnv) => batch.reset(undefined, [1, 0])],
    ["restore", (batch: BatchEnv) => batch.restore(1, batch.snapshot(1))],
    ["restoreAll", (batch: BatchEnv) => batch.restoreAll(batch.snapshotAll())],
    ["fork", (batch: BatchEnv) => batch.fork(0, 1)],
  ])("leaves no episodes that have ended in the step before: %s", (_name, change) => {
    const batch = new BatchEnv({ scenarios: [{ episodeSlots: 3 }], numLanes: 2, autoreset: "same-step" });
    batch.reset([1_000_001, 1_000_002]);
    while (batch.numFinal === 0) batch.step([0, 0]);
    change(batch);
    expect(batch.numFinal).toBe(0);
  });
});
