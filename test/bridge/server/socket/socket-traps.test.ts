/** Traps of ZeroMQ, which fails silently: each one with a real server on real sockets. */

import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { Client } from "../../../../bridge/client/client.js";
import { defaultLimits } from "../../../../bridge/server/limits.js";
import { decodeHeader, encodeHeader } from "../../../../bridge/wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../../../../bridge/wire/protocol.js";
import { BatchEnv } from "../../../../env/index.js";
import { end, killAll, readyLine, root, start } from "../../processes.js";
import { atEnd, connect, serve } from "../../servers.js";

afterAll(killAll);

const id = (n: number) => n.toString(16).padStart(32, "0");
const request = (fields: Record<string, unknown>) =>
  Buffer.from(encodeHeader({ v: PROTOCOL_VERSION, ...fields } as unknown as Request));

function dealer(address: string): Dealer {
  const socket = new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 1, receiveTimeout: 10_000 });
  socket.connect(address);
  atEnd(() => socket.close());
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(condition()).toBe(true);
}

const transportOf = (server: Awaited<ReturnType<typeof serve>>) => {
  const { transport } = server.stats();
  if (transport === undefined) throw new Error("no transport in stats");
  return transport;
};

describe("a reply that cannot be delivered", () => {
  it("is counted, not dropped silently, if the client is gone", async () => {
    const server = await serve();
    const client = connect(server.address);
    for (let round = 0; round < 20 && transportOf(server).undelivered === 0; round++) {
      const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 1 });
      const { session: name, epoch } = session.info as unknown as { session: string; epoch: number };
      // a request is held for its turn, and its sender leaves; the request it waits for comes from someone else
      const leaver = dealer(server.address);
      await leaver.send(request({ op: "reset", session: name, epoch, group: 0, seq: 2, ack: 0 }));
      await until(() => server.stats().heldRequests === 1);
      leaver.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await session.reset();
    }
    expect(transportOf(server).undelivered).toBe(1);
    await expect(client.ping()).resolves.toEqual({});
  });

  it("does not delay other clients if its client reads nothing, and does not pile up", async () => {
    const server = await serve();
    const silent = dealer(server.address);
    const other = connect(server.address);
    let sent = 0;
    // 30 kB each: far more than sockets and queues of 4,096 messages hold
    while (transportOf(server).undelivered === 0 && sent < 20_000) {
      for (let i = 0; i < 200; i++)
        await silent.send(request({ op: "scenarios", scenario: "paper-v1", requestId: id(sent++) }));
      await other.ping();
    }
    const { undelivered, messagesOut } = transportOf(server);
    expect(undelivered).toBeGreaterThan(0);
    expect(messagesOut).toBeLessThan(sent);
    await expect(other.ping()).resolves.toEqual({});
  });
});

describe("memory handed to a socket", () => {
  it("is not used again before the reply is read: waiting replies keep their bytes", async () => {
    const numEnvs = 512; // bodies of more than 128 bytes, which are sent without a copy
    const server = await serve();
    const socket = new Dealer({ linger: 0, receiveTimeout: 10_000 });
    socket.connect(server.address);
    atEnd(() => socket.close());
    await socket.send(request({ op: "open", scenarios: ["paper-v1"], numEnvs, seed: 3, requestId: id(1) }));
    const [opened] = await socket.receive();
    const { session, epoch } = decodeHeader(opened).result as Record<string, unknown>;
    const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: numEnvs, seed: 3, invalidActions: "costliest" });
    const count = 12; // within maxInFlight, and nothing is acknowledged
    await socket.send(request({ op: "reset", session, epoch, group: 0, seq: 1, ack: 0 }));
    for (let i = 2; i <= count; i++) {
      const actions = Buffer.from(new Int32Array(numEnvs).fill(i % 4).buffer);
      await socket.send([request({ op: "step", session, epoch, group: 0, seq: i, ack: 0 }), actions]);
    }
    await until(() => transportOf(server).messagesOut > count);
    env.reset();
    for (let i = 1; i <= count; i++) {
      if (i > 1) env.step(new Int32Array(numEnvs).fill(i % 4));
      const [head, body] = await socket.receive();
      expect(decodeHeader(head)).toMatchObject({ seq: i, ok: true });
      const observation = Buffer.from(env.observation.buffer, env.observation.byteOffset, env.observation.byteLength);
      expect(body.subarray(0, observation.length).equals(observation)).toBe(true);
    }
  });
});

