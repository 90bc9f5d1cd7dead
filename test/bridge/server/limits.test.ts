/** Every server limit: it is in `hello`, a request within it is granted, and one beyond it gets its error. */

import { describe, expect, it } from "vitest";
import { benchmarkJobs } from "../../../bridge/composition/benchmark-jobs.js";
import type { Dispatcher } from "../../../bridge/server/dispatcher.js";
import { defaultLimits, type Limits, limitNames, limitTable } from "../../../bridge/server/limits.js";
import { makeLayout } from "../../../bridge/wire/array-layout.js";
import {
  actionsBody,
  ask,
  granted,
  makeDispatcher,
  messageOf,
  newId,
  next,
  open,
  type Place,
  places,
  request,
  tell,
} from "../dispatcher-client.js";
import { JOB_MS, jobEnd } from "../job-client.js";

const withLimits = (place: Place, limits: Partial<Limits>, options: object = {}) =>
  makeDispatcher(place, { limits: { ...defaultLimits, ...limits }, ...options });

/** The error code of a request that opens a session. */
async function opening(dispatcher: Dispatcher, fields: object): Promise<string | undefined> {
  const header = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 2, ...fields };
  return (await ask(dispatcher, header)).error?.code;
}

/** The error code of a score of these completions in one state. */
async function scoring(dispatcher: Dispatcher, completions: string[], more: object = {}): Promise<string | undefined> {
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
  return (await ask(dispatcher, header, body)).error?.code;
}

