/** What a host bears: every limit with its name in `hello` and its error, leases, slow clients, and sessions taken up again. */

import { describe, expect, it } from "vitest";
import { jobBook } from "../../../bridge/composition/benchmark-jobs.js";
import { defaultLimits, type SessionHost } from "../../../bridge/server/dispatcher.js";
import { type Limits, limitNames, limitTable } from "../../../bridge/wire/limits.js";
import { makeLayout } from "../../../bridge/wire/protocol.js";
import {
  type Answer,
  actionsBody,
  ask,
  granted,
  makeHost,
  messageOf,
  newId,
  next,
  open,
  openedOf,
  type Place,
  places,
  read,
  request,
  seedsBody,
  tell,
} from "../host-client.js";

const withLimits = (place: Place, limits: Partial<Limits>, options: object = {}) =>
  makeHost(place, { limits: { ...defaultLimits, ...limits }, ...options });

/** Error code of a request that opens a session. */
async function opening(host: SessionHost, fields: object): Promise<string | undefined> {
  const header = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 2, ...fields };
  return (await ask(host, header)).error?.code;
}

/** Error code of a score of these completions in one state. */
async function scoring(host: SessionHost, completions: string[], more: object = {}): Promise<string | undefined> {
  const state = {
    ...{ slot: 0, decisionIndex: 0, sizeMbit: 3, densityGcyclesPerMbit: 0.297, deadlineSlots: 10, penaltySlots: 10 },
    ...{ slotSeconds: 0.1, userIndex: 0, localCpuGHz: 2, localBacklogMbit: 0, localWaitSlots: 0, numServers: 1 },
    ...{ rateMbps: [14], cpuGHz: [30], activeTasks: [0], workloadMbit: [0], workloadHistoryMbit: [[0]] },
  };
  const json = Buffer.from(JSON.stringify({ episodeSeed: 1, state }));
  const bytes = Buffer.from(completions.join(""));
  const offsets = Uint32Array.from([
    0,
    ...completions.map((_, i) => Buffer.byteLength(completions.slice(0, i + 1).join(""))),
  ]);
  const layout = makeLayout([
    { name: "stateOffsets", dtype: "uint32", shape: [2] },
    { name: "stateBytes", dtype: "uint8", shape: [json.length] },
    { name: "stateOfAction", dtype: "int32", shape: [completions.length] },
    { name: "completionOffsets", dtype: "uint32", shape: [offsets.length] },
    { name: "completionBytes", dtype: "uint8", shape: [bytes.length] },
  ]);
  const body = new Uint8Array(layout[4].offset + Math.ceil(bytes.length / 8) * 8);
  body.set(new Uint8Array(Uint32Array.of(0, json.length).buffer), layout[0].offset);
  body.set(json, layout[1].offset);
  body.set(new Uint8Array(offsets.buffer), layout[3].offset);
  body.set(bytes, layout[4].offset);
  const header = { op: "score", requestId: newId(), scenario: "paper-v1", layout, ...more };
  return (await ask(host, header, body)).error?.code;
}

