/** The client of a model: it lasts through what may pass, gives up by named limits, and keeps the key to itself. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Endpoint, type EndpointOptions } from "../../../benchmarks/models/endpoint.js";
import { backOffMs, readRetryAfter } from "../../../benchmarks/models/faults.js";
import { misbehaviours as bad, ModelServer, sendJson } from "./model-server.js";

let server: ModelServer;
let baseUrl: string;
const KEY = "sk-secret-12345";

beforeEach(async () => {
  server = new ModelServer();
  baseUrl = await server.start();
});
afterEach(() => server.stop());

const made = (more: Partial<EndpointOptions> = {}, stop = new AbortController()) => {
  const options: EndpointOptions = {
    model: "tiny",
    baseUrl,
    key: KEY,
    keyVariable: "MY_KEY",
    form: "chat",
    temperature: 0,
    maxTokens: 16,
    body: {},
    requestSeconds: 30,
    giveUpSeconds: 60,
    firstBackOffMs: 4,
    ...more,
  };
  return new Endpoint(options, stop.signal);
};
const prompt = { messages: [{ role: "user" as const, content: "Local or Server k?" }], text: "Local or Server k?" };
const ask = (endpoint: Endpoint) => endpoint.ask(endpoint.question(prompt));
const failure = (endpoint: Endpoint) =>
  ask(endpoint).then(
    () => {
      throw new Error("it was answered");
    },
    (error: Error) => error,
  );

describe("an endpoint", { timeout: 120_000 }, () => {
  it("asks with the model, the messages, temperature 0, a limit of tokens and the key", async () => {
    const { completion, attempts } = await ask(made());
    expect(completion).toMatchObject({ promptTokens: 100, completionTokens: 3, isCut: false });
    expect(completion.text).toMatch(/^Server \d$/);
    expect(attempts).toBe(1);
    expect(server.asked).toEqual([
      {
        path: "/v1/chat/completions",
        authorization: `Bearer ${KEY}`,
        body: { model: "tiny", messages: prompt.messages, temperature: 0, max_tokens: 16 },
        text: prompt.text,
      },
    ]);
  });

  it("asks in plain form, with further fields, and without those that are null", async () => {
    const { completion } = await ask(made({ form: "plain", body: { max_tokens: null, top_k: 1 } }));
    expect(completion.text).toMatch(/^Server \d$/);
    expect(server.asked[0]).toMatchObject({ path: "/v1/completions" });
    expect(server.asked[0].body).toEqual({ model: "tiny", prompt: prompt.text, temperature: 0, top_k: 1 });
  });

  const passing = ["broken", "cutOff", "hungUp", "notJson", "empty", "wrongSchema", "noChoices"] as const;
  it.each(passing)("asks again after a reply that is %s", async (kind) => {
    server.next.push(bad[kind], bad[kind]);
    expect((await ask(made())).attempts).toBe(3);
    expect(server.asked.length).toBe(3);
    expect(new Set(server.asked.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  it.each(["slow", "silent"] as const)("asks again after a reply that is too %s", async (kind) => {
    server.next.push(bad[kind]);
    expect((await ask(made({ requestSeconds: 0.3 }))).attempts).toBe(2);
  });

  it("waits as long as Retry-After says, in all lanes", async () => {
    server.next.push(bad.busy("1"));
    const endpoint = made();
    const startMs = Date.now();
    const first = ask(endpoint);
    while (server.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await ask(endpoint);
    expect(Date.now() - startMs).toBeGreaterThanOrEqual(950);
    expect((await first).attempts).toBe(2);
    expect(second.attempts).toBe(1);
  });

  it("counts an answer that says nothing as an answer", async () => {
    server.answer = () => null;
    expect((await ask(made())).completion.text).toBe("");
    expect(server.asked.length).toBe(1);
  });

  it.each([400, 401, 403, 404, 422])("does not ask again after status %i", async (status) => {
    server.next.push((response) => {
      sendJson(response, status, { error: { message: `Incorrect API key provided: ${KEY}` } });
      return undefined;
    });
    const error = await failure(made());
    expect(error.name).toBe("ModelFailed");
    expect(error.message).toContain(`status ${status}`);
    expect(error.message).not.toContain(KEY);
    expect(error.message.includes("the key comes from MY_KEY")).toBe(status === 401 || status === 403);
    expect(server.asked.length).toBe(1);
  });

  it("does not ask again if there is nothing left to pay with", async () => {
    server.next.push((response) => {
      sendJson(response, 429, { error: { message: "You exceeded your quota.", code: "insufficient_quota" } });
      return undefined;
    });
    expect((await failure(made())).message).toContain("quota");
    expect(server.asked.length).toBe(1);
  });

  it("names the variable of a key that is not set", async () => {
    server.next.push((response) => {
      sendJson(response, 401, { error: { message: "no key" } });
      return undefined;
    });
    expect((await failure(made({ key: undefined }))).message).toContain("MY_KEY is not set");
  });

  it("gives up by the limit that it names", async () => {
    for (let i = 0; i < 100; i++) server.next.push(bad.broken);
    expect((await failure(made({ giveUpSeconds: 0.3 }))).message).toMatch(/out of memory; giveUpSeconds is 0\.3$/);
    server.next.length = 0;
    server.next.push(bad.busy("3600"));
    const before = server.asked.length;
    expect((await failure(made())).message).toMatch(/which asks for 3600 s; giveUpSeconds is 60$/);
    expect(server.asked.length).toBe(before + 1);
    server.next.push(bad.slow);
    expect((await failure(made({ requestSeconds: 0.2, giveUpSeconds: 0.1 }))).message).toMatch(
      /no whole reply; requestSeconds is 0\.2; giveUpSeconds is 0\.1$/,
    );
  });

  it("gives up on an endpoint that is not there, and says why", async () => {
    await server.stop();
    expect((await failure(made({ giveUpSeconds: 0.05 }))).message).toContain("ECONNREFUSED");
    await server.start();
  });

  it("has no key in what it keeps, even if the endpoint repeats it", async () => {
    server.answer = ({ authorization }) => `Server 1, and you are ${authorization}`;
    const { raw, completion } = await ask(made());
    expect(JSON.stringify(raw)).not.toContain(KEY);
    expect(completion.text).toContain("Bearer [key]");
  });

  it("stops at once, in a request and in a wait", async () => {
    for (const kind of [bad.silent, bad.busy("30")]) {
      const stop = new AbortController();
      server.next.push(kind);
      const before = server.asked.length;
      const asking = failure(made({}, stop));
      while (server.asked.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const startMs = Date.now();
      stop.abort();
      expect((await asking).name).toBe("AbortError");
      expect(Date.now() - startMs).toBeLessThan(5000);
    }
  });
});

describe("waits", () => {
  it("are read from a number, a date or milliseconds, and are 0 for anything else", () => {
    const at = (headers: Record<string, string>) => readRetryAfter(new Headers(headers), Date.UTC(2026, 0, 1));
    expect(at({ "retry-after": "2" })).toBe(2000);
    expect(at({ "retry-after": "Thu, 01 Jan 2026 00:00:03 GMT" })).toBe(3000);
    expect(at({ "retry-after": "Thu, 01 Jan 2025 00:00:03 GMT" })).toBe(0);
    expect(at({ "retry-after-ms": "250", "retry-after": "2" })).toBe(250);
    for (const text of ["", "soon", "-3"]) expect(at({ "retry-after": text })).toBe(0);
    expect(readRetryAfter(undefined, 0)).toBe(0);
  });

  it("double, up to half a minute, and differ between questions", () => {
    const waits = Array.from({ length: 10 }, (_, attempt) => backOffMs(500, attempt, "8000"));
    expect(waits.slice(0, 4)).toEqual([500, 1000, 2000, 4000]);
    expect(waits[9]).toBe(30_000);
    expect(backOffMs(500, 0, "0000")).toBe(375);
    expect(backOffMs(500, 0, "ffff")).toBeGreaterThan(620);
  });
});
