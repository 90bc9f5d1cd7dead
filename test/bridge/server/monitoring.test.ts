/** Monitoring of a server: its statistics, `mecgym top`, the metrics for Prometheus, and the log. */

import { request } from "node:http";
import { Writable } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { renderStats } from "../../../bridge/cli/commands/top.js";
import { BoundedLog, makeLogger } from "../../../bridge/cli/support/logger.js";
import { faultLog } from "../../../bridge/server/fault-log.js";
import { serveMetrics } from "../../../bridge/server/metrics-endpoint.js";
import { renderMetrics } from "../../../bridge/server/prometheus.js";
import type { ServerStats } from "../../../bridge/server/stats.js";
import { MecgymError } from "../../../env/index.js";
import { ask, messageOf, newId, sharedDispatcher } from "../dispatcher-client.js";
import { killAll, readyLine, run, start } from "../processes.js";
import { atEnd, connect, serve } from "../servers.js";

afterAll(killAll);

/** A server with something to show: a session, steps and an error. */
async function busyServer() {
  const server = await serve();
  // no request is sent twice, however slow the machine: messages are counted
  const client = connect(server.address, { requestDeadlineMs: 20_000, resendAfterMs: 20_000 });
  const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 3 });
  await session.reset();
  for (let i = 0; i < 5; i++) await session.step([0, 1, 2]);
  await client.open({ scenarios: ["nowhere"], numEnvs: 1 }).catch(() => {});
  return { server, session };
}

describe("stats", () => {
  it("count the messages of the socket", async () => {
    const { server } = await busyServer();
    const { transport } = server.stats();
    expect(transport).toMatchObject({ messagesIn: 9, messagesOut: 9, undelivered: 0, clientsAccepted: 0 });
    expect(transport?.bytesOut).toBeGreaterThan(transport?.bytesIn as number);
    expect(await connect(server.address).stats()).toMatchObject({ sessions: 1, transport: { messagesIn: 10 } });
  });
});

describe("mecgym top", () => {
  it("prints once as text and as JSON, without the id of a session", async () => {
    const { server, session } = await busyServer();
    const text = await run("top", server.address, "--once");
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/sessions +1 with 3 lanes/);
    expect(text.stdout).toMatch(/errors +unknownScenario 1/);
    expect(text.stdout).toMatch(/15 in all/);
    const json = await run("top", server.address, "--once", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ sessions: 1, lanes: 3, laneSteps: 15, requests: { step: 5 } });
    const { session: id } = session.info as unknown as { session: string };
    expect(text.stdout + json.stdout).not.toContain(id);
  });

  it("says in one line that no server answers", async () => {
    const { code, stdout, stderr } = await run("top", "ipc:///tmp/mecgym-nobody", "--once", "--timeout-seconds", "0.3");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /^mecgym: invalidOption at address: expected a server that answers \(no reply to stats .*\n$/,
    );
  });

  it("shows rates between two updates", async () => {
    const { server } = await busyServer();
    const first = server.stats();
    const later = { ...first, uptimeSeconds: first.uptimeSeconds + 2, requests: { ...first.requests, step: 25 } };
    expect(renderStats("ipc:///s", later, first)).toMatch(/step 25 \(10\/s\)/);
  });
});

describe("metrics", () => {
  const get = (url: string, options: { method?: string; host?: string } = {}) =>
    new Promise<{ status: number | undefined; type: string | undefined; text: string }>((resolve, reject) => {
      const { method = "GET", host } = options;
      const sent = request(url, { method, ...(host === undefined ? {} : { headers: { host } }) }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode, type: response.headers["content-type"], text }),
        );
      });
      sent.on("error", reject).end();
    });

  it("are served on loopback only, in the format of Prometheus", async () => {
    const { server, session } = await busyServer();
    const endpoint = await serveMetrics(0, server.stats);
    atEnd(() => endpoint.close());
    expect(endpoint.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    const { status, type, text } = await get(endpoint.url);
    expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    const lines = text.split("\n");
    for (const line of [
      "# TYPE mecgym_sessions gauge",
      "mecgym_sessions 1",
      "mecgym_lanes 3",
      "# TYPE mecgym_lane_steps_total counter",
      "mecgym_lane_steps_total 15",
      'mecgym_requests_total{op="step"} 5',
      'mecgym_errors_total{code="unknownScenario"} 1',
      'mecgym_messages_total{way="in"} 9',
    ]) {
      expect(lines).toContain(line);
    }
    expect(text).toMatch(/^mecgym_latency_seconds\{quantile="0\.99"\} [0-9.e-]+$/m);
    expect(text).not.toContain((session.info as unknown as { session: string }).session);
    // counters keep counting
    await session.step([1, 1, 1]);
    expect((await get(endpoint.url)).text.split("\n")).toContain('mecgym_requests_total{op="step"} 6');
  });

  it("are all that the endpoint serves, and only under its own host name", async () => {
    const { server } = await busyServer();
    const endpoint = await serveMetrics(0, server.stats);
    atEnd(() => endpoint.close());
    expect((await get(endpoint.url.replace("/metrics", "/")))?.status).toBe(404);
    expect((await get(endpoint.url, { method: "POST" })).status).toBe(405);
    const answer = await get(endpoint.url, { host: "evil.example" });
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain("mecgym_");
  });

  it("need a free port", async () => {
    const { server } = await busyServer();
    const endpoint = await serveMetrics(0, server.stats);
    atEnd(() => endpoint.close());
    const port = Number(new URL(endpoint.url).port);
    await expect(serveMetrics(port, server.stats)).rejects.toBeInstanceOf(MecgymError);
    await expect(serveMetrics(port, server.stats)).rejects.toThrow(/--metrics-port.*no other process/);
  });

  it("keep the format for any name of an error or operation", async () => {
    const { server } = await busyServer();
    const odd = { ...server.stats(), errors: { 'a"b\\c\nd': 1 } };
    expect(await renderMetrics(odd)).toContain('mecgym_errors_total{code="a\\"b\\\\c\\nd"} 1');
  });
});

