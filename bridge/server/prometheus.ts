/** What a server does, as Prometheus reads it: text over HTTP, for this machine alone. */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Counter, Gauge, Registry } from "prom-client";
import { MecgymError } from "../../env/errors.js";
import type { ServerStats } from "./stats.js";

const HOST = "127.0.0.1";

/** Values by the one label of a metric; a number where it has none. */
type Values = number | Readonly<Record<string, number>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Whether it only grows. */
  readonly isCounter?: true;
  readonly label?: string;
  readonly read: (stats: ServerStats) => Values;
}

const metrics: readonly Metric[] = [
  { name: "uptime_seconds", help: "Time since the start.", read: (stats) => stats.uptimeSeconds },
  { name: "sessions", help: "Open sessions.", read: (stats) => stats.sessions },
  { name: "lanes", help: "Lanes of all sessions.", read: (stats) => stats.lanes },
  { name: "jobs", help: "Jobs that run.", read: (stats) => stats.jobs },
  { name: "held_requests", help: "Requests that wait for their turn.", read: (stats) => stats.heldRequests },
  { name: "kept_replies", help: "Replies that are not acknowledged.", read: (stats) => stats.keptReplies },
  { name: "kept_bytes", help: "Bytes of those replies.", read: (stats) => stats.keptBytes },
  counter("evictions_total", "Sessions given up because their replies were not fetched.", (stats) => stats.evictions),
  counter("reaped_total", "Sessions whose lease ran out.", (stats) => stats.reaped),
  counter("resent_total", "Replies that were sent again.", (stats) => stats.resent),
  counter("lane_steps_total", "Steps of lanes.", (stats) => stats.laneSteps),
  counter("requests_total", "Requests.", (stats) => stats.requests, "op"),
  counter("errors_total", "Error replies.", (stats) => stats.errors, "code"),
  {
    name: "latency_seconds",
    help: "Time from a request to its reply within the server, over the last requests.",
    label: "quantile",
    read: ({ latency }) => ({ "0.5": latency.p50Seconds, "0.9": latency.p90Seconds, "0.99": latency.p99Seconds }),
  },
  {
    name: "memory_bytes",
    help: "Memory of the process, and of the lanes in it.",
    label: "kind",
    read: ({ memory }) => ({
      resident: memory.residentBytes,
      heap: memory.heapBytes,
      external: memory.externalBytes,
      sessions: memory.sessionBytes,
    }),
  },
  {
    name: "thread_sessions",
    help: "Sessions of a thread.",
    label: "thread",
    read: byThread(({ sessions }) => sessions),
  },
  {
    name: "thread_queued",
    help: "Requests a thread has not answered.",
    label: "thread",
    read: byThread(({ queued }) => queued),
  },
  counter(
    "messages_total",
    "Messages.",
    ({ transport: t }) => ({ in: t?.messagesIn ?? 0, out: t?.messagesOut ?? 0 }),
    "way",
  ),
  counter(
    "bytes_total",
    "Bytes of messages.",
    ({ transport: t }) => ({ in: t?.bytesIn ?? 0, out: t?.bytesOut ?? 0 }),
    "way",
  ),
  counter("undelivered_total", "Replies that nobody took.", ({ transport }) => transport?.undelivered ?? 0),
  counter(
    "handshakes_total",
    "Clients that showed a key.",
    ({ transport: t }) => ({ accepted: t?.clientsAccepted ?? 0, refused: t?.clientsRefused ?? 0 }),
    "outcome",
  ),
];

function counter(name: string, help: string, read: Metric["read"], label?: string): Metric {
  return { name, help, isCounter: true, read, ...(label === undefined ? {} : { label }) };
}

function byThread(read: (thread: ServerStats["workers"][number]) => number): Metric["read"] {
  return ({ workers }) => Object.fromEntries(workers.map((thread, i) => [String(i), read(thread)]));
}

/** The text format of Prometheus, version 0.0.4. */
export async function renderMetrics(stats: ServerStats): Promise<string> {
  const registry = new Registry();
  for (const { name, help, isCounter, label, read } of metrics) {
    const options = {
      name: `mecgym_${name}`,
      help,
      registers: [registry],
      labelNames: label === undefined ? [] : [label],
    };
    const values = read(stats);
    const entries = typeof values === "number" ? [[{}, values] as const] : labelled(label as string, values);
    const metric = isCounter ? new Counter(options) : new Gauge(options);
    for (const [labels, value] of entries) metric.inc(labels, value);
  }
  return registry.metrics();
}

function labelled(label: string, values: Readonly<Record<string, number>>): [Record<string, string>, number][] {
  return Object.entries(values).map(([key, value]) => [{ [label]: key }, value]);
}

export interface MetricsEndpoint {
  readonly url: string;
  close(): void;
}

/**
 * Answers `GET /metrics` on loopback.
 *
 * @param port 0 for any that is free
 * @throws MecgymError `invalidOption` where the port is taken
 */
export async function serveMetrics(port: number, stats: () => ServerStats): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    const status = statusOf(request);
    if (status !== 200) {
      response.writeHead(status, { "content-type": "text/plain" }).end("GET /metrics\n");
      return;
    }
    renderMetrics(stats()).then(
      (text) => response.writeHead(200, { "content-type": Registry.PROMETHEUS_CONTENT_TYPE }).end(text),
      (error) => response.writeHead(500, { "content-type": "text/plain" }).end(`${String(error)}\n`),
    );
  });
  server.headersTimeout = 5000;
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const expected = `a port of ${HOST} that no other process has (${error.message})`;
      reject(new MecgymError("invalidOption", { path: "--metrics-port", got: port, expected }));
    });
    server.listen(port, HOST, resolve);
  });
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A page of the web that had its name point here would still send its own name along. */
function statusOf({ method, url, headers }: IncomingMessage): number {
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? "")) return 403;
  if (url !== "/metrics") return 404;
  return method === "GET" || method === "HEAD" ? 200 : 405;
}
