/** Tuning: the searches, the manifest that keeps their results, and the policies that use them. */

import { describe, expect, it } from "vitest";
import { InlineRunner } from "../../../benchmarks/jobs/job-queue.js";
import { EpisodePlayer } from "../../../benchmarks/play/episode-player.js";
import { adaptiveFeatures, makeAdaptive } from "../../../benchmarks/policies/adaptive.js";
import { findPolicy, makePolicy, makePriced, referenceOf, tollSlotsOf } from "../../../benchmarks/policies/index.js";
import { adaptiveWeights } from "../../../benchmarks/policies/manifest.js";
import manifest from "../../../benchmarks/policies/manifest.json" with { type: "json" };
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { suites } from "../../../benchmarks/suites/suites.js";
import { CmaEs } from "../../../benchmarks/tuning/cma-es.js";
import { trainingLoads, tuneAdaptive } from "../../../benchmarks/tuning/tune-adaptive.js";
import { MOST_TOLLS, TOLL_GRID_SLOTS, tunePriced } from "../../../benchmarks/tuning/tune-priced.js";
import { tuneReference } from "../../../benchmarks/tuning/tune-reference.js";
import { checkTuningSeeds } from "../../../benchmarks/tuning/tuning-seeds.js";
import { createStream, resolveScenario } from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";

/** Runs a search to its end. */
function finish<T>(steps: Generator<string, T>): { result: T; episodes: number } {
  for (let episodes = 0; ; episodes++) {
    const step = steps.next();
    if (step.done) return { result: step.value, episodes };
  }
}

describe("tunePriced", () => {
  const { result, episodes } = finish(tunePriced("load-24-users-v1", 4, 1_000_000));

  it("tries the whole grid and two points around each best one, every κ on the same episodes", () => {
    const tolls = result.rows.map((row) => row.tollSlots);
    expect(tolls).toEqual([...tolls].sort((a, b) => a - b));
    for (const toll of TOLL_GRID_SLOTS) expect(tolls).toContain(toll);
    expect(tolls.length).toBe(MOST_TOLLS);
    expect(episodes).toBe(4 * MOST_TOLLS);
  });

  it("gives the costs of playing each κ, and the smallest as the best", () => {
    const player = new EpisodePlayer(resolveScenario("load-24-users-v1"));
    let cost = 0;
    let count = 0;
    for (let seed = 1_000_000; seed < 1_000_004; seed++) {
      const { decisions } = player.play(makePriced(2), seed);
      for (let i = 0; i < decisions.length; i++) cost += decisions.costSlots(i);
      count += decisions.length;
    }
    const row = result.rows.find((one) => one.tollSlots === 2);
    expect(row?.averageLatencySlots.value).toBeCloseTo(cost / count, 12);
    const least = Math.min(...result.rows.map((one) => one.averageLatencySlots.value));
    expect(result.best.averageLatencySlots.value).toBe(least);
    for (const one of result.rows) {
      const difference = one.averageLatencySlots.value - least;
      expect(one.differenceToBestSlots.value).toBeCloseTo(difference, 12);
      expect(one.differenceToBestSlots.low).toBeLessThanOrEqual(difference + 1e-9);
      expect(one.differenceToBestSlots.high).toBeGreaterThanOrEqual(difference - 1e-9);
    }
  });

  it("refuses a scenario that does not exist and seeds beyond the last", () => {
    expect(() => finish(tunePriced("paper-v0", 2, 0))).toThrow(/unknownScenario/);
    expect(() => finish(tunePriced("paper-v1", 2, Number.MAX_SAFE_INTEGER))).toThrow(/invalidSeed at --seed/);
  });

  it("refuses test seeds, and seeds that run past the end of their split", () => {
    expect(() => finish(tunePriced("paper-v1", 2, 2_000_000))).toThrow(
      "invalidSeed at --seed: expected seeds within 0 to 999999 (train) or 1000000 to 1009999 (validation), " +
        'because test seeds choose nothing, got "seeds 2000000 to 2000001"',
    );
    for (const [first, count] of [
      [2_009_999, 2],
      [1_009_999, 2],
      [1_500_000, 2],
      [999_999, 2],
    ]) {
      expect(() => finish(tunePriced("paper-v1", count, first))).toThrow(/invalidSeed at --seed/);
    }
    expect(() => checkTuningSeeds(999_999, 1, "--seed")).not.toThrow();
    expect(() => checkTuningSeeds(1_009_998, 2, "--seed")).not.toThrow();
    expect(() => checkTuningSeeds(1_000_000, 2, "--seed", ["train"])).toThrow(/invalidSeed at --seed/);
  });
});

