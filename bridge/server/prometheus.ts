/** The server's statistics in the text format of Prometheus. */

import { Counter, Gauge, Registry } from "prom-client";
import type { ServerStats } from "./stats.js";

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Values by the label of a metric; one number if it has no label. */
type Values = number | Readonly<Record<string, number>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Whether the value only grows. */
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
