/** The work of requests grows with servers, history, text and depth, and large requests leave the socket thread. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { nativePolicies } from "../../../bridge/composition/native-policies.js";
import { promptWork, workOf } from "../../../bridge/lanes/request-limits.js";
import { defaultLimits } from "../../../bridge/server/limits.js";
import { laneOptionsOf } from "../../../bridge/server/open-request.js";
import type { LaneRequest, RequestOf } from "../../../bridge/wire/requests.js";
import {
  BatchEnv,
  copyObservation,
  LaneView,
  releaseStateOf,
  renderPrompt,
  resolveScenario,
} from "../../../env/index.js";
import { type Columns, described } from "../described-bodies.js";
import { ask, granted, makeDispatcher, messageOf, newId, next, open } from "../dispatcher-client.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const wide = { ...resolveScenario("paper-v1"), id: "wide", numServers: 512, historySlots: 100 };

/** The work of a request to two lanes, or to one lane for a text session. */
function work(scenario: unknown, fields: object, more: object = {}): number {
  const opening = { op: "open", scenarios: [scenario], numEnvs: 2, ...more } as unknown as RequestOf<"open">;
  return workOf(laneOptionsOf(opening, defaultLimits), fields as LaneRequest, nativePolicies) / 2;
}

describe("the work of a request", () => {
  it("is what it always was in paper-v1, for policies with their default options", () => {
    for (const [policy, expected] of [
      ["local", 1],
      ["lacs", 30],
      ["rollout", 10_000],
      ["clairvoyant", 10_000],
    ] as const) {
      expect(work("paper-v1", { op: "policy", policy, steps: 7 })).toBe(7 * expected);
    }
    expect(work("paper-v1", { op: "step" })).toBe(0);
  });

  it.each([
    ["a policy, with servers", { op: "policy", policy: "oracle", steps: 1 }, {}, 70],
    ["rollouts, with servers and users", { op: "policy", policy: "rollout", steps: 1 }, {}, 70],
    ["a snapshot, with servers and history", { op: "snapshot" }, {}, 50],
    ["a restore, as much", { op: "restore" }, {}, 50],
    ["a prompt, with its numbers", { op: "prompt" }, {}, 100],
    ["a fork, with what it copies", { op: "fork" }, {}, 100],
    ["a step in a text session, with its prompts", { op: "step" }, { observation: "text" }, 100],
    ["a reset in a text session, as much", { op: "reset" }, { observation: "text" }, 100],
  ])("grows: %s", (_name, request, more, factor) => {
    expect(work(wide, request, more)).toBeGreaterThan(factor * work("paper-v1", request, more));
  });

  it("of rollouts grows with futures, slots and candidates, up to a refusal", async () => {
    const policy = (options: string) => work("paper-v1", { op: "policy", policy: `rollout:${options}`, steps: 1 });
    expect(policy("numFutures=32")).toBe(20_000);
    expect(policy("horizonSlots=50")).toBe(100_000);
    expect(policy("numCandidates=8:numFutures=32")).toBe(40_000);
    const dispatcher = makeDispatcher("inline");
    const opened = await open(dispatcher, { numEnvs: 1 });
    await next(opened, "reset");
    const deepest = { policy: "rollout:numFutures=1024:horizonSlots=1000:numCandidates=128", steps: 1 };
    expect((await next(opened, "policy", deepest)).error?.code).toBe("workExceeded");
  });

  it("of prompts outside sessions is bounded too", async () => {
    const state = { episodeSeed: 1, state: copyObservation(viewOf(wide)) };
    const text = Buffer.from(JSON.stringify(state));
    const columns: Columns = {
      stateOffsets: { values: Uint32Array.of(0, text.length) },
      stateBytes: { values: new Uint8Array(text) },
    };
    const { layout, body } = described(columns);
    const asked = () => ({ op: "prompt", requestId: newId(), scenario: "paper-v1", layout });
    const cost = promptWork({ servers: 512, historySlots: 10 });
    const within = makeDispatcher("inline", { limits: { ...defaultLimits, maxRequestWork: cost } });
    expect((await ask(within, asked(), body)).error).toBeUndefined();
    const beyond = makeDispatcher("inline", { limits: { ...defaultLimits, maxRequestWork: cost - 1 } });
    expect((await ask(beyond, asked(), body)).error?.code).toBe("workExceeded");
  });
});

function viewOf(scenario: typeof wide): LaneView {
  const env = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
  env.reset();
  return new LaneView(env.lanes, 0);
}

describe("a prompt", () => {
  it("builds a view's history once, and says what the plain observation says", () => {
    const view = viewOf(wide);
    const plain = copyObservation(view);
    const history = vi.spyOn(LaneView.prototype, "workloadHistoryMbit", "get");
    const { user } = renderPrompt(view);
    expect(history).toHaveBeenCalledTimes(1);
    expect(user).toBe(renderPrompt(plain).user);
    const reads = vi.fn(() => plain.workloadHistoryMbit);
    const shared = { ...plain, rateMbps: plain.rateMbps.map(() => 14) };
    releaseStateOf(Object.defineProperty({ ...shared }, "workloadHistoryMbit", { get: reads }));
    expect(reads).toHaveBeenCalledTimes(1);
  });
});

describe("the socket's thread", () => {
  const threads = { count: 1, entry: workerEntry() };

  it("keeps small sessions, and never has a large one", async () => {
    const dispatcher = makeDispatcher("inline", { threads });
    const inThreads = async (fields: Record<string, unknown>) => {
      const before = dispatcher.stats().workers[0].sessions;
      await open(dispatcher, fields);
      return dispatcher.stats().workers[0].sessions - before;
    };
    expect(await inThreads({ numEnvs: 256 })).toBe(0);
    expect(await inThreads({ numEnvs: 32, observation: "text" })).toBe(0);
    expect(await inThreads({ numEnvs: 1, observation: "text", scenarios: [wide] })).toBe(1);
    expect(await inThreads({ numEnvs: 16, history: true, scenarios: [wide] })).toBe(1);
    expect(await inThreads({ numEnvs: 200, scenarios: [{ ...wide, historySlots: 1 }] })).toBe(1);
  });

  it("leaves a policy of many servers and a fork of large lanes to another", async () => {
    const dispatcher = makeDispatcher("inline", { threads });
    const opened = await open(dispatcher, { numEnvs: 4, scenarios: [wide] });
    await next(opened, "reset");
    expect(dispatcher.stats().workers[0].sessions).toBe(0);
    await next(opened, "policy", { policy: "oracle", steps: 1000 });
    expect(dispatcher.stats().workers[0].sessions).toBe(1);
  });

  it("leaves a small query that is much work to another", async () => {
    const dispatcher = makeDispatcher("inline", { threads });
    await granted(dispatcher, { op: "ping", requestId: newId() });
    const { layout, body } = described({ actions: { values: Int32Array.of(1, 2) } });
    const queuedAfter = (fields: object) => {
      const header = { op: "score", requestId: newId(), layout, scenario: "paper-v1", ...fields };
      dispatcher.handle(messageOf(header, body), () => {});
      return dispatcher.stats().workers[0].queued;
    };
    expect(queuedAfter({})).toBe(0);
    expect(queuedAfter({ mode: "sequential" })).toBe(1);
    expect(queuedAfter({ scenario: wide })).toBe(2);
  });
});
