/** The server without a socket: order, repetition, refusals, and the physics behind it. */

import { describe, expect, it } from "vitest";
import {
  type ArraySpec,
  bodyBytes,
  decodeHeader,
  encodeHeader,
  type Request,
  readArray,
  writeArray,
} from "../../bridge/protocol.js";
import { defaultLimits, type Message, SessionHost } from "../../bridge/session.js";
import { BatchEnv } from "../../env/index.js";
import { findProblem } from "../../schemas/validate.js";

let requests = 0;
const newId = () => (requests++).toString(16).padStart(32, "0");

interface Answer {
  readonly header: Record<string, unknown>;
  readonly result: Record<string, never> & Record<string, unknown>;
  readonly error: { code: string; path: string; expected: string; got: string } | undefined;
  readonly body: Uint8Array | undefined;
}

function read(message: Message): Answer {
  const header = decodeHeader(message[0]);
  expect(findProblem("reply", structuredClone(header))).toBeUndefined();
  return {
    header,
    result: header.result as Answer["result"],
    error: header.error as Answer["error"],
    body: message[1],
  };
}

function ask(host: SessionHost, header: Record<string, unknown>, body?: Uint8Array): Answer[] {
  const head = encodeHeader({ v: "1.0", ...header } as unknown as Request);
  return host.handle(body === undefined ? [head] : [head, body]).map(read);
}

function askOne(host: SessionHost, header: Record<string, unknown>, body?: Uint8Array): Answer {
  const answers = ask(host, header, body);
  expect(answers).toHaveLength(1);
  return answers[0];
}

interface Opened {
  readonly host: SessionHost;
  readonly session: string;
  readonly layouts: Record<"resetRequest" | "stepRequest" | "stepReply", ArraySpec[]>;
}

function open(fields: Record<string, unknown> = {}, host = new SessionHost("0.0.0")): Opened {
  const { result, error } = askOne(host, {
    op: "open",
    requestId: newId(),
    scenarios: ["paper-v1"],
    numEnvs: 2,
    ...fields,
  });
  expect(error).toBeUndefined();
  return {
    host,
    session: result.session as unknown as string,
    layouts: result.layouts as unknown as Opened["layouts"],
  };
}

function actionsBody(opened: Opened, actions: number[]): Uint8Array {
  const body = new Uint8Array(bodyBytes(opened.layouts.stepRequest));
  writeArray(body, opened.layouts.stepRequest[0], Int32Array.from(actions));
  return body;
}

function request(opened: Opened, op: string, seq: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { op, session: opened.session, epoch: 1, group: 0, seq, ack: 0, ...more };
}

const array = (opened: Opened, answer: Answer, name: string) => {
  const spec = opened.layouts.stepReply.find((one) => one.name === name) as ArraySpec;
  return readArray(answer.body as Uint8Array, spec);
};