/** One violation for each limit: what happens below it, and beyond. */
const violations: Record<keyof typeof limitTable, (place: Place) => Promise<[string | undefined, string | undefined]>> =
  {
    maxBodyBytes: async (place) => {
      const host = withLimits(place, { maxBodyBytes: 4096 });
      const send = async (bytes: number) =>
        (await ask(host, { op: "ping", requestId: newId() }, new Uint8Array(bytes))).error?.code;
      return [(await send(4096)) === "invalidBody" ? undefined : "not read", await send(4097)];
    },
    maxReplyBytes: async (place) => {
      const host = withLimits(place, { maxReplyBytes: 4096 });
      return [await opening(host, { numEnvs: 8 }), await opening(host, { numEnvs: 64 })];
    },
    maxSessions: async (place) => {
      const host = withLimits(place, { maxSessions: 1 });
      return [await opening(host, {}), await opening(host, {})];
    },
    maxLanes: async (place) => {
      const host = withLimits(place, { maxLanes: 3 });
      return [await opening(host, { numEnvs: 3 }), await opening(host, { numEnvs: 1 })];
    },
    maxUserLaneSlots: async (place) => {
      const host = withLimits(place, { maxUserLaneSlots: 12 * 100 * 2 });
      return [await opening(host, { numEnvs: 2 }), await opening(host, { numEnvs: 3 })];
    },
    maxSessionBytes: async (place) => {
      const host = withLimits(place, { maxSessionBytes: 4096 });
      const opened = await open(host, { numEnvs: 4 });
      const reset = await next(opened, "reset");
      const refused = await next(opened, "step", {}, actionsBody(opened, [1, 1, 1, 1]));
      // the state is kept: it can be saved, and another server can go on
      return [reset.error?.code ?? (await next(opened, "snapshot")).error?.code, refused.error?.code];
    },
    maxQueuedBytes: async (place) => {
      const host = withLimits(place, { maxQueuedBytes: 4096 });
      const opened = await open(host, { numEnvs: 2 });
      await next(opened, "reset");
      let code: string | undefined;
      // replies that are acknowledged do not count
      for (let i = 0; i < 30; i++) code ??= (await next(opened, "step", {}, actionsBody(opened, [1, 1]))).error?.code;
      const before = code;
      for (let i = 0; i < 12 && code === undefined; i++) {
        const seq = opened.seq + 1 + i;
        const header = request(opened, "step", seq, { ack: opened.seq });
        code = (await ask(host, header, actionsBody(opened, [1, 1]))).error?.code;
      }
      expect((host.stats() as { evictions: number }).evictions).toBe(1);
      return [before, code];
    },
    maxInFlight: async (place) => {
      const host = withLimits(place, { maxInFlight: 2 });
      const opened = await open(host);
      expect(await tell(host, messageOf(request(opened, "reset", 2)))).toEqual([]); // held
      return [undefined, (await ask(host, request(opened, "reset", 3))).error?.code];
    },
    leaseSeconds: async (place) => {
      let nowMs = 0;
      const host = withLimits(place, { leaseSeconds: 10 }, { nowMs: () => nowMs });
      const opened = await open(host);
      const short = await open(host, { leaseSeconds: 2 });
      expect(await opening(host, { leaseSeconds: 11 })).toBe("invalidRequest");
      nowMs = 9000;
      await granted(host, { op: "ping", requestId: newId(), sessions: [short.session] });
      host.reap(); // an open session's request, or a ping that names it, renews the lease
      const within = (await next(opened, "reset")).error?.code ?? (await next(short, "reset")).error?.code;
      nowMs = 11_500;
      host.reap();
      expect((await next(short, "reset")).error?.code).toBe("sessionLost");
      const { lost } = (
        await granted(host, { op: "ping", requestId: newId(), sessions: [opened.session, short.session] })
      ).result;
      expect(lost).toEqual([short.session]);
      nowMs = 30_000;
      host.reap();
      expect(host.numSessions).toBe(0);
      expect((host.stats() as { reaped: number }).reaped).toBe(2);
      return [within, (await next(opened, "reset")).error?.code];
    },
    maxCompletionBytes: async (place) => {
      const host = withLimits(place, { maxCompletionBytes: 16 });
      return [
        await scoring(host, ["Server 1", "Server 1 it is :)"]).then((code) =>
          code === "completionTooLong" ? undefined : code,
        ),
        await scoring(host, ["x".repeat(17)]),
      ];
    },
    maxRequestWork: async (place) => {
      const host = withLimits(place, { maxRequestWork: 20 });
      return [await scoring(host, ["Server 1"]), await scoring(host, ["Server 1"], { numSamples: 10 })];
    },
    maxJobs: async (place) => {
      const host = withLimits(place, { maxJobs: 1 }, { jobs: jobBook(1) });
      const start = () => ask(host, { op: "dataset", requestId: newId(), kind: "sft", count: 1 });
      return [(await start()).error?.code, (await start()).error?.code];
    },
    maxJobBytes: async (place) => {
      const host = withLimits(place, { maxJobBytes: 4096 }, { jobs: jobBook(1) });
      const run = async (count: number) => {
        const { result } = await granted(host, {
          op: "dataset",
          requestId: newId(),
          kind: "sft",
          count,
          template: "en-compact-v1",
        });
        const status = await jobEnd(host, result.job);
        return status.result.error?.code as string | undefined;
      };
      return [await run(1), await run(100)];
    },
  };