describe("CmaEs", () => {
  const searchOf = (seed: number) =>
    new CmaEs({ start: [3, -2, 1, 4], deviation: 1, population: 10, uniform: createStream(`test/${seed}`) });
  /** An ellipsoid with axes of 1 : 100, rotated against the coordinates, with its minimum at (1, 1, 1, 1). */
  const ellipsoid = ([a, b, c, d]: ArrayLike<number> & Iterable<number>) => {
    const [x, y, z, w] = [a - 1, b - 1, c - 1, d - 1];
    return (x + y) * (x + y) + 100 * (x - y) * (x - y) + (z - w) * (z - w) + 10_000 * (z + w) * (z + w);
  };
  const play = (search: CmaEs, generations: number) => {
    for (let g = 0; g < generations; g++) search.tell(search.ask().map(ellipsoid));
    return search;
  };

  it("finds the minimum of an ellipsoid that is not aligned with the coordinates", () => {
    for (const seed of [1, 2, 3]) {
      const { mean, deviation } = play(searchOf(seed), 250);
      for (const value of mean) expect(value).toBeCloseTo(1, 4);
      expect(deviation).toBeLessThan(1e-3);
    }
  });

  it("draws the first points from a normal distribution around the start, with the stated deviation", () => {
    const search = new CmaEs({ start: [5, 0], deviation: 2, population: 4000, uniform: createStream("test/draws") });
    const points = search.ask();
    for (const [i, centre] of [5, 0].entries()) {
      const mean = points.reduce((sum, point) => sum + point[i], 0) / 4000;
      const square = points.reduce((sum, point) => sum + (point[i] - mean) * (point[i] - mean), 0) / 4000;
      expect(Math.abs(mean - centre)).toBeLessThan((4 * 2) / Math.sqrt(4000));
      expect(square).toBeGreaterThan(4 * 0.9);
      expect(square).toBeLessThan(4 * 1.1);
    }
  });

  it("is the same for the same draws", () => {
    expect([...play(searchOf(7), 20).mean]).toEqual([...play(searchOf(7), 20).mean]);
    expect([...play(searchOf(7), 20).mean]).not.toEqual([...play(searchOf(8), 20).mean]);
  });
});

describe("tuneAdaptive", () => {
  const lesson = { scenario: "size-6-mbit-long-v1", slots: 100, weight: 1, lossFactor: 2 };
  const search = (generations: number, firstSeed = 0) => finish(tuneAdaptive(generations, 8, firstSeed, [lesson]));

  it("gives weights that cost less than the first ones, gives the same ones again, and counts episodes", () => {
    const { result, episodes } = search(30);
    expect(episodes).toBe(30);
    expect(result.episodes).toBe(30 * 9 + 20);
    expect(search(30).result).toEqual(result);
    expect(Object.keys(result.weights)).toEqual([...adaptiveFeatures]);
    const costOf = (weights: Readonly<Record<string, number>>) => {
      const player = new EpisodePlayer(resolveScenario("size-6-mbit-v1"));
      let sum = 0;
      for (let seed = 500; seed < 520; seed++) {
        const { decisions } = player.play(makeAdaptive(adaptiveFeatures.map((name) => weights[name])), seed);
        for (let i = 0; i < decisions.length; i++) sum += decisions.costSlots(i);
      }
      return sum;
    };
    expect(costOf(result.weights)).toBeLessThan(costOf(search(1).result.weights));
  });

  it("plays only training seeds", () => {
    for (const first of [1_000_000, 2_000_000, 999_999]) {
      expect(() => search(2, first)).toThrow(/invalidSeed at --seed: expected seeds within 0 to 999999 \(train\), /);
    }
    expect(() => finish(tuneAdaptive(1, 3, 0, [lesson]))).toThrow(/invalidOption at --population/);
  });
});