describe("operations", () => {
  it("hello names versions, limits and the instance", () => {
    const host = new SessionHost("1.2.3");
    const { result } = askOne(host, { op: "hello", requestId: newId() });
    expect(result).toMatchObject({ protocolVersion: "1.2", packageVersion: "1.2.3", instance: host.instance });
    expect(result.limits).toMatchObject(defaultLimits);
  });

  it("scenarios lists the frozen ones, and completes one", () => {
    const host = new SessionHost("0");
    const all = askOne(host, { op: "scenarios", requestId: newId() }).result.scenarios as unknown as { id: string }[];
    expect(all.map((one) => one.id)).toContain("paper-v1");
    const [one] = askOne(host, { op: "scenarios", requestId: newId(), scenario: { numServers: 4 } }).result
      .scenarios as unknown as { hash: string; scenario: Record<string, unknown> }[];
    expect(one.scenario).toMatchObject({ numServers: 4, slotSeconds: 0.1 });
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  const churn = { users: { count: 24 }, churn: { leaveProbability: 0.1, returnProbability: 0.2 } };

  it.each([
    ["without churn", "paper-v1"],
    ["under churn", churn],
  ])("reset and step give what the simulator gives, %s", (_name, scenario) => {
    const opened = open({ scenarios: [scenario], numEnvs: 3 });
    const options = { numLanes: 3, autoreset: "next-step", invalidActions: "costliest" } as const;
    const env = new BatchEnv({ scenarios: [scenario], ...options });
    let lost = 0;
    env.reset([5, 6, 7]);
    const seeds = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
    writeArray(seeds, opened.layouts.resetRequest[0], Int32Array.of(5, 0, 6, 0, 7, 0));
    writeArray(seeds, opened.layouts.resetRequest[1], Uint8Array.of(1, 1, 1));
    const reset = askOne(opened.host, request(opened, "reset", 1), seeds);
    expect(array(opened, reset, "observation")).toEqual(env.observation);
    expect([...array(opened, reset, "episodeSeed")]).toEqual([5, 6, 7]);
    for (let seq = 2; seq < 500; seq++) {
      const actions = [seq % 7, (seq * 3) % 7, 6];
      env.step(actions);
      const answer = askOne(opened.host, request(opened, "step", seq, { ack: seq - 1 }), actionsBody(opened, actions));
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

  it("lookahead has infinite costs, not NaN, where a server is absent", () => {
    const fields = { numServers: 2, churn: { leaveProbability: 1, returnProbability: 1 }, users: { count: 8 } };
    const opened = open({ scenarios: [fields], numEnvs: 1, maxServers: 3 });
    askOne(opened.host, request(opened, "reset", 1));
    // servers are there in even slots alone
    for (let seq = 2; ; seq++) {
      const ids = { ack: seq - 1 };
      const step = askOne(opened.host, request(opened, "step", seq, ids), actionsBody(opened, [0]));
      if (Number(array(opened, step, "slot")[0]) % 2 === 0) continue;
      expect([...array(opened, step, "actionMask")]).toEqual([1, 0, 0, 0]);
      const answer = askOne(opened.host, request(opened, "lookahead", seq + 1, { ack: seq }));
      const layout = answer.result.layout as unknown as ArraySpec[];
      const [, costs, , rewards] = layout.map((spec) => [...readArray(answer.body as Uint8Array, spec)]);
      expect(costs.slice(1)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN]);
      expect(rewards.slice(1)).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
      expect(costs[0]).toBeGreaterThan(0);
      return;
    }
  });

  it("lookahead gives what the simulator gives, NaN where no action exists, and changes nothing", () => {
    const opened = open({ scenarios: ["paper-3-servers-v1"], numEnvs: 1, maxServers: 5 });
    const first = askOne(opened.host, request(opened, "reset", 1));
    const answer = askOne(opened.host, request(opened, "lookahead", 2, { weight: 1, mode: "sequential" }));
    const layout = answer.result.layout as unknown as ArraySpec[];
    const costs = [...readArray(answer.body as Uint8Array, layout[1])];
    expect(costs.map(Number.isNaN)).toEqual([false, false, false, false, true, true]);
    const env = new BatchEnv({ scenarios: ["paper-3-servers-v1"], numLanes: 1 });
    env.reset([Number(array(opened, first, "episodeSeed")[0])]);
    const native = env.lookAhead(0, { weight: 1, mode: "sequential" });
    expect(costs.slice(0, 4)).toEqual([...native.costSlots]);
    expect([...readArray(answer.body as Uint8Array, layout[3])].slice(0, 4)).toEqual([...native.reward]);
    const again = askOne(opened.host, request(opened, "lookahead", 3, { weight: 1, mode: "sequential" }));
    expect(again.body).toEqual(answer.body);
  });

  it("groups play their own lanes: the same as one group of all", () => {
    const whole = open({ numEnvs: 4 });
    const split = open({ numEnvs: 4, groups: 2 });
    const all = [...array(whole, askOne(whole.host, request(whole, "reset", 1)), "episodeSeed")];
    const halves = [0, 1].flatMap((group) => [
      ...array(split, askOne(split.host, request(split, "reset", 1, { group })), "episodeSeed"),
    ]);
    expect(halves).toEqual(all);
  });

  it("close ends the session", () => {
    const opened = open();
    expect(opened.host.numSessions).toBe(1);
    askOne(opened.host, request(opened, "close", 1));
    expect(opened.host.numSessions).toBe(0);
    expect(askOne(opened.host, request(opened, "step", 2)).error?.code).toBe("unknownSession");
  });
});

describe("order and repetition", () => {
  it("carries out a request once, however often it is sent", () => {
    const opened = open();
    askOne(opened.host, request(opened, "reset", 1));
    const first = askOne(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
    const again = askOne(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
    expect(again.body).toEqual(first.body);
    const next = askOne(opened.host, request(opened, "step", 3), actionsBody(opened, [1, 2]));
    expect([...array(opened, next, "decisionIndex")]).toEqual([2, 2]);
  });

  it("holds what comes early, and answers in order when its turn has come", () => {
    const opened = open();
    expect(ask(opened.host, request(opened, "step", 3), actionsBody(opened, [3, 3]))).toHaveLength(0);
    expect(ask(opened.host, request(opened, "step", 2), actionsBody(opened, [2, 2]))).toHaveLength(0);
    const answers = ask(opened.host, request(opened, "reset", 1));
    expect(answers.map((answer) => answer.header.seq)).toEqual([1, 2, 3]);
    expect(answers.every((answer) => answer.header.ok)).toBe(true);
  });

  it("refuses another request under a used number, an acknowledged one, one too far ahead, and another epoch", () => {
    const opened = open();
    askOne(opened.host, request(opened, "reset", 1));
    askOne(opened.host, request(opened, "step", 2), actionsBody(opened, [1, 2]));
    const code = (header: Record<string, unknown>, body?: Uint8Array) => askOne(opened.host, header, body).error?.code;
    expect(code(request(opened, "step", 2), actionsBody(opened, [1, 3]))).toBe("sequenceConflict");
    expect(code(request(opened, "lookahead", 2))).toBe("sequenceConflict");
    expect(code(request(opened, "step", 2, { ack: 1 }), actionsBody(opened, [1, 2]))).toBeUndefined();
    expect(code(request(opened, "step", 3 + defaultLimits.maxInFlight, { ack: 2 }))).toBe("windowExceeded");
    expect(code(request(opened, "reset", 1))).toBe("staleSequence");
    expect(code(request(opened, "step", 3, { epoch: 2 }))).toBe("staleEpoch");
    expect(code(request(opened, "step", 3, { group: 9 }))).toBe("invalidRequest");
    expect(code(request(opened, "step", 3, { ack: 7 }))).toBe("invalidRequest");
  });

  it("answers what it still held when the session is closed", () => {
    const opened = open({ numEnvs: 2, groups: 2 });
    const body = new Uint8Array(bodyBytes(opened.layouts.stepRequest));
    expect(ask(opened.host, request(opened, "step", 2), body)).toHaveLength(0);
    expect(ask(opened.host, request(opened, "step", 3, { group: 1 }), body)).toHaveLength(0);
    const answers = ask(opened.host, request(opened, "close", 1));
    const told = answers.map(({ header, error }) => [header.group, header.seq, error?.code]);
    expect(told).toEqual([
      [0, 1, undefined],
      [0, 2, "unknownSession"],
      [1, 3, "unknownSession"],
    ]);
  });

  it("gives the same session to the same open, and another to another", () => {
    const host = new SessionHost("0");
    const header = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1 };
    const first = askOne(host, header).result.session;
    expect(askOne(host, header).result.session).toBe(first);
    expect(askOne(host, { ...header, requestId: newId() }).result.session).not.toBe(first);
    expect(host.numSessions).toBe(2);
  });

  it("an ill-formed request uses up its number, too, in its turn", () => {
    const opened = open();
    expect(ask(opened.host, request(opened, "lookahead", 2, { numSamples: 0 }))).toHaveLength(0);
    const answers = ask(opened.host, request(opened, "reset", 1));
    expect(answers.map((answer) => answer.error?.code)).toEqual([undefined, "invalidRequest"]);
    expect(askOne(opened.host, request(opened, "dance", 3, { ack: 2 })).error?.code).toBe("unknownOperation");
    expect(
      askOne(opened.host, request(opened, "step", 4, { ack: 3 }), actionsBody(opened, [1, 1])).error,
    ).toBeUndefined();
  });

  it("a refused step uses up its number and changes nothing", () => {
    const opened = open({ autoreset: "disabled", numEnvs: 1 });
    const twin = open({ autoreset: "disabled", numEnvs: 1 });
    expect(askOne(opened.host, request(opened, "step", 1), actionsBody(opened, [1])).error?.code).toBe("needsReset");
    expect(askOne(opened.host, request(opened, "step", 2), new Uint8Array(3)).error).toMatchObject({
      code: "invalidBody",
      got: '"3 bytes"',
    });
    askOne(opened.host, request(opened, "reset", 3));
    askOne(twin.host, request(twin, "reset", 1));
    expect(askOne(opened.host, request(opened, "step", 4)).error?.code).toBe("invalidBody");
    const a = askOne(opened.host, request(opened, "step", 5), actionsBody(opened, [2]));
    const b = askOne(twin.host, request(twin, "step", 2), actionsBody(twin, [2]));
    expect(a.body).toEqual(b.body);
  });
});

describe("refusals", () => {
  const host = new SessionHost("0", { maxSessions: 2, maxLanes: 8, maxInFlight: 4 });
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
    it(`${name}: ${code} at ${path}`, () => {
      const answer = askOne(host, { requestId: newId(), ...header });
      expect(answer.error).toMatchObject({ code, path });
      expect(answer.error?.expected).not.toBe("");
      expect(host.numSessions).toBe(0);
    });
  }

  it("names the scenario at fault where there are several", () => {
    const scenarios = ["paper-v1", { numServers: 0 }];
    const answer = askOne(host, { ...base, requestId: newId(), scenarios });
    expect(answer.error).toMatchObject({ code: "invalidScenario", path: "/scenarios/1/numServers" });
  });

  it("one session too many", () => {
    const small = new SessionHost("0", { maxSessions: 1, maxLanes: 8, maxInFlight: 4 });
    open({}, small);
    expect(askOne(small, { ...base, requestId: newId() }).error?.code).toBe("tooManySessions");
  });

  it("messages of no or three parts, and headers that are none, are answered without an id", () => {
    for (const message of [[], [new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)], [Uint8Array.of(0xc1)]]) {
      const [answer] = host.handle(message).map(read);
      expect(answer.header).toMatchObject({ ok: false, op: null, requestId: null });
      expect(answer.error?.code).toBe("malformedMessage");
    }
  });

  it.each([
    [0, 0x200000],
    [-2, -1],
    [-1, 0x7fffffff],
  ])("a seed beyond 2^53 − 1, words %d and %d", (low, high) => {
    const opened = open({ numEnvs: 1 });
    const body = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
    writeArray(body, opened.layouts.resetRequest[0], Int32Array.of(low, high));
    body[opened.layouts.resetRequest[1].offset] = 1;
    expect(askOne(opened.host, request(opened, "reset", 1), body).error).toMatchObject({
      code: "invalidSeed",
      path: "seeds/0",
    });
  });
});