describe("the log", () => {
  it("has one line of JSON for each event, and never the whole id of a session", () => {
    const lines: string[] = [];
    const logger = makeLogger("info", { write: (line) => lines.push(line) });
    const id = "0123456789abcdef".repeat(2);
    logger.info({ session: id, error: `at ${id} and "${id}"` }, `about ${id}`);
    logger.debug("too quiet to be heard");
    expect(lines.length).toBe(1);
    expect(lines[0]).not.toContain(id);
    expect(JSON.parse(lines[0])).toMatchObject({ session: "012345…", msg: "about 012345…", level: 30 });
  });

  it("drops and counts the lines that its reader does not take, and never waits for it", () => {
    const taken: string[] = [];
    let isStuck = true;
    let go = () => {};
    const reader = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken.push(String(chunk));
        if (isStuck) go = done;
        else done();
      },
    });
    const logger = makeLogger("info", new BoundedLog(reader, 1000));
    for (let i = 0; i < 100; i++) logger.info(`line ${i}`);
    expect(taken).toHaveLength(1);
    expect(reader.writableLength).toBeLessThanOrEqual(1000);
    isStuck = false;
    go();
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      logger.info("at last");
      const lines = taken.map((line) => JSON.parse(line));
      const { dropped } = lines.at(-2);
      expect(lines.at(-2)).toMatchObject({ msg: "log lines dropped", level: 40 });
      expect(lines.at(-1).msg).toBe("at last");
      // every line was written or counted
      expect(lines.length - 2 + dropped).toBe(100);
    });
  });

  it("does not stop a server whose standard error nobody reads", { timeout: 300_000 }, async () => {
    const child = start(["serve", "--log-level", "debug"]);
    child.stderr.pause();
    const { address } = await readyLine(child);
    const client = connect(address, { requestDeadlineMs: 60_000 });
    // each client is gone before its replies come, and each reply that fails is a line
    for (let undelivered = 0; undelivered < 8000; ) {
      const dealer = new Dealer({ linger: 10_000 });
      dealer.connect(address);
      for (let i = 0; i < 1000; i++) await dealer.send([...messageOf({ op: "ping", requestId: newId() })]);
      dealer.close();
      undelivered = ((await client.stats()) as unknown as ServerStats).transport?.undelivered ?? 0;
    }
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  it("has the stack of a fault once, however often it comes", () => {
    const events: Record<string, unknown>[] = [];
    const report = faultLog((event, details) => events.push({ event, ...details }));
    const fail = (i: number) => {
      report(new RangeError(`at entry ${i}`));
    };
    for (let i = 0; i < 1000; i++) fail(i);
    expect(events).toHaveLength(4);
    expect(events[0].error).toMatch(/^RangeError: at entry 0\n +at fail/);
    expect(events.slice(1).map(({ error, count }) => [error, count])).toEqual([
      ["RangeError: at entry 9", 10],
      ["RangeError: at entry 99", 100],
      ["RangeError: at entry 999", 1000],
    ]);
    report("another fault");
    expect(events[4]).toEqual({ event: "internal error", error: "another fault" });
  });
});

describe("error texts", () => {
  const id = "0123456789abcdef".repeat(2);

  it.each([
    ["as an operation", { op: id }],
    ["in a list that is cut", { op: "ping", sessions: Array(9).fill(`${id}0`) }],
    ["with a letter before it", { op: "open", scenarios: [`x${id}`], numEnvs: 1 }],
    ["in a field that does not exist", { op: "ping", [id]: 1 }],
    ["where a number belongs", { op: "open", scenarios: ["paper-v1"], numEnvs: id }],
  ])("never repeat the id of a session: %s", async (_name, fields) => {
    const { error } = await ask(sharedDispatcher("inline"), { requestId: newId(), ...fields });
    expect(error).toBeDefined();
    expect(JSON.stringify(error)).not.toMatch(/[0-9a-f]{8}/);
  });
});
