/** Watching a server: its log, `mecgym top`, and the metrics that Prometheus reads. */

import { request } from "node:http";
import { afterAll, describe, expect, it } from "vitest";
import { renderStats } from "../../../bridge/cli/commands/top.js";
import { makeLogger } from "../../../bridge/cli/support/logger.js";
import { renderMetrics, serveMetrics } from "../../../bridge/server/prometheus.js";
import { MecgymError } from "../../../env/index.js";
import { killAll, run } from "../processes.js";
import { atEnd, connect, serve } from "../servers.js";

afterAll(killAll);

/** A server that has something to show: a session, steps, and an error. */
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
  it("count what went through the socket", async () => {
    const { server } = await busyServer();
    const { transport } = server.stats();
    expect(transport).toMatchObject({ messagesIn: 8, messagesOut: 8, undelivered: 0, clientsAccepted: 0 });
    expect(transport?.bytesOut).toBeGreaterThan(transport?.bytesIn as number);
    expect(await connect(server.address).stats()).toMatchObject({ sessions: 1, transport: { messagesIn: 9 } });
  });
});

describe("mecgym top", () => {
  it("shows one look, as text and as JSON, and no session's id", async () => {
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

  it("says in one line that nobody answers", async () => {
    const { code, stdout, stderr } = await run("top", "ipc:///tmp/mecgym-nobody", "--once", "--timeout-seconds", "0.3");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /^mecgym: invalidOption at address: expected a server that answers \(no reply to stats .*\n$/,
    );
  });

  it("shows rates between two looks", async () => {
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

  it("are served on loopback alone, as Prometheus reads them", async () => {
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
      'mecgym_messages_total{way="in"} 8',
    ]) {
      expect(lines).toContain(line);
    }
    expect(text).toMatch(/^mecgym_latency_seconds\{quantile="0\.99"\} [0-9.e-]+$/m);
    expect(text).not.toContain((session.info as unknown as { session: string }).session);
    // counters count on
    await session.step([1, 1, 1]);
    expect((await get(endpoint.url)).text.split("\n")).toContain('mecgym_requests_total{op="step"} 6');
  });

  it("are all the endpoint gives, and only under its own name", async () => {
    const { server } = await busyServer();
    const endpoint = await serveMetrics(0, server.stats);
    atEnd(() => endpoint.close());
    expect((await get(endpoint.url.replace("/metrics", "/")))?.status).toBe(404);
    expect((await get(endpoint.url, { method: "POST" })).status).toBe(405);
    const answer = await get(endpoint.url, { host: "evil.example" });
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain("mecgym_");
  });

  it("need a port that is free", async () => {
    const { server } = await busyServer();
    const endpoint = await serveMetrics(0, server.stats);
    atEnd(() => endpoint.close());
    const port = Number(new URL(endpoint.url).port);
    await expect(serveMetrics(port, server.stats)).rejects.toBeInstanceOf(MecgymError);
    await expect(serveMetrics(port, server.stats)).rejects.toThrow(/--metrics-port.*no other process/);
  });

  it("stay within the format whatever names errors and operations have", async () => {
    const { server } = await busyServer();
    const odd = { ...server.stats(), errors: { 'a"b\\c\nd': 1 } };
    expect(await renderMetrics(odd)).toContain('mecgym_errors_total{code="a\\"b\\\\c\\nd"} 1');
  });
});

describe("the log", () => {
  it("has one line of JSON for each event, and no whole id of a session", () => {
    const lines: string[] = [];
    const logger = makeLogger("info", { write: (line) => lines.push(line) });
    const id = "0123456789abcdef".repeat(2);
    logger.info({ session: id, error: `at ${id} and "${id}"` }, `about ${id}`);
    logger.debug("too quiet to be heard");
    expect(lines.length).toBe(1);
    expect(lines[0]).not.toContain(id);
    expect(JSON.parse(lines[0])).toMatchObject({ session: "012345…", msg: "about 012345…", level: 30 });
  });
});
