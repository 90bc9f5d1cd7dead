/** What every SessionHost does, with its lanes in the socket's thread or in others: order, repetition, refusals, physics. */

import { describe, expect, it } from "vitest";
import { defaultLimits, type HostOptions } from "../../../bridge/server/dispatcher.js";
import { type ArraySpec, bodyBytes, readArray, writeArray } from "../../../bridge/wire/protocol.js";
import { BatchEnv } from "../../../env/index.js";
import {
  actionsBody,
  array,
  ask,
  makeHost as makeHostIn,
  messageOf,
  newId,
  open,
  places,
  request,
  sharedHost,
  tell,
} from "../host-client.js";

const tellHeader = (host: Parameters<typeof tell>[0], header: Record<string, unknown>, body?: Uint8Array) =>
  tell(host, messageOf(header, body));

describe.each(places)("a host with its lanes in %s", (place) => {
  const makeHost = (options: Partial<HostOptions> = {}) => makeHostIn(place, options);

  describe("operations", () => {
    it("hello names versions, limits and the instance", async () => {
      const host = makeHost({ packageVersion: "1.2.3" });
      const { result } = await ask(host, { op: "hello", requestId: newId() });
      expect(result).toMatchObject({ protocolVersion: "1.2", packageVersion: "1.2.3", instance: host.instance });
      expect(result.limits).toMatchObject(defaultLimits);
    });

    it("scenarios lists the frozen ones, and completes one", async () => {
      const host = makeHost();
      const all = (await ask(host, { op: "scenarios", requestId: newId() })).result.scenarios as unknown as {
        id: string;
      }[];
      expect(all.map((one) => one.id)).toContain("paper-v1");
      const [one] = (await ask(host, { op: "scenarios", requestId: newId(), scenario: { numServers: 4 } })).result
        .scenarios as unknown as { hash: string; scenario: Record<string, unknown> }[];
      expect(one.scenario).toMatchObject({ numServers: 4, slotSeconds: 0.1 });
      expect(one.hash).toMatch(/^[0-9a-f]{64}$/);
    });

    const churn = { users: { count: 24 }, churn: { leaveProbability: 0.1, returnProbability: 0.2 } };

    it.each([
      ["without churn", "paper-v1"],
      ["under churn", churn],
    ])("reset and step give what the simulator gives, %s", async (_name, scenario) => {
      const opened = await open(sharedHost(place), { scenarios: [scenario], numEnvs: 3 });
      const options = { numLanes: 3, autoreset: "next-step", invalidActions: "costliest" } as const;
      const env = new BatchEnv({ scenarios: [scenario], ...options });
      let lost = 0;
      env.reset([5, 6, 7]);
      const seeds = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
      writeArray(seeds, opened.layouts.resetRequest[0], Int32Array.of(5, 0, 6, 0, 7, 0));
      writeArray(seeds, opened.layouts.resetRequest[1], Uint8Array.of(1, 1, 1));
      const reset = await ask(opened.host, request(opened, "reset", 1), seeds);
      expect(array(opened, reset, "observation")).toEqual(env.observation);
      expect([...array(opened, reset, "episodeSeed")]).toEqual([5, 6, 7]);
      for (let seq = 2; seq < 500; seq++) {
        const actions = [seq % 7, (seq * 3) % 7, 6];
        env.step(actions);
        const answer = await ask(
          opened.host,
          request(opened, "step", seq, { ack: seq - 1 }),
          actionsBody(opened, actions),
        );
        const names = ["observation", "reward", "latencySlots", "costSlots", "flags", "actionMask"] as const;
        for (const name of [...names, "lostTasks", "lostOnTimeTasks"] as const) {
          expect(array(opened, answer, name)).toEqual(env[name]);
        }
        lost += env.lostTasks[0];
        expect(answer.result.numFinal).toBe(env.numFinal);
        if (env.numFinal > 0) {
          const layout = answer.result.finalLayout as unknown as ArraySpec[];
          const finals = [env.finalLane, env.finalStats];
          for (const [i, values] of finals.entries()) {
            const sent = readArray(answer.body as Uint8Array, layout[i]);
            expect([...sent]).toEqual([...values.subarray(0, sent.length)]);
          }
        }
      }
      expect(lost > 0).toBe(scenario === churn);
    });

    it("lookahead has infinite costs, not NaN, where a server is absent", async () => {
      const fields = { numServers: 2, churn: { leaveProbability: 1, returnProbability: 1 }, users: { count: 8 } };
      const opened = await open(sharedHost(place), { scenarios: [fields], numEnvs: 1, maxServers: 3 });
      await ask(opened.host, request(opened, "reset", 1));
      // servers are there in even slots alone
      for (let seq = 2; ; seq++) {
        const ids = { ack: seq - 1 };
        const step = await ask(opened.host, request(opened, "step", seq, ids), actionsBody(opened, [0]));
        if (Number(array(opened, step, "slot")[0]) % 2 === 0) continue;
        expect([...array(opened, step, "actionMask")]).toEqual([1, 0, 0, 0]);
        const answer = await ask(opened.host, request(opened, "lookahead", seq + 1, { ack: seq }));
        const layout = answer.result.layout as unknown as ArraySpec[];
        const [, costs, , rewards] = layout.map((spec) => [...readArray(answer.body as Uint8Array, spec)]);
        expect(costs.slice(1)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]);
        expect(rewards.slice(1)).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
        expect(costs[0]).toBeGreaterThan(0);
        return;
      }
    });

    it("lookahead gives what the simulator gives, NaN where no action exists, and changes nothing", async () => {
      const opened = await open(sharedHost(place), { scenarios: ["paper-3-servers-v1"], numEnvs: 1, maxServers: 5 });
      const first = await ask(opened.host, request(opened, "reset", 1));
      const answer = await ask(opened.host, request(opened, "lookahead", 2, { weight: 1, mode: "sequential" }));
      const layout = answer.result.layout as unknown as ArraySpec[];
      const costs = [...readArray(answer.body as Uint8Array, layout[1])];
      expect(costs.map(Number.isNaN)).toEqual([false, false, false, false, true, true]);
      const env = new BatchEnv({ scenarios: ["paper-3-servers-v1"], numLanes: 1 });
      env.reset([Number(array(opened, first, "episodeSeed")[0])]);
      const native = env.lookAhead(0, { weight: 1, mode: "sequential" });
      expect(costs.slice(0, 4)).toEqual([...native.costSlots]);
      expect([...readArray(answer.body as Uint8Array, layout[3])].slice(0, 4)).toEqual([...native.reward]);
      const again = await ask(opened.host, request(opened, "lookahead", 3, { weight: 1, mode: "sequential" }));
      expect(again.body).toEqual(answer.body);
    });

    it("groups play their own lanes: the same as one group of all", async () => {
      const whole = await open(sharedHost(place), { numEnvs: 4 });
      const split = await open(sharedHost(place), { numEnvs: 4, groups: 2 });
      const all = [...array(whole, await ask(whole.host, request(whole, "reset", 1)), "episodeSeed")];
      const halves: number[] = [];
      for (const group of [0, 1]) {
        halves.push(...array(split, await ask(split.host, request(split, "reset", 1, { group })), "episodeSeed"));
      }
      expect(halves).toEqual(all);
    });

    it("close ends the session", async () => {
      const opened = await open(makeHost());
      expect(opened.host.numSessions).toBe(1);
      await ask(opened.host, request(opened, "close", 1));
      expect(opened.host.numSessions).toBe(0);
      expect((await ask(opened.host, request(opened, "step", 2))).error?.code).toBe("unknownSession");
    });
  });

  describe("order and repetition", () => {
    it("carries out a request once, however often it is sent", async () => {
      const opened = await open(sharedHost(place));
      await ask(opened.host, request(opened, "reset", 1));
      const first = await ask(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      const again = await ask(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      expect(again.body).toEqual(first.body);
      const next = await ask(opened.host, request(opened, "step", 3), actionsBody(opened, [1, 2]));
      expect([...array(opened, next, "decisionIndex")]).toEqual([2, 2]);
    });

    it("holds what comes early, and answers in order when its turn has come", async () => {
      const opened = await open(sharedHost(place));
      expect(await tellHeader(opened.host, request(opened, "step", 3), actionsBody(opened, [3, 3]))).toHaveLength(0);
      expect(await tellHeader(opened.host, request(opened, "step", 2), actionsBody(opened, [2, 2]))).toHaveLength(0);
      const answers = await tellHeader(opened.host, request(opened, "reset", 1));
      expect(answers.map((answer) => answer.header.seq)).toEqual([1, 2, 3]);
      expect(answers.every((answer) => answer.header.ok)).toBe(true);
    });

    it("refuses another request under a used number, an acknowledged one, one too far ahead, and another epoch", async () => {
      const opened = await open(sharedHost(place));
      await ask(opened.host, request(opened, "reset", 1));
      await ask(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      const code = async (header: Record<string, unknown>, body?: Uint8Array) =>
        (await ask(opened.host, header, body)).error?.code;
      expect(await code(request(opened, "step", 2), actionsBody(opened, [1, 3]))).toBe("sequenceConflict");
      expect(await code(request(opened, "lookahead", 2))).toBe("sequenceConflict");
      expect(await code(request(opened, "step", 2, { ack: 1 }), actionsBody(opened, [1, 2]))).toBeUndefined();
      expect(await code(request(opened, "step", 3 + defaultLimits.maxInFlight, { ack: 2 }))).toBe("windowExceeded");
      expect(await code(request(opened, "reset", 1))).toBe("staleSequence");
      expect(await code(request(opened, "step", 3, { epoch: 2 }))).toBe("staleEpoch");
      expect(await code(request(opened, "step", 3, { group: 9 }))).toBe("invalidRequest");
      expect(await code(request(opened, "step", 3, { ack: 7 }))).toBe("invalidRequest");
    });

    it("answers what it still held when the session is closed", async () => {
      const opened = await open(sharedHost(place), { numEnvs: 2, groups: 2 });
      const body = new Uint8Array(bodyBytes(opened.layouts.stepRequest));
      expect(await tellHeader(opened.host, request(opened, "step", 2), body)).toHaveLength(0);
      expect(await tellHeader(opened.host, request(opened, "step", 3, { group: 1 }), body)).toHaveLength(0);
      const answers = await tellHeader(opened.host, request(opened, "close", 1));
      const told = answers.map(({ header, error }) => [header.group, header.seq, error?.code]);
      expect(told).toEqual([
        [0, 1, undefined],
        [0, 2, "unknownSession"],
        [1, 3, "unknownSession"],
      ]);
    });

    it("gives the same session to the same open, and another to another", async () => {
      const host = makeHost();
      const header = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1 };
      const first = (await ask(host, header)).result.session;
      expect((await ask(host, header)).result.session).toBe(first);
      expect((await ask(host, { ...header, requestId: newId() })).result.session).not.toBe(first);
      expect(host.numSessions).toBe(2);
    });

    it("an ill-formed request uses up its number, too, in its turn", async () => {
      const opened = await open(sharedHost(place));
      expect(await tellHeader(opened.host, request(opened, "lookahead", 2, { numSamples: 0 }))).toHaveLength(0);
      const answers = await tellHeader(opened.host, request(opened, "reset", 1));
      const codes = answers.map(({ header, error }) => [header.seq, error?.code]);
      expect(codes.sort()).toEqual([
        [1, undefined],
        [2, "invalidRequest"],
      ]);
      expect((await ask(opened.host, request(opened, "dance", 3, { ack: 2 }))).error?.code).toBe("unknownOperation");
      expect(
        (await ask(opened.host, request(opened, "step", 4, { ack: 3 }), actionsBody(opened, [1, 1]))).error,
      ).toBeUndefined();
    });

    it("a refused step uses up its number and changes nothing", async () => {
      const opened = await open(sharedHost(place), { autoreset: "disabled", numEnvs: 1 });
      const twin = await open(sharedHost(place), { autoreset: "disabled", numEnvs: 1 });
      expect((await ask(opened.host, request(opened, "step", 1), actionsBody(opened, [1]))).error?.code).toBe(
        "needsReset",
      );
      expect((await ask(opened.host, request(opened, "step", 2), new Uint8Array(3))).error).toMatchObject({
        code: "invalidBody",
        got: '"3 bytes"',
      });
      await ask(opened.host, request(opened, "reset", 3));
      await ask(twin.host, request(twin, "reset", 1));
      expect((await ask(opened.host, request(opened, "step", 4))).error?.code).toBe("invalidBody");
      const a = await ask(opened.host, request(opened, "step", 5), actionsBody(opened, [2]));
      const b = await ask(twin.host, request(twin, "step", 2), actionsBody(twin, [2]));
      expect(a.body).toEqual(b.body);
    });
  });

  describe("refusals", () => {
    const host = makeHost({ limits: { ...defaultLimits, ...{ maxSessions: 2, maxLanes: 8, maxInFlight: 4 } } });
    const base = { op: "open", scenarios: ["paper-v1"], numEnvs: 1 };
    const cases: [string, Record<string, unknown>, string, string][] = [
      ["another major version", { v: "2.0", op: "hello" }, "versionMismatch", "/v"],
      ["no version", { v: null, op: "hello" }, "invalidRequest", "/v"],
      ["an unknown operation", { op: "dance" }, "unknownOperation", "/op"],
      ["no operation", {}, "unknownOperation", "/op"],
      ["an unknown field", { op: "hello", colour: "red" }, "invalidRequest", "/colour"],
      ["a bad request id", { op: "hello", requestId: "xyz" }, "invalidRequest", "/requestId"],
      ["no lanes", { ...base, numEnvs: 0 }, "invalidRequest", "/numEnvs"],
      ["half a lane", { ...base, numEnvs: 1.5 }, "invalidRequest", "/numEnvs"],
      ["too many lanes", { ...base, numEnvs: 9 }, "tooManyLanes", "numEnvs"],
      ["groups that do not divide the lanes", { ...base, numEnvs: 4, groups: 3 }, "invalidRequest", "/groups"],
      ["an unknown scenario", { ...base, scenarios: ["paper-v0"] }, "unknownScenario", "scenario"],
      ["a typo in a scenario", { ...base, scenarios: [{ numServer: 3 }] }, "invalidScenario", "/numServer"],
      [
        "a negative capacity",
        { ...base, scenarios: [{ serverCpuGHz: { min: -1, max: 3 } }] },
        "invalidScenario",
        "/serverCpuGHz/min",
      ],
      ["too little room", { ...base, maxServers: 3 }, "invalidOption", "maxServers"],
      ["an unknown split", { ...base, split: "exam" }, "invalidRequest", "/split"],
      ["too few scenario indices", { ...base, numEnvs: 2, laneScenario: [0] }, "invalidRequest", "/laneScenario"],
      ["a scenario index too large", { ...base, laneScenario: [1] }, "invalidOption", "laneScenario/0"],
    ];
    for (const [name, header, code, path] of cases) {
      it(`${name}: ${code} at ${path}`, async () => {
        const answer = await ask(host, { requestId: newId(), ...header });
        expect(answer.error).toMatchObject({ code, path });
        expect(answer.error?.expected).not.toBe("");
        expect(host.numSessions).toBe(0);
      });
    }

    it("names the scenario at fault where there are several", async () => {
      const scenarios = ["paper-v1", { numServers: 0 }];
      const answer = await ask(host, { ...base, requestId: newId(), scenarios });
      expect(answer.error).toMatchObject({ code: "invalidScenario", path: "/scenarios/1/numServers" });
    });

    it("one session too many", async () => {
      const small = makeHost({ limits: { ...defaultLimits, ...{ maxSessions: 1, maxLanes: 8, maxInFlight: 4 } } });
      await open(small);
      expect((await ask(small, { ...base, requestId: newId() })).error?.code).toBe("tooManySessions");
    });

    it("messages of no or three parts, and headers that are none, are answered without an id", async () => {
      for (const message of [[], [new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)], [Uint8Array.of(0xc1)]]) {
        const [answer] = await tell(host, message);
        expect(answer.header).toMatchObject({ ok: false, op: null, requestId: null });
        expect(answer.error?.code).toBe("malformedMessage");
      }
    });

    it.each([
      [0, 0x200000],
      [-2, -1],
      [-1, 0x7fffffff],
    ])("a seed beyond 2^53 − 1, words %d and %d", async (low, high) => {
      const opened = await open(sharedHost(place), { numEnvs: 1 });
      const body = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
      writeArray(body, opened.layouts.resetRequest[0], Int32Array.of(low, high));
      body[opened.layouts.resetRequest[1].offset] = 1;
      expect((await ask(opened.host, request(opened, "reset", 1), body)).error).toMatchObject({
        code: "invalidSeed",
        path: "seeds/0",
      });
    });
  });
});
