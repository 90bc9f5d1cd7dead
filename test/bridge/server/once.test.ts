/** A request that is sent again is carried out once, also outside sessions; long work ends when nobody waits for it. */

import { describe, expect, it, vi } from "vitest";
import { IdempotencyCache } from "../../../bridge/server/idempotency-cache.js";
import type { Message } from "../../../bridge/server/replies.js";
import { described } from "../described-bodies.js";
import {
  type Answer,
  ask,
  granted,
  makeDispatcher,
  messageOf,
  newId,
  next,
  open,
  openedOf,
  places,
  read,
  request,
} from "../dispatcher-client.js";

const { layout, body } = described({
  stateOffsets: { values: Uint32Array.of(0, 0) },
  stateBytes: { values: new Uint8Array(0) },
});

function stateBody() {
  const state = {
    ...{ slot: 0, decisionIndex: 0, sizeMbit: 3, densityGcyclesPerMbit: 0.297, deadlineSlots: 10, penaltySlots: 10 },
    ...{ slotSeconds: 0.1, userIndex: 0, localCpuGHz: 2, localBacklogMbit: 0, localWaitSlots: 0, numServers: 1 },
    ...{ rateMbps: [14], cpuGHz: [30], activeTasks: [0], workloadMbit: [0], workloadHistoryMbit: [[0]] },
  };
  const bytes = new Uint8Array(Buffer.from(JSON.stringify({ episodeSeed: 1, state })));
  return described({
    stateOffsets: { values: Uint32Array.of(0, bytes.length) },
    stateBytes: { values: bytes },
    actions: { values: Int32Array.of(1) },
  });
}

describe.each(places)("a query outside sessions (%s)", (place) => {
  it("is carried out once, whoever sends it again and whenever", async () => {
    const dispatcher = makeDispatcher(place, { maxInlineLanes: 256 });
    const scored = stateBody();
    // an own scenario leaves the socket's thread if there are others
    const scenario = { numServers: 1, description: "the same as always" };
    const message = messageOf({ op: "score", requestId: newId(), scenario, layout: scored.layout }, scored.body);
    const replies: Message[] = [];
    for (let i = 0; i < 3; i++) dispatcher.handle(message, (reply) => replies.push(reply));
    await vi.waitFor(() => expect(replies).toHaveLength(3), { timeout: 60_000 });
    dispatcher.handle(message, (reply) => replies.push(reply));
    expect(replies).toHaveLength(4);
    // one body for all: nothing was computed a second time
    expect(new Set(replies.map(([, part]) => part.buffer)).size).toBe(1);
    expect(new Set(replies.map((reply) => JSON.stringify(read(reply)))).size).toBe(1);
  });

  it("that was refused is looked at again", async () => {
    const dispatcher = makeDispatcher(place);
    const header = { op: "score", requestId: newId(), scenario: "paper-v1", layout };
    for (let i = 0; i < 2; i++) expect((await ask(dispatcher, header, body)).error?.code).toBeDefined();
    expect(Object.values(dispatcher.stats().errors)).toEqual([2]);
  });
});

describe("replies that are remembered", () => {
  const reply = (bytes: number): Message => [new Uint8Array(bytes)];
  const runs = (cache: IdempotencyCache, id: string, bytes: number) => {
    let count = 0;
    cache.run(
      id,
      () => {},
      (settle) => {
        count += 1;
        settle(reply(bytes), true);
      },
    );
    return count;
  };

  it("are bounded in bytes and in time, and the newest is always one of them", () => {
    let nowMs = 0;
    const cache = new IdempotencyCache(1000, () => nowMs);
    expect([runs(cache, "a", 600), runs(cache, "a", 600)]).toEqual([1, 0]);
    expect([runs(cache, "b", 400), runs(cache, "a", 600), runs(cache, "b", 400)]).toEqual([1, 0, 0]);
    expect([runs(cache, "c", 1), runs(cache, "b", 400), runs(cache, "a", 600)]).toEqual([1, 0, 1]);
    expect([runs(cache, "large", 5000), runs(cache, "large", 5000)]).toEqual([1, 0]);
    nowMs = 50;
    cache.forget(50);
    expect(runs(cache, "large", 5000)).toBe(1);
  });

  it("are given out as objects of their own, so that the socket's use of each can be noticed", () => {
    const cache = new IdempotencyCache();
    const given: Message[] = [];
    for (let i = 0; i < 2; i++) {
      cache.run(
        "a",
        (one) => given.push(one),
        (settle) => settle(reply(8), true),
      );
    }
    expect(given[0][0]).not.toBe(given[1][0]);
    expect(given[0][0].buffer).toBe(given[1][0].buffer);
  });
});