describe("tuneReference", () => {
  const id = "load-30-users-v1";
  const choose = (names: readonly string[], firstSeed = 1_000_000, scenario = id) =>
    tuneReference(scenario, names, 3, firstSeed, new InlineRunner());

  it("takes the candidate that is best on shared validation seeds", async () => {
    const choice = await choose(["random", "oracle", "adaptive"]);
    const player = new EpisodePlayer(resolveScenario(id));
    const averages = ["random", "oracle", "adaptive"].map((name) => {
      let sum = 0;
      let count = 0;
      for (let seed = 1_000_000; seed < 1_000_003; seed++) {
        const { decisions } = player.play(makePolicy(name, seed, id), seed);
        for (let i = 0; i < decisions.length; i++) sum += decisions.costSlots(i);
        count += decisions.length;
      }
      return { policy: name, value: sum / count };
    });
    averages.sort((a, b) => a.value - b.value);
    expect(choice.reference).toBe(averages[0].policy);
    expect(choice.candidates.map(({ policy }) => policy)).toEqual(averages.map(({ policy }) => policy));
    for (const [i, { averageLatencySlots, differenceToBestSlots }] of choice.candidates.entries()) {
      expect(averageLatencySlots.value).toBeCloseTo(averages[i].value, 9);
      expect(differenceToBestSlots.value).toBeCloseTo(averages[i].value - averages[0].value, 9);
    }
    expect(await choose(["random", "oracle", "adaptive"])).toEqual(choice);
  });

  it("refuses seeds outside the validation split, and candidates that see the future", async () => {
    await expect(choose(["oracle"], 2_000_000)).rejects.toThrow(/invalidSeed at --seed: .*\(validation\)/);
    await expect(choose(["oracle"], 0)).rejects.toThrow(/invalidSeed/);
    await expect(choose(["oracle", "clairvoyant"])).rejects.toThrow(
      /invalidOption at --policies: .*nothing of the future/,
    );
    await expect(choose(["orakel"])).rejects.toThrow(/unknownPolicy/);
    await expect(choose(["oracle"], 1_000_000, "paper-v0")).rejects.toThrow(/unknownScenario/);
  });
});

describe("the manifest", () => {
  it("says how the weights of adaptive were fitted, on training seeds", () => {
    const { weights, fit } = manifest.adaptive;
    expect(Object.keys(weights)).toEqual([...adaptiveFeatures]);
    expect(adaptiveWeights).toEqual(Object.values(weights));
    expect(() => checkTuningSeeds(fit.firstSeed, fit.generations, "fit", ["train"])).not.toThrow();
    expect(Object.keys(fit.logRatios)).toEqual(trainingLoads.map(({ scenario }) => scenario));
  });

  const ids = [...new Set(suites.flatMap((suite) => suite.settings.map((setting) => setting.scenario)))];

  it.each(ids)("%s has a toll, and a reference that does not see the future", (id) => {
    const tuning = manifest.scenarios[id as keyof typeof manifest.scenarios];
    expect(tuning.tollSlots).toBeGreaterThanOrEqual(0);
    expect(findPolicy(tuning.reference).isClairvoyant).toBeUndefined();
    expect(referenceOf(id)).toBe(tuning.reference);
    // the best of the figures that it was chosen by, on validation seeds
    const { firstSeed, episodes, averageLatencySlots } = tuning.chosenFrom;
    expect(() => checkTuningSeeds(firstSeed, episodes, id, ["validation"])).not.toThrow();
    const [best] = Object.entries(averageLatencySlots).sort(([, a], [, b]) => a[0] - b[0]);
    expect(best[0]).toBe(tuning.reference);
    expect(Object.keys(averageLatencySlots)).toEqual(expect.arrayContaining(["oracle", "priced", "adaptive"]));
    expect(tollSlotsOf(resolveScenario(id))).toBe(tuning.tollSlots);
  });

  it("knows a scenario by its content, not by its id", () => {
    const long = resolveScenario("load-30-users-long-v1");
    expect(tollSlotsOf(resolveScenario({ ...long, id: "mine" }))).toBe(
      manifest.scenarios["load-30-users-long-v1"].tollSlots,
    );
    expect(tollSlotsOf(resolveScenario({ ...long, historySlots: 3 }))).toBe(1);
    expect(referenceOf(resolveScenario({ ...long, historySlots: 3 }))).toBeUndefined();
  });

  it("determines how `priced` plays, and results name the toll", async () => {
    const id = "load-24-users-v1";
    const scenario = resolveScenario(id);
    const { tollSlots } = manifest.scenarios[id];
    const actions = (policy: ReturnType<typeof makePolicy>) =>
      new EpisodePlayer(scenario).play(policy, 5).decisions.actions();
    expect(actions(makePolicy("priced", 0, id))).toEqual(actions(makePriced(tollSlots)));
    expect(findPolicy("priced").parameters?.(scenario)).toEqual({ tollSlots });
    const suite = {
      id: "one",
      description: "",
      notes: [],
      settings: [{ id, scenario: id, protocol: "episodic" as const, reported: [] }],
    };
    const result = await runSuite(suite, {
      policies: ["priced", "oracle"],
      episodes: 2,
      firstSeed: 0,
      packageVersion: "0",
      runtime: { node: "", platform: "", arch: "" },
    });
    expect(result.settings[0].policies.map(({ policy }) => policy)).toEqual([
      { name: "priced", kind: "native", parameters: { tollSlots } },
      { name: "oracle", kind: "native" },
    ]);
    expect(findProblem("result", structuredClone(result))).toBeUndefined();
  });
});