describe("one send and one receive at a time", () => {
  it("works with many requests in flight from many clients", async () => {
    const server = await serve();
    const clients = Array.from({ length: 8 }, () => connect(server.address, { requestDeadlineMs: 20_000 }));
    const answers = await Promise.all(clients.flatMap((client) => Array.from({ length: 100 }, () => client.ping())));
    expect(answers.length).toBe(800);
    expect(transportOf(server).undelivered).toBe(0);
  });
});

describe("the size of a message", () => {
  it("counts all parts: many parts are refused, however small", async () => {
    const server = await serve();
    const socket = dealer(server.address);
    for (const numParts of [3, 64, 5000]) {
      await socket.send(Array.from({ length: numParts }, () => Buffer.alloc(1)));
      const [reply] = await socket.receive();
      expect(decodeHeader(reply)).toMatchObject({
        ok: false,
        error: { code: "malformedMessage" },
      });
    }
    await expect(connect(server.address).ping()).resolves.toEqual({});
  });

  it("closes only the connection on which one part is far too large", async () => {
    const server = await serve({ limits: { ...defaultLimits, maxBodyBytes: 4096 } });
    const other = connect(server.address);
    await other.ping();
    const socket = dealer(server.address);
    const before = transportOf(server).messagesIn;
    const isCutOff = new Promise<void>((resolve) => socket.events.on("disconnect", () => resolve()));
    await socket.send([request({ op: "ping", requestId: id(1) }), Buffer.alloc(3 * 4096)]);
    await isCutOff;
    await expect(other.ping()).resolves.toEqual({});
    expect(transportOf(server).messagesIn).toBe(before + 1); // the other's
  });
});

describe("the end of a process", () => {
  it("does not wait for a client that reads nothing", { timeout: 300_000 }, async () => {
    const child = start(["serve"]);
    const ended = end(child);
    const { address } = await readyLine(child);
    const silent = dealer(address);
    for (let i = 0; i < 300; i++) await silent.send(request({ op: "scenarios", requestId: id(i) }));
    await connect(address).ping(); // the server is at work on them
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("threads", () => {
  /** All files of the repository that a file imports, and that those import, except for their types. */
  function reachedFrom(path: string, seen = new Set<string>()): Set<string> {
    if (seen.has(path)) return seen;
    seen.add(path);
    const source = ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.ES2022);
    for (const statement of source.statements) {
      const isImport = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
      if (!isImport || statement.moduleSpecifier === undefined) continue;
      if (ts.isImportDeclaration(statement) && statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
        continue;
      const { text } = statement.moduleSpecifier as ts.StringLiteral;
      if (!text.startsWith(".")) seen.add(text);
      else if (text.endsWith(".js")) reachedFrom(posix.join(dirname(path), text).replace(/\.js$/, ".ts"), seen);
    }
    return seen;
  }

  it("never open a socket: ending a thread that has one aborts the process", () => {
    const reached = reachedFrom("bridge/composition/worker.ts");
    expect(reached).toContain("env/batch/batch-env.ts");
    expect([...reached].filter((one) => one === "zeromq")).toEqual([]);
    expect(reachedFrom("bridge/cli/commands/serve.ts")).toContain("zeromq");
  });

  it("compute while hello and ping are answered", { timeout: 300_000 }, async () => {
    const child = start(["serve", "--threads", "2"]);
    const ended = end(child);
    const { address } = await readyLine(child);
    const client = new Client(address, { requestDeadlineMs: 30_000, resendAfterMs: 30_000 });
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 16_384 });
    await session.reset();
    let isDone = false;
    const batch = client
      .request({
        ...{ v: PROTOCOL_VERSION, op: "policy", session: session.info.session, epoch: 1, group: 0, seq: 2, ack: 1 },
        ...{ policy: "local", steps: 100 },
      } as unknown as Request)
      .then(() => {
        isDone = true;
      });
    let answered = 0;
    while (!isDone) {
      await Promise.all([client.ping(), client.hello()]);
      if (!isDone) answered += 1;
    }
    await batch;
    expect(answered).toBeGreaterThan(10);
    client.close();
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });
});