/** Status of a job once it is over. */
async function jobEnd(host: SessionHost, job: string): Promise<Answer> {
  for (;;) {
    const status = await granted(host, { op: "job-status", requestId: newId(), job });
    if (status.result.state !== "running") return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Threads of jobs take seconds to start where a machine is busy. */
const JOB_MS = 120_000;

describe("every limit", () => {
  it("stands in hello", async () => {
    const limits = Object.fromEntries(limitNames.map((name, i) => [name, 1000 + i])) as unknown as Limits;
    const { result } = await granted(makeHost("inline", { limits }), { op: "hello", requestId: newId() });
    expect(result.limits).toEqual({ ...limits, maxHeaderBytes: 65_536, maxHeaderDepth: 8 });
  });

  it.each(limitNames.flatMap((name) => places.map((place) => [name, place] as const)))(
    "%s is kept, with its error, with lanes in %s",
    async (name, place) => {
      expect(await violations[name](place)).toEqual([undefined, limitTable[name].error]);
    },
    JOB_MS,
  );
});

describe.each(places)("sessions and epochs, with lanes in %s", (place) => {
  const fields = { scenarios: ["paper-v1"], numEnvs: 2 };

  it("a resume of a known session keeps its lanes, raises the epoch, and begins its sequences anew", async () => {
    const host = makeHost(place);
    const opened = await open(host);
    await next(opened, "reset", {}, seedsBody(opened, [1, 2]));
    const held = { ...request(opened, "step", 4, { ack: 0 }) };
    expect(await tell(host, messageOf(held, actionsBody(opened, [1, 1])))).toEqual([]);
    const resume = { op: "resume", requestId: newId(), session: opened.session, epoch: 1, ...fields };
    const answers = await tell(host, messageOf(resume));
    expect(answers.map(({ header, error }) => [header.op, error?.code])).toEqual([
      ["step", "staleEpoch"],
      ["resume", undefined],
    ]);
    const { result } = answers[1];
    expect(result).toMatchObject({ epoch: 2, isFresh: false, session: opened.session });
    expect((await ask(host, resume)).result).toEqual(result); // sent again: the same
    const again = openedOf(host, result);
    expect((await ask(host, request(opened, "reset", 2))).error?.code).toBe("staleEpoch");
    const snapshot = await next(again, "snapshot");
    expect(snapshot.header).toMatchObject({ epoch: 2, seq: 1, ok: true });
    const others = { ...resume, requestId: newId(), epoch: 2, numEnvs: 4 };
    expect((await ask(host, others)).error?.code).toBe("invalidRequest");
  });

  it("a session goes on at another server, and what was meant for the first one is not carried out there", async () => {
    const first = makeHost(place);
    const opened = await open(first);
    await next(opened, "reset", {}, seedsBody(opened, [1, 2]));
    const snapshot = await next(opened, "snapshot");
    const queued = messageOf(request(opened, "step", 3, { ack: 2 }), actionsBody(opened, [1, 2]));
    const [reply] = await tell(first, queued);
    const second = makeHost(place);
    const [stale] = await tell(second, queued);
    expect(stale.error?.code).toBe("staleEpoch");
    const resume = { op: "resume", requestId: newId(), session: opened.session, epoch: 1, ...fields };
    const { result } = await granted(second, resume);
    expect(result).toMatchObject({ epoch: 2, isFresh: true, session: opened.session, instance: second.instance });
    expect((await tell(second, queued))[0].error?.code).toBe("staleEpoch");
    const resumed = openedOf(second, result);
    const layout = snapshot.result.layout.filter(({ name }: { name: string }) => name !== "stateHash");
    const restored = await next(resumed, "restore", { layout }, snapshot.body);
    expect(restored.error).toBeUndefined();
    const step = await next(resumed, "step", {}, actionsBody(resumed, [1, 2]));
    expect(step.body).toEqual(reply.body);
  });

  it("replies are the bytes they were, sent again or not, whatever comes after them", async () => {
    const host = makeHost(place);
    const opened = await open(host, { numEnvs: 6, groups: 2 });
    const raw: Uint8Array[] = [];
    const send = (header: Record<string, unknown>, body: Uint8Array) =>
      new Promise<Answer>((resolve) => {
        host.handle(messageOf(header, body), (reply) => {
          raw.push(reply[1]);
          resolve(read(reply));
        });
      });
    const kept: Uint8Array[] = [];
    for (let seq = 1; seq <= 40; seq++) {
      const [op, body] =
        seq === 1 ? ["reset", seedsBody(opened, [1, 2, 3])] : ["step", actionsBody(opened, [seq % 7, 2, 3])];
      // the last four replies are never acknowledged yet
      const header = request(opened, op, seq, { ack: Math.max(0, seq - 5) });
      kept.push((await send(header, body)).body as Uint8Array);
      if (seq % 3 === 0) expect((await send(header, body)).body).toEqual(kept[seq - 1]);
    }
    // memory in which an unacknowledged reply lies, or one that was sent twice, is not written again
    const later = raw.slice(-8);
    expect(later.every((body) => kept.some((one) => Buffer.compare(one, body) === 0))).toBe(true);
    // other memory is: shared memory comes as another object each time, so this is seen in one thread alone
    if (place === "inline") expect(new Set(raw.map(({ buffer }) => buffer)).size).toBeLessThan(40);
  });
});

describe("jobs", () => {
  const host = makeHost("inline", { jobs: jobBook(1), limits: { ...defaultLimits, maxReplyBytes: 4096 } });
  const pagesOf = async (job: string, pages: number) => {
    const bodies: Uint8Array[] = [];
    for (let page = 0; page < pages; page++) {
      bodies.push((await granted(host, { op: "job-result", requestId: newId(), job, page })).body as Uint8Array);
    }
    return Buffer.concat(bodies).toString();
  };

  it(
    "make a data set, in pages, and know how far they are; a repeated request is the same job",
    async () => {
      const start = { op: "dataset", requestId: newId(), kind: "grpo", count: 5 };
      const { result } = await granted(host, start);
      expect((await granted(host, start)).result).toEqual(result);
      const early = await ask(host, { op: "job-result", requestId: newId(), job: result.job, page: 0 });
      expect(early.error?.code).toBe("jobNotDone");
      const status = await jobEnd(host, result.job);
      expect(status.result).toMatchObject({ state: "done", done: 5, total: 5, mediaType: "application/jsonl" });
      const text = await pagesOf(result.job, status.result.pages);
      expect(text.trim().split("\n")).toHaveLength(5);
      expect(JSON.parse(text.split("\n")[4])).toMatchObject({ kind: "grpo", index: 4 });
      const beyond = await ask(host, {
        op: "job-result",
        requestId: newId(),
        job: result.job,
        page: status.result.pages,
      });
      expect(beyond.error?.code).toBe("invalidRequest");
      await granted(host, { op: "cancel", requestId: newId(), job: result.job });
      expect((await ask(host, { op: "job-status", requestId: newId(), job: result.job })).error?.code).toBe(
        "unknownJob",
      );
    },
    JOB_MS,
  );

  it(
    "play a suite, and end early where they are told to",
    async () => {
      const start = (episodes: number) => ({
        op: "evaluate",
        requestId: newId(),
        suite: "paper-table-2",
        policies: ["oracle"],
        episodes,
      });
      const { job } = (await granted(host, start(2))).result;
      const { pages } = (await jobEnd(host, job)).result;
      expect(JSON.parse(await pagesOf(job, pages))).toMatchObject({
        suite: "paper-table-2",
        settings: expect.any(Array),
      });
      const long = (await granted(host, start(65_535))).result.job;
      expect((await granted(host, { op: "cancel", requestId: newId(), job: long })).result.state).toBe("running");
      expect((await jobEnd(host, long)).result.state).toBe("cancelled");
    },
    JOB_MS,
  );

  it.each(["paper-table-2", "paper-table-4"])(
    "verify a result of %s: its own logs give its figures, and others do not",
    async (suite) => {
      const start = { op: "evaluate", requestId: newId(), suite, policies: ["random"], episodes: 3 };
      const { job } = (await granted(host, start)).result;
      const text = await pagesOf(job, (await jobEnd(host, job)).result.pages);
      const verify = async (body: Uint8Array) => {
        const { result } = await granted(host, { op: "verify", requestId: newId() }, body);
        const { state, pages } = (await jobEnd(host, result.job)).result;
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
      expect((await ask(host, { op: "verify", requestId: newId() }, Buffer.from("{}"))).error?.code).toBe(
        "invalidRecord",
      );
    },
    JOB_MS,
  );

  it("refuse at once what there is not", async () => {
    const codes: (string | undefined)[] = [];
    for (const fields of [
      { op: "dataset", kind: "sft", scenario: "nowhere" },
      { op: "dataset", kind: "sft", firstSeed: 2_000_000 },
      { op: "evaluate", suite: "nothing", policies: ["oracle"] },
      { op: "evaluate", suite: "paper-table-2", policies: ["nobody"] },
      { op: "job-status", job: "0".repeat(32) },
    ]) {
      codes.push((await ask(host, { requestId: newId(), ...fields })).error?.code);
    }
    expect(codes).toEqual(["unknownScenario", "invalidSeed", "unknownSuite", "unknownPolicy", "unknownJob"]);
  });
});
