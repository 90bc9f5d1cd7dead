/** Joined runs: parts give the result of the whole run, bit for bit, and their episodes are not played again. */

import { describe, expect, it } from "vitest";
import { InlineRunner } from "../../../benchmarks/jobs/job-queue.js";
import type { Job, JobResult, JobRunner } from "../../../benchmarks/jobs/jobs.js";
import { LogRunner } from "../../../benchmarks/runs/joined-runs.js";
import { type RunOptions, runSuite } from "../../../benchmarks/runs/run-suite.js";
import type { Suite } from "../../../benchmarks/suites/suites.js";
import type { Result } from "../../../schemas/generated/types.js";

const suite: Suite = {
  id: "joined",
  description: "",
  settings: [
    { id: "static", scenario: "paper-3-servers-v1", protocol: "static", reported: [] },
    { id: "churn", scenario: "churn-v1", protocol: "episodic", reported: [] },
    { id: "bursty", scenario: "bursty-v1", protocol: "episodic", reference: "priced", reported: [] },
  ],
  notes: [],
};
const options: RunOptions = {
  policies: ["oracle", "random", "round-robin"],
  firstSeed: 1_000_000,
  episodes: 9,
  packageVersion: "1.2.3",
  runtime: { node: "v20.0.0", platform: "linux", arch: "x64" },
};
const frame = { suite: suite.id, packageVersion: options.packageVersion };

const play = (firstSeed: number, episodes: number, runner?: JobRunner) =>
  runSuite(suite, { ...options, firstSeed, episodes, ...(runner === undefined ? {} : { runner }) });

/** Plays the seeds in parts with these sizes. */
async function playParts(sizes: readonly number[]): Promise<[string, Result][]> {
  let firstSeed = options.firstSeed;
  const parts: [string, Result][] = [];
  for (const size of sizes) {
    parts.push([`part-${parts.length}`, await play(firstSeed, size)]);
    firstSeed += size;
  }
  return parts;
}

/** Counts the episodes that are played, by policy. */
class CountingRunner implements JobRunner {
  readonly #inner = new InlineRunner();
  readonly played: Record<string, number> = {};

  run<J extends Job>(job: J): Promise<JobResult<J>> {
    if (job.kind === "play" && job.states === undefined)
      this.played[job.policy] = (this.played[job.policy] ?? 0) + job.count;
    return this.#inner.run(job);
  }
}

describe("parts of a run", () => {
  it.each([[[9]], [[4, 5]], [[2, 2, 2, 3]], [[3, 2, 4]]])("of %j seeds give the bytes of the whole", async (sizes) => {
    const counting = new CountingRunner();
    const joined = await play(options.firstSeed, 9, new LogRunner(counting, frame, await playParts(sizes)));
    expect(JSON.stringify(joined)).toBe(JSON.stringify(await play(options.firstSeed, 9)));
    // the reference is not among the policies of the parts
    expect(counting.played).toEqual({ priced: 9 });
  });

  it("need not be complete: the rest is played", async () => {
    const counting = new CountingRunner();
    const [first] = await playParts([5]);
    const joined = await play(options.firstSeed, 9, new LogRunner(counting, frame, [first]));
    expect(JSON.stringify(joined)).toBe(JSON.stringify(await play(options.firstSeed, 9)));
    expect(counting.played.random).toBeGreaterThan(0);
  });

  it("are played again if their policy had other weights", async () => {
    const names = { ...options, policies: ["adaptive"], episodes: 2 };
    const part = await runSuite(suite, names);
    const joined = async (parts: [string, Result][]) => {
      const counting = new CountingRunner();
      const result = await runSuite(suite, { ...names, runner: new LogRunner(counting, frame, parts) });
      expect(JSON.stringify(result)).toBe(JSON.stringify(part));
      return counting.played.adaptive;
    };
    expect(await joined([["same", part]])).toBeUndefined();
    const other = structuredClone(part);
    for (const { policies } of other.settings) {
      const [{ policy, actions }] = policies;
      Object.assign(policy.parameters as object, { [Object.keys(policy.parameters as object)[0]]: 99 });
      // what a policy of other weights did
      for (const log of actions) log.fill(0);
    }
    expect(await joined([["other", other]])).toBe(4);
  });

  it("with a decision that cannot be taken are refused", async () => {
    const parts = await playParts([4, 5]);
    parts[1][1].settings[1].policies[1].actions[2][7] = 60;
    await expect(play(options.firstSeed, 9, new LogRunner(new InlineRunner(), frame, parts))).rejects.toMatchObject({
      code: "invalidRecord",
      path: "random, seed 1000006/7",
      got: 60,
    });
  });

  it("of another suite or version are refused", async () => {
    const parts = await playParts([2]);
    for (const [field, value] of Object.entries({ suite: "other", packageVersion: "1.2.4" })) {
      const make = () => new LogRunner(new InlineRunner(), { ...frame, [field]: value }, parts);
      expect(make).toThrow(expect.objectContaining({ code: "invalidRecord", path: `part-0/${field}` }));
    }
  });
});
