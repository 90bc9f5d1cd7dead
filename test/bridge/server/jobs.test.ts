/** Jobs: data sets, suite runs and verifications, in pages, and their cancellation. */

import { describe, expect, it } from "vitest";
import { benchmarkJobs } from "../../../bridge/composition/benchmark-jobs.js";
import { defaultLimits } from "../../../bridge/server/limits.js";
import { ask, granted, makeDispatcher, newId } from "../dispatcher-client.js";
import { JOB_MS, jobEnd } from "../job-client.js";

describe("jobs", () => {
  const dispatcher = makeDispatcher("inline", {
    jobs: benchmarkJobs(1),
    limits: { ...defaultLimits, maxReplyBytes: 4096 },
  });
  const pagesOf = async (job: string, pages: number) => {
    const bodies: Uint8Array[] = [];
    for (let page = 0; page < pages; page++) {
      bodies.push((await granted(dispatcher, { op: "job-result", requestId: newId(), job, page })).body as Uint8Array);
    }
    return Buffer.concat(bodies).toString();
  };

  it(
    "make a data set in pages and report their progress; a repeated request returns the same job",
    async () => {
      const start = { op: "dataset", requestId: newId(), kind: "grpo", count: 5 };
      const { result } = await granted(dispatcher, start);
      expect((await granted(dispatcher, start)).result).toEqual(result);
      const early = await ask(dispatcher, { op: "job-result", requestId: newId(), job: result.job, page: 0 });
      expect(early.error?.code).toBe("jobNotDone");
      const status = await jobEnd(dispatcher, result.job);
      expect(status.result).toMatchObject({ state: "done", done: 5, total: 5, mediaType: "application/jsonl" });
      const text = await pagesOf(result.job, status.result.pages);
      expect(text.trim().split("\n")).toHaveLength(5);
      expect(JSON.parse(text.split("\n")[4])).toMatchObject({ kind: "grpo", index: 4 });
      const beyond = await ask(dispatcher, {
        op: "job-result",
        requestId: newId(),
        job: result.job,
        page: status.result.pages,
      });
      expect(beyond.error?.code).toBe("invalidRequest");
      await granted(dispatcher, { op: "cancel", requestId: newId(), job: result.job });
      expect((await ask(dispatcher, { op: "job-status", requestId: newId(), job: result.job })).error?.code).toBe(
        "unknownJob",
      );
    },
    JOB_MS,
  );

  it(
    "play a suite, and end early when they are cancelled",
    async () => {
      const start = (episodes: number) => ({
        op: "evaluate",
        requestId: newId(),
        suite: "paper-table-2",
        policies: ["oracle"],
        episodes,
      });
      const { job } = (await granted(dispatcher, start(2))).result;
      const { pages } = (await jobEnd(dispatcher, job)).result;
      expect(JSON.parse(await pagesOf(job, pages))).toMatchObject({
        suite: "paper-table-2",
        settings: expect.any(Array),
      });
      const long = (await granted(dispatcher, start(65_535))).result.job;
      expect((await granted(dispatcher, { op: "cancel", requestId: newId(), job: long })).result.state).toBe("running");
      expect((await jobEnd(dispatcher, long)).result.state).toBe("cancelled");
    },
    JOB_MS,
  );

  it("refuse a result that is nested deeply", async () => {
    const deep = Buffer.from("[".repeat(100_000) + "]".repeat(100_000));
    const { error } = await ask(dispatcher, { op: "verify", requestId: newId() }, deep);
    expect(error).toMatchObject({ code: "invalidRecord", path: "body" });
    expect(error?.expected).toMatch(/more than 64 levels/);
  });

  it.each(["paper-table-2", "paper-table-4"])(
    "verify a result of %s: its own logs give its figures, and changed logs do not",
    async (suite) => {
      const start = { op: "evaluate", requestId: newId(), suite, policies: ["random"], episodes: 3 };
      const { job } = (await granted(dispatcher, start)).result;
      const text = await pagesOf(job, (await jobEnd(dispatcher, job)).result.pages);
      const verify = async (body: Uint8Array) => {
        const { result } = await granted(dispatcher, { op: "verify", requestId: newId() }, body);
        const { state, pages } = (await jobEnd(dispatcher, result.job)).result;
        expect(state).toBe("done");
        return JSON.parse(await pagesOf(result.job, pages));
      };
      const report = await verify(Buffer.from(text));
      expect(report.problems).toEqual([]);
      expect(report.checked.length).toBeGreaterThan(0);
      const changed = JSON.parse(text);
      const log = changed.settings[0].policies[0].actions[1];
      log[0] = log[0] === 0 ? 1 : 0;
      const { problems } = await verify(Buffer.from(JSON.stringify(changed)));
      expect(problems.map(({ path }: { path: string }) => path)).toContain(
        "/settings/0/policies/0/metrics/averageLatencySlots/value",
      );
      changed.settings[0].policies[0].actions[1].push(0);
      const longer = await verify(Buffer.from(JSON.stringify(changed)));
      expect(longer.problems[0].path).toBe("/settings/0/policies/0/actions/1");
      expect((await ask(dispatcher, { op: "verify", requestId: newId() }, Buffer.from("{}"))).error?.code).toBe(
        "invalidRecord",
      );
    },
    JOB_MS,
  );

  it("refuse at once what does not exist", async () => {
    const codes: (string | undefined)[] = [];
    for (const fields of [
      { op: "dataset", kind: "sft", scenario: "nowhere" },
      { op: "dataset", kind: "sft", firstSeed: 2_000_000 },
      { op: "evaluate", suite: "nothing", policies: ["oracle"] },
      { op: "evaluate", suite: "paper-table-2", policies: ["nobody"] },
      { op: "job-status", job: "0".repeat(32) },
    ]) {
      codes.push((await ask(dispatcher, { requestId: newId(), ...fields })).error?.code);
    }
    expect(codes).toEqual(["unknownScenario", "invalidSeed", "unknownSuite", "unknownPolicy", "unknownJob"]);
  });

  it(
    "that have ended make room for new ones once their client is silent, the most silent first",
    async () => {
      let nowMs = 0;
      const limits = { ...defaultLimits, maxJobs: 2, leaseSeconds: 0 };
      const crowded = makeDispatcher("inline", { jobs: benchmarkJobs(1), limits, nowMs: () => nowMs });
      const start = () => ask(crowded, { op: "dataset", requestId: newId(), kind: "sft", count: 1 });
      const stateOf = async (job: string) => {
        const { result, error } = await ask(crowded, { op: "job-status", requestId: newId(), job });
        return error?.code ?? result.state;
      };
      const first = (await start()).result.job;
      await jobEnd(crowded, first);
      nowMs = 1000;
      const second = (await start()).result.job;
      await jobEnd(crowded, second);
      nowMs = 60_999;
      await jobEnd(crowded, first); // its client is still there
      expect((await start()).error?.code).toBe("tooManyJobs");
      nowMs = 61_001;
      const third = (await start()).result.job;
      expect([await stateOf(first), await stateOf(second)]).toEqual(["done", "unknownJob"]);
      expect((await start()).error?.code).toBe("tooManyJobs");
      await jobEnd(crowded, third);
    },
    JOB_MS,
  );
});
