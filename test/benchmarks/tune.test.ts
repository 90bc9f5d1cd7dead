/** What is tuned: the search for κ, the manifest that keeps it, and that `priced` plays with it. */

import { describe, expect, it } from "vitest";
import {
  findPolicy,
  makePolicy,
  makePriced,
  policies,
  referenceOf,
  tollSlotsOf,
} from "../../benchmarks/policies/index.js";
import manifest from "../../benchmarks/policies/manifest.json" with { type: "json" };
import { runSuite } from "../../benchmarks/run-suite.js";
import { EpisodePlayer } from "../../benchmarks/runner.js";
import { suites } from "../../benchmarks/suites.js";
import { MOST_TOLLS, TOLL_GRID_SLOTS, tunePriced } from "../../benchmarks/tune-priced.js";
import { checkTuningSeeds } from "../../benchmarks/tuning-seeds.js";
import { resolveScenario } from "../../env/index.js";
import { findProblem } from "../../schemas/validate.js";

/** Plays a search to its end. */
function finish<T>(steps: Generator<string, T>): { result: T; episodes: number } {
  for (let episodes = 0; ; episodes++) {
    const step = steps.next();
    if (step.done) return { result: step.value, episodes };
  }
}

describe("tunePriced", () => {
  const { result, episodes } = finish(tunePriced("load-24-users-v1", 4, 1_000_000));

  it("tries the whole grid and two points around each best, every κ on the same episodes", () => {
    const tolls = result.rows.map((row) => row.tollSlots);
    expect(tolls).toEqual([...tolls].sort((a, b) => a - b));
    for (const toll of TOLL_GRID_SLOTS) expect(tolls).toContain(toll);
    expect(tolls.length).toBe(MOST_TOLLS);
    expect(episodes).toBe(4 * MOST_TOLLS);
  });

  it("gives what playing that κ gives, and the smallest of all as the best", () => {
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

  it("refuses test seeds, and seeds that run from one split into what lies behind it", () => {
    expect(() => finish(tunePriced("paper-v1", 2, 2_000_000))).toThrow(
      "invalidSeed at --seed: expected seeds within 0 to 999999 (train) or 1000000 to 1009999 (validation), " +
        'for test seeds choose nothing, got "seeds 2000000 to 2000001"',
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

describe("the manifest", () => {
  const ids = [...new Set(suites.flatMap((suite) => suite.settings.map((setting) => setting.scenario)))];

  it.each(ids)("%s has a toll and a reference that sees nothing of the future", (id) => {
    const tuning = manifest[id as keyof typeof manifest];
    expect(tuning.tollSlots).toBeGreaterThanOrEqual(0);
    expect(policies.map((policy) => policy.name)).toContain(tuning.reference);
    expect(referenceOf(id)).toBe(tuning.reference);
    expect(tollSlotsOf(resolveScenario(id))).toBe(tuning.tollSlots);
  });

  it("knows a scenario by its content, not by its id", () => {
    const long = resolveScenario("load-30-users-long-v1");
    expect(tollSlotsOf(resolveScenario({ ...long, id: "mine" }))).toBe(manifest["load-30-users-long-v1"].tollSlots);
    expect(tollSlotsOf(resolveScenario({ ...long, historySlots: 3 }))).toBe(1);
    expect(referenceOf(resolveScenario({ ...long, historySlots: 3 }))).toBeUndefined();
  });

  it("decides what `priced` plays, and results name it", async () => {
    const id = "load-24-users-v1";
    const scenario = resolveScenario(id);
    const { tollSlots } = manifest[id];
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
