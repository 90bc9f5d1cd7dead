/** The operations of a dispatcher, with its lanes in the calling thread or in others: results, numbers and refusals. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DispatcherOptions } from "../../../bridge/server/dispatcher.js";
import { defaultLimits } from "../../../bridge/server/limits.js";
import { type ArraySpec, bodyBytes, readArray, writeArray } from "../../../bridge/wire/array-layout.js";
import { BatchEnv } from "../../../env/index.js";
import {
  actionsBody,
  array,
  ask,
  makeDispatcher as makeDispatcherIn,
  newId,
  open,
  places,
  request,
  sharedDispatcher,
  tell,
} from "../dispatcher-client.js";

describe.each(places)("a dispatcher with its lanes in %s", (place) => {
  const makeDispatcher = (options: Partial<DispatcherOptions> = {}) => makeDispatcherIn(place, options);

  describe("operations", () => {
    it("hello returns versions, limits and the instance", async () => {
      const dispatcher = makeDispatcher({ packageVersion: "1.2.3" });
      const { result } = await ask(dispatcher, { op: "hello", requestId: newId() });
      expect(result).toMatchObject({ protocolVersion: "1.2", packageVersion: "1.2.3", instance: dispatcher.instance });
      const core = readFileSync(new URL("../../../env/core/generated/core.wasm", import.meta.url));
      expect(result).toHaveProperty("coreSha256", createHash("sha256").update(core).digest("hex"));
      expect(result.limits).toMatchObject(defaultLimits);
    });

    it("scenarios lists the frozen scenarios, and completes a given one", async () => {
      const dispatcher = makeDispatcher();
      const all = (await ask(dispatcher, { op: "scenarios", requestId: newId() })).result.scenarios as unknown as {
        id: string;
      }[];
      expect(all.map((one) => one.id)).toContain("paper-v1");
      const [one] = (await ask(dispatcher, { op: "scenarios", requestId: newId(), scenario: { numServers: 4 } })).result
        .scenarios as unknown as { hash: string; scenario: Record<string, unknown> }[];
      expect(one.scenario).toMatchObject({ numServers: 4, slotSeconds: 0.1 });
      expect(one.hash).toMatch(/^[0-9a-f]{64}$/);
    });

    const churn = { users: { count: 24 }, churn: { leaveProbability: 0.1, returnProbability: 0.2 } };

    it.each([
      ["without churn", "paper-v1"],
      ["under churn", churn],
    ])("reset and step give the numbers of the simulator, %s", async (_name, scenario) => {
      const opened = await open(sharedDispatcher(place), { scenarios: [scenario], numEnvs: 3 });
      const options = { numLanes: 3, autoreset: "next-step", invalidActions: "costliest" } as const;
      const env = new BatchEnv({ scenarios: [scenario], ...options });
      let lost = 0;
      env.reset([5, 6, 7]);
      const seeds = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
      writeArray(seeds, opened.layouts.resetRequest[0], Int32Array.of(5, 0, 6, 0, 7, 0));
      writeArray(seeds, opened.layouts.resetRequest[1], Uint8Array.of(1, 1, 1));
      const reset = await ask(opened.dispatcher, request(opened, "reset", 1), seeds);
      expect(array(opened, reset, "observation")).toEqual(env.observation);
      expect([...array(opened, reset, "episodeSeed")]).toEqual([5, 6, 7]);
      for (let seq = 2; seq < 500; seq++) {
        const actions = [seq % 7, (seq * 3) % 7, 6];
        env.step(actions);
        const answer = await ask(
          opened.dispatcher,
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

    it("lookahead has infinite costs, not NaN, for what is absent or does not exist", async () => {
      const fields = { numServers: 2, churn: { leaveProbability: 1, returnProbability: 1 }, users: { count: 8 } };
      const opened = await open(sharedDispatcher(place), { scenarios: [fields], numEnvs: 1, maxServers: 3 });
      await ask(opened.dispatcher, request(opened, "reset", 1));
      // servers are available in even slots only
      for (let seq = 2; ; seq++) {
        const ids = { ack: seq - 1 };
        const step = await ask(opened.dispatcher, request(opened, "step", seq, ids), actionsBody(opened, [0]));
        if (Number(array(opened, step, "slot")[0]) % 2 === 0) continue;
        expect([...array(opened, step, "actionMask")]).toEqual([1, 0, 0, 0]);
        const answer = await ask(opened.dispatcher, request(opened, "lookahead", seq + 1, { ack: seq }));
        const layout = answer.result.layout as unknown as ArraySpec[];
        const [, costs, , rewards] = layout.map((spec) => [...readArray(answer.body as Uint8Array, spec)]);
        expect(costs.slice(1)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
        expect(rewards.slice(1)).toEqual([
          Number.NEGATIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
        ]);
        expect(costs[0]).toBeGreaterThan(0);
        return;
      }
    });

    it("lookahead gives the numbers of the simulator, ∞ for missing actions, and changes nothing", async () => {
      const opened = await open(sharedDispatcher(place), {
        scenarios: ["paper-3-servers-v1"],
        numEnvs: 1,
        maxServers: 5,
      });
      const first = await ask(opened.dispatcher, request(opened, "reset", 1));
      const answer = await ask(opened.dispatcher, request(opened, "lookahead", 2, { weight: 1, mode: "sequential" }));
      const layout = answer.result.layout as unknown as ArraySpec[];
      const costs = [...readArray(answer.body as Uint8Array, layout[1])];
      expect(costs.map((cost) => cost === Infinity)).toEqual([false, false, false, false, true, true]);
      const env = new BatchEnv({ scenarios: ["paper-3-servers-v1"], numLanes: 1 });
      env.reset([Number(array(opened, first, "episodeSeed")[0])]);
      const native = env.lookAhead(0, { weight: 1, mode: "sequential" });
      expect(costs.slice(0, 4)).toEqual([...native.costSlots]);
      expect([...readArray(answer.body as Uint8Array, layout[3])].slice(0, 4)).toEqual([...native.reward]);
      const again = await ask(opened.dispatcher, request(opened, "lookahead", 3, { weight: 1, mode: "sequential" }));
      expect(again.body).toEqual(answer.body);
    });

    it("groups play their own lanes, with the same results as one group of all lanes", async () => {
      const whole = await open(sharedDispatcher(place), { numEnvs: 4 });
      const split = await open(sharedDispatcher(place), { numEnvs: 4, groups: 2 });
      const all = [...array(whole, await ask(whole.dispatcher, request(whole, "reset", 1)), "episodeSeed")];
      const halves: number[] = [];
      for (const group of [0, 1]) {
        halves.push(...array(split, await ask(split.dispatcher, request(split, "reset", 1, { group })), "episodeSeed"));
      }
      expect(halves).toEqual(all);
    });

    it("close ends the session", async () => {
      const opened = await open(makeDispatcher());
      expect(opened.dispatcher.numSessions).toBe(1);
      await ask(opened.dispatcher, request(opened, "close", 1));
      expect(opened.dispatcher.numSessions).toBe(0);
      expect((await ask(opened.dispatcher, request(opened, "step", 2))).error?.code).toBe("unknownSession");
    });
  });

  describe("refusals", () => {
    const dispatcher = makeDispatcher({
      limits: { ...defaultLimits, ...{ maxSessions: 2, maxLanes: 8, maxInFlight: 4 } },
    });
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
      ["too little room for servers", { ...base, maxServers: 3 }, "invalidOption", "maxServers"],
      ["an unknown split", { ...base, split: "exam" }, "invalidRequest", "/split"],
      ["too few scenario indices", { ...base, numEnvs: 2, laneScenario: [0] }, "invalidRequest", "/laneScenario"],
      ["a scenario index too large", { ...base, laneScenario: [1] }, "invalidOption", "laneScenario/0"],
    ];
    for (const [name, header, code, path] of cases) {
      it(`${name}: ${code} at ${path}`, async () => {
        const answer = await ask(dispatcher, { requestId: newId(), ...header });
        expect(answer.error).toMatchObject({ code, path });
        expect(answer.error?.expected).not.toBe("");
        expect(dispatcher.numSessions).toBe(0);
      });
    }

    it("names the invalid scenario if there are several", async () => {
      const scenarios = ["paper-v1", { numServers: 0 }];
      const answer = await ask(dispatcher, { ...base, requestId: newId(), scenarios });
      expect(answer.error).toMatchObject({ code: "invalidScenario", path: "/scenarios/1/numServers" });
    });

    it("one session too many", async () => {
      const small = makeDispatcher({
        limits: { ...defaultLimits, ...{ maxSessions: 1, maxLanes: 8, maxInFlight: 4 } },
      });
      await open(small);
      expect((await ask(small, { ...base, requestId: newId() })).error?.code).toBe("tooManySessions");
    });

    it("messages of no or three parts, and unreadable headers, are answered without an id", async () => {
      for (const message of [[], [new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)], [Uint8Array.of(0xc1)]]) {
        const [answer] = await tell(dispatcher, message);
        expect(answer.header).toMatchObject({ ok: false, op: null, requestId: null });
        expect(answer.error?.code).toBe("malformedMessage");
      }
    });

    it.each([
      [0, 0x200000],
      [-2, -1],
      [-1, 0x7fffffff],
    ])("a seed beyond 2^53 − 1, words %d and %d", async (low, high) => {
      const opened = await open(sharedDispatcher(place), { numEnvs: 1 });
      const body = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
      writeArray(body, opened.layouts.resetRequest[0], Int32Array.of(low, high));
      body[opened.layouts.resetRequest[1].offset] = 1;
      expect((await ask(opened.dispatcher, request(opened, "reset", 1), body)).error).toMatchObject({
        code: "invalidSeed",
        path: "seeds/0",
      });
    });
  });
});
