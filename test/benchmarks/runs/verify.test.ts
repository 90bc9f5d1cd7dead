/** Verification: sound results pass, and every kind of damage is found in its place. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { WorkerPool } from "../../../benchmarks/jobs/worker-pool.js";
import { parseResult } from "../../../benchmarks/result-file.js";
import { differences } from "../../../benchmarks/runs/differences.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { verifyResult } from "../../../benchmarks/runs/verify.js";
import { findSuite, type Suite } from "../../../benchmarks/suites/suites.js";
import type { Result } from "../../../schemas/generated/types.js";
import { root } from "../../bridge/processes.js";

const options = {
  episodes: 4,
  firstSeed: 2_000_000,
  packageVersion: "0",
  runtime: { node: "", platform: "", arch: "" },
};
const play = (suite: Suite, policies: string[], episodes = options.episodes) =>
  runSuite(suite, { ...options, policies, episodes });
/** The result as it is read from a file. */
const written = (result: Result): Result => parseResult(JSON.stringify(result), "result.json");

let result: Result;
beforeAll(async () => {
  // one policy draws, one remembers; the policies that figures are compared with are not in the file
  result = written(await play(findSuite("paper-table-2"), ["random", "round-robin"]));
}, 60_000);

describe("verifyResult", { timeout: 300_000 }, () => {
  it("verifies the result of a run, and says what it replayed", async () => {
    expect(await verifyResult(result)).toEqual({
      suite: "paper-table-2",
      checked: [
        "static random: 4 states",
        "static round-robin: 4 states",
        "episodic random: 4 episodes",
        "episodic round-robin: 4 episodes",
      ],
      problems: [],
    });
  });

  it("says if the result was made with another core", async () => {
    const { coreSha256, ...older } = result;
    expect(coreSha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await verifyResult(older)).note).toBeUndefined();
    const { note, problems } = await verifyResult({ ...result, coreSha256: "0".repeat(64) });
    expect(problems).toEqual([]);
    expect(note).toBe(`made with the core 000000000000, replayed with ${coreSha256?.slice(0, 12)}`);
  });

  it("verifies fixed sizes, servers that leave, and foresight", async () => {
    const sizes = findSuite("paper-table-3");
    expect((await verifyResult(written(await play(sizes, ["lacs"])))).problems).toEqual([]);
    for (const [id, setting] of [
      ["churn", "paper"],
      ["foresight", "size-8-mbit"],
    ]) {
      const suite = findSuite(id);
      const part = { ...suite, settings: suite.settings.filter((one) => one.id === setting) };
      const played = written(await play(part, ["oracle", "two-choices"], 2));
      expect(played.settings[0].referencePolicy).toBeDefined();
      expect((await verifyResult(played)).problems).toEqual([]);
    }
  });

  it("gives the same report for any number of threads, and reports its progress", async () => {
    const damaged = structuredClone(result);
    damaged.settings[1].policies[1].actions[2][3] = 99;
    damaged.settings[0].policies[0].actionCounts[0]++;
    const alone = await verifyResult(damaged);
    expect(alone.problems.map(({ path }) => path)).toEqual([
      "/settings/0/policies/0/actionCounts/0",
      "/settings/1/policies/1/actions/2/3",
    ]);
    for (const numWorkers of [1, 3]) {
      const pool = new WorkerPool(numWorkers);
      const told: number[] = [];
      const onProgress = (done: number, total: number) => told.push(done / total);
      expect(await verifyResult(damaged, { runner: pool, onProgress })).toEqual(alone);
      await pool.close();
      expect(told).toEqual([...told].sort((a, b) => a - b));
      expect(told[told.length - 1]).toBeLessThanOrEqual(1);
    }
  });

  it("depends only on the log: a policy of another name with the same decisions passes", async () => {
    const renamed = structuredClone(result);
    for (const { policies } of renamed.settings) policies[0].policy = { name: "local", kind: "native" };
    expect((await verifyResult(renamed)).problems).toEqual([]);
  });

  // biome-ignore lint/suspicious/noExplicitAny: damage takes any shape
  type Damage = (file: any) => void;
  const first = "/settings/1/policies/0";
  const kinds: [string, Damage, string | RegExp][] = [
    ["another suite", (r) => (r.suite = "paper-table-5"), "/settings/0/scenario/id"],
    ["a suite that does not exist", (r) => (r.suite = "paper-table-9"), "/suite"],
    ["another number of resamples", (r) => (r.resamples = 1999), "/resamples"],
    ["a setting twice", (r) => (r.settings[1] = r.settings[0]), "/settings/1/id"],
    ["another protocol", (r) => (r.settings[1].protocol = "static"), "/settings/1/protocol"],
    ["another scenario", (r) => (r.settings[1].scenario.id = "load-18-users-v1"), "/settings/1/scenario/id"],
    ["another hash", (r) => (r.settings[1].scenario.hash = "0".repeat(64)), "/settings/1/scenario/hash"],
    ["another length", (r) => (r.settings[1].episodeSlots = 99), "/settings/1/episodeSlots"],
    ["no length", (r) => delete r.settings[1].episodeSlots, "/settings/1/episodeSlots"],
    ["a size that was not played", (r) => (r.settings[0].fixedSizeMbit = 2), "/settings/0/fixedSizeMbit"],
    ["another reference", (r) => (r.settings[1].referencePolicy = "local"), "/settings/1/referencePolicy"],
    ["other seeds", (r) => r.settings[1].seeds.first++, new RegExp(`^${first}/`)],
    ["other seeds of states", (r) => r.settings[0].seeds.first++, /^\/settings\/0\/policies\/0\//],
    ["seeds beyond the last", (r) => (r.settings[1].seeds.first = 2 ** 53 - 1), "/settings/1/seeds/first"],
    ["one seed more", (r) => r.settings[1].seeds.count++, `${first}/actions`],
    ["a policy that one setting lacks", (r) => r.settings[1].policies.pop(), "/settings/1/policies"],
    [
      "a policy nobody knows",
      (r) => (r.settings[0].policies[0].policy.name = "orakel"),
      "/settings/0/policies/0/policy/name",
    ],
    [
      "parameters it was not played with",
      (r) => (r.settings[1].policies[0].policy.parameters = { weight: 1 }),
      `${first}/policy/parameters/weight`,
    ],
    ["one log less", (r) => r.settings[1].policies[0].actions.pop(), `${first}/actions`],
    ["an action that cannot be taken", (r) => (r.settings[1].policies[0].actions[1][5] = 7), `${first}/actions/1/5`],
    ["a log too short", (r) => r.settings[1].policies[0].actions[2].pop(), `${first}/actions/2`],
    ["a log too long", (r) => r.settings[1].policies[0].actions[3].push(0), `${first}/actions/3`],
    ["two answers to a state", (r) => r.settings[0].policies[0].actions[3].push(0), "/settings/0/policies/0/actions/3"],
    ["no answer to a state", (r) => r.settings[0].policies[0].actions[3].pop(), "/settings/0/policies/0/actions/3"],
    [
      "another unit",
      (r) => (r.settings[1].policies[0].metrics.averageLatencySlots.unit = "ms"),
      /averageLatencySlots\/unit$/,
    ],
    [
      "a figure that is missing",
      (r) => delete r.settings[1].policies[0].metrics.foresight,
      `${first}/metrics/foresight`,
    ],
    ["a stability that was not judged", (r) => (r.settings[1].policies[0].isUnstable = false), `${first}/isUnstable`],
    [
      "a difference's lower end",
      (r) => (r.settings[1].policies[0].differenceToOracleSlots.low -= 0.5),
      `${first}/differenceToOracleSlots/low`,
    ],
  ];
  it.each(kinds)("finds %s", async (_, damage, path) => {
    const damaged = structuredClone(result);
    damage(damaged);
    const { problems } = await verifyResult(damaged);
    expect(problems[0]?.path).toMatch(typeof path === "string" ? new RegExp(`^${path}$`) : path);
    expect(problems[0].got).toBeDefined();
    expect(problems[0].expected).not.toBe("");
  });

  it("finds every changed action", async () => {
    const property = fc.asyncProperty(fc.nat(3), fc.nat(), fc.integer({ min: 1, max: 6 }), async (episode, at, by) => {
      const damaged = structuredClone(result);
      const log = damaged.settings[1].policies[0].actions[episode];
      const decision = at % log.length;
      log[decision] = (log[decision] + by) % 7;
      const [problem] = (await verifyResult(damaged)).problems;
      expect(problem?.path).toMatch(/^\/settings\/1\/policies\/0\//);
    });
    await fc.assert(property, { numRuns: 15 });
  });

  it("finds every figure that is off by the last bit, and names it", async () => {
    const property = fc.asyncProperty(fc.nat(1), fc.nat(), fc.boolean(), async (setting, which, isUp) => {
      const damaged = structuredClone(result);
      const { metrics, differenceToOracleSlots } = damaged.settings[setting].policies[1];
      const at = `/settings/${setting}/policies/1`;
      const numbers = [
        ...Object.entries(metrics).map(([name, estimate]) => [`${at}/metrics/${name}`, estimate] as const),
        [`${at}/differenceToOracleSlots`, differenceToOracleSlots] as const,
      ].flatMap(([path, estimate]) =>
        estimate === null ? [] : (["value", "low", "high"] as const).map((end) => ({ path, estimate, end })),
      );
      const { path, estimate, end } = numbers[which % numbers.length];
      const before = estimate[end];
      estimate[end] = neighbour(before, isUp);
      expect((await verifyResult(damaged)).problems).toEqual([
        { path: `${path}/${end}`, expected: JSON.stringify(before), got: estimate[end] },
      ]);
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

/** The double next to a number. */
function neighbour(value: number, isUp: boolean): number {
  if (value === 0) return isUp ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const bits = new BigInt64Array(new Float64Array([value]).buffer);
  bits[0] += isUp ? 1n : -1n;
  return new Float64Array(bits.buffer)[0];
}

describe("parseResult", () => {
  const text = readFileSync(join(root, "schemas", "examples", "result", "valid", "episodic.json"), "utf8");
  const refusal = (value: unknown) => {
    try {
      parseResult(typeof value === "string" ? value : JSON.stringify(value), "r.json");
    } catch (error) {
      return error;
    }
    return undefined;
  };
  it("refuses text that is not a result, another profile, and a newer version by its version", () => {
    const sound = JSON.parse(text);
    expect(refusal(sound)).toBeUndefined();
    expect(refusal("{")).toMatchObject({ code: "invalidRecord", path: "r.json" });
    expect(refusal([])).toMatchObject({ code: "invalidRecord", path: "r.json" });
    expect(refusal({ ...sound, profile: "comllm-release" })).toMatchObject({ path: "r.json/profile" });
    expect(refusal({ ...sound, aNewField: 1, schemaVersion: "1.3" })).toMatchObject({
      path: "r.json/schemaVersion",
      got: "1.3",
      expected: expect.stringContaining("1.1"),
    });
    expect(refusal({ ...sound, settings: [{ ...sound.settings[0], policies: [] }] })).toMatchObject({
      path: "r.json/settings/0/policies",
    });
  });
});

describe("differences", () => {
  it("names every place, whatever the types of the values", () => {
    expect(differences({ a: [1, { b: null }], c: 1 }, { a: [2, { b: {} }], d: 3 })).toEqual([
      { path: "/a/0", expected: "1", got: 2 },
      { path: "/a/1/b", expected: "null", got: {} },
      { path: "/c", expected: "1", got: null },
      { path: "/d", expected: "nothing", got: 3 },
    ]);
    expect(differences([1], { 0: 1 })).toEqual([{ path: "", expected: "[1]", got: { 0: 1 } }]);
    expect(differences(0, -0)).toEqual([]);
  });
});