describe("a long request of a session", () => {
  const LONG = { policy: "rollout", steps: 20_000 };
  /** A session in a thread that plays for a very long time, and the replies that have come. */
  async function playing() {
    const dispatcher = makeDispatcher("threads");
    const fields = { scenarios: [{ episodeSlots: 100_000 }], numEnvs: 1, groups: 1 };
    const opened = await open(dispatcher, fields);
    await next(opened, "reset");
    opened.seq += 1;
    const answers: Answer[] = [];
    const header = request(opened, "policy", opened.seq, { ack: opened.seq - 1, ...LONG });
    dispatcher.handle(messageOf(header), (reply) => answers.push(read(reply)));
    return { dispatcher, opened, fields, answers };
  }
  const soon = { timeout: 60_000, interval: 20 };

  it("ends at a resume, between two steps, and the lanes go on from there", { timeout: 240_000 }, async () => {
    const { dispatcher, opened, fields, answers } = await playing();
    const { session, epoch } = opened;
    const resumed = { op: "resume", requestId: newId(), session, epoch, ...fields };
    const replies: Answer[] = [];
    dispatcher.handle(messageOf(resumed), (reply) => replies.push(read(reply)));
    expect(replies[0].error).toBeUndefined();
    await vi.waitFor(() => expect(answers).toHaveLength(1), soon);
    expect(answers[0].error).toMatchObject({ code: "sessionLost", path: "request" });
    const again = openedOf(dispatcher, replies[0].result);
    const { result } = await next(again, "policy", { policy: "local", steps: 3 });
    expect(result.steps).toBe(3);
  });

  it("ends when its session is closed or its lease runs out", { timeout: 240_000 }, async () => {
    const { dispatcher, opened, answers } = await playing();
    const closed: Answer[] = [];
    const close = request(opened, "close", opened.seq + 1, { ack: opened.seq - 1 });
    dispatcher.handle(messageOf(close), (reply) => closed.push(read(reply)));
    await vi.waitFor(() => expect([...answers, ...closed]).toHaveLength(2), soon);
    expect(answers[0].error?.code).toBe("sessionLost");
    expect(closed[0].error).toBeUndefined();
    let nowMs = 0;
    const leased = makeDispatcher("threads", { nowMs: () => nowMs });
    const other = await open(leased, { scenarios: [{ episodeSlots: 100_000 }], numEnvs: 1, leaseSeconds: 5 });
    await next(other, "reset");
    leased.handle(messageOf(request(other, "policy", 2, { ack: 1, ...LONG })), () => {});
    nowMs = 6000;
    leased.reap();
    // its thread is free again
    await vi.waitFor(() => expect(leased.stats().workers.every(({ queued }) => queued === 0)).toBe(true), soon);
  });

  it("in the same group before a close is carried out whole if it is short", async () => {
    const dispatcher = makeDispatcher("threads");
    const opened = await open(dispatcher);
    const answers: Answer[] = [];
    for (const [seq, op] of ["reset", "step", "close"].entries()) {
      const actions = op === "step" ? new Uint8Array(Int32Array.of(1, 2).buffer) : undefined;
      dispatcher.handle(messageOf(request(opened, op, seq + 1), actions), (reply) => answers.push(read(reply)));
    }
    await vi.waitFor(() => expect(answers).toHaveLength(3), soon);
    expect(answers.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  });
});

describe("threads", () => {
  it("are started when there is work for them", async () => {
    const dispatcher = makeDispatcher("threads");
    await granted(dispatcher, { op: "ping", requestId: newId() });
    expect(dispatcher.stats().workers).toEqual([]);
    for (let i = 1; i <= 3; i++) {
      await open(dispatcher);
      expect(dispatcher.stats().workers).toHaveLength(Math.min(i, 2));
    }
  });
});