/** For each limit, the error codes of a request within it and of one beyond it. */
const violations: Record<keyof typeof limitTable, (place: Place) => Promise<[string | undefined, string | undefined]>> =
  {
    maxBodyBytes: async (place) => {
      const dispatcher = withLimits(place, { maxBodyBytes: 4096 });
      const send = async (bytes: number) =>
        (await ask(dispatcher, { op: "ping", requestId: newId() }, new Uint8Array(bytes))).error?.code;
      return [(await send(4096)) === "invalidBody" ? undefined : "not read", await send(4097)];
    },
    maxReplyBytes: async (place) => {
      const dispatcher = withLimits(place, { maxReplyBytes: 4096 });
      return [await opening(dispatcher, { numEnvs: 8 }), await opening(dispatcher, { numEnvs: 64 })];
    },
    maxSessions: async (place) => {
      const dispatcher = withLimits(place, { maxSessions: 1 });
      return [await opening(dispatcher, {}), await opening(dispatcher, {})];
    },
    maxLanes: async (place) => {
      const dispatcher = withLimits(place, { maxLanes: 3 });
      return [await opening(dispatcher, { numEnvs: 3 }), await opening(dispatcher, { numEnvs: 1 })];
    },
    maxUserLaneSlots: async (place) => {
      const dispatcher = withLimits(place, { maxUserLaneSlots: 12 * 100 * 2 });
      return [await opening(dispatcher, { numEnvs: 2 }), await opening(dispatcher, { numEnvs: 3 })];
    },
    maxSessionBytes: async (place) => {
      const dispatcher = withLimits(place, { maxSessionBytes: 4096 });
      const opened = await open(dispatcher, { numEnvs: 4 });
      const reset = await next(opened, "reset");
      const refused = await next(opened, "step", {}, actionsBody(opened, [1, 1, 1, 1]));
      // the state is kept: it can be saved, and restored on another server
      return [reset.error?.code ?? (await next(opened, "snapshot")).error?.code, refused.error?.code];
    },
    maxQueuedBytes: async (place) => {
      const dispatcher = withLimits(place, { maxQueuedBytes: 4096 });
      const opened = await open(dispatcher, { numEnvs: 2 });
      await next(opened, "reset");
      let code: string | undefined;
      // acknowledged replies do not count
      for (let i = 0; i < 30; i++) code ??= (await next(opened, "step", {}, actionsBody(opened, [1, 1]))).error?.code;
      const before = code;
      for (let i = 0; i < 12 && code === undefined; i++) {
        const seq = opened.seq + 1 + i;
        const header = request(opened, "step", seq, { ack: opened.seq });
        code = (await ask(dispatcher, header, actionsBody(opened, [1, 1]))).error?.code;
      }
      expect((dispatcher.stats() as { evictions: number }).evictions).toBe(1);
      return [before, code];
    },
    maxInFlight: async (place) => {
      const dispatcher = withLimits(place, { maxInFlight: 2 });
      const opened = await open(dispatcher);
      expect(await tell(dispatcher, messageOf(request(opened, "reset", 2)))).toEqual([]); // held
      return [undefined, (await ask(dispatcher, request(opened, "reset", 3))).error?.code];
    },
    leaseSeconds: async (place) => {
      let nowMs = 0;
      const dispatcher = withLimits(place, { leaseSeconds: 10 }, { nowMs: () => nowMs });
      const opened = await open(dispatcher);
      const short = await open(dispatcher, { leaseSeconds: 2 });
      expect(await opening(dispatcher, { leaseSeconds: 11 })).toBe("invalidRequest");
      nowMs = 9000;
      await granted(dispatcher, { op: "ping", requestId: newId(), sessions: [short.session] });
      dispatcher.reap(); // a request of a session, or a ping that names it, renews its lease
      const within = (await next(opened, "reset")).error?.code ?? (await next(short, "reset")).error?.code;
      nowMs = 11_500;
      dispatcher.reap();
      expect((await next(short, "reset")).error?.code).toBe("sessionLost");
      const { lost } = (
        await granted(dispatcher, { op: "ping", requestId: newId(), sessions: [opened.session, short.session] })
      ).result;
      expect(lost).toEqual([short.session]);
      nowMs = 30_000;
      dispatcher.reap();
      expect(dispatcher.numSessions).toBe(0);
      expect((dispatcher.stats() as { reaped: number }).reaped).toBe(2);
      return [within, (await next(opened, "reset")).error?.code];
    },
    maxCompletionBytes: async (place) => {
      const dispatcher = withLimits(place, { maxCompletionBytes: 16 });
      return [
        await scoring(dispatcher, ["Server 1", "Server 1 it is :)"]).then((code) =>
          code === "completionTooLong" ? undefined : code,
        ),
        await scoring(dispatcher, ["x".repeat(17)]),
      ];
    },
    maxRequestWork: async (place) => {
      const dispatcher = withLimits(place, { maxRequestWork: 20 });
      return [await scoring(dispatcher, ["Server 1"]), await scoring(dispatcher, ["Server 1"], { numSamples: 10 })];
    },
    maxJobs: async (place) => {
      const dispatcher = withLimits(place, { maxJobs: 1 }, { jobs: benchmarkJobs(1) });
      const start = () => ask(dispatcher, { op: "dataset", requestId: newId(), kind: "sft", count: 1 });
      return [(await start()).error?.code, (await start()).error?.code];
    },
    maxJobBytes: async (place) => {
      const dispatcher = withLimits(place, { maxJobBytes: 4096 }, { jobs: benchmarkJobs(1) });
      const run = async (count: number) => {
        const { result } = await granted(dispatcher, {
          op: "dataset",
          requestId: newId(),
          kind: "sft",
          count,
          template: "en-compact-v1",
        });
        const status = await jobEnd(dispatcher, result.job);
        return status.result.error?.code as string | undefined;
      };
      return [await run(1), await run(100)];
    },
  };

describe("every limit", () => {
  it("is in hello", async () => {
    const limits = Object.fromEntries(limitNames.map((name, i) => [name, 1000 + i])) as unknown as Limits;
    const { result } = await granted(makeDispatcher("inline", { limits }), { op: "hello", requestId: newId() });
    expect(result.limits).toEqual({ ...limits, maxHeaderBytes: 65_536, maxHeaderDepth: 8 });
  });

  it.each(limitNames.flatMap((name) => places.map((place) => [name, place] as const)))(
    "%s is enforced, with its error, with lanes in %s",
    async (name, place) => {
      expect(await violations[name](place)).toEqual([undefined, limitTable[name].error]);
    },
    JOB_MS,
  );
});
