/** `mecgym top`: shows what a running server does, as it changes. It names no session. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { ServerStats } from "../../server/stats.js";
import { type ConnectOptions, clientCommand, withClient } from "../support/connecting.js";
import { number, printJson, withExample } from "../support/program.js";

interface TopOptions extends ConnectOptions {
  readonly interval: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

export function topCommand(): Command {
  const command = clientCommand("top")
    .description("Show what a server does: sessions, steps per second, requests, errors, latencies, memory.")
    .option("--interval <seconds>", "time between two readings", number(0.1, 3600), 1)
    .option("--once", "take one reading, then end")
    .option("--json", "print each reading as JSON")
    .action(top);
  return withExample(command, "top ipc:///run/user/1000/mecgym.sock");
}

async function top(address: string, options: TopOptions): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  process.stdout.once("error", end);
  await withClient(address, options, async (client) => {
    let last: ServerStats | undefined;
    while (!ended.signal.aborted) {
      const stats = (await client.stats()) as unknown as ServerStats;
      if (options.json) printJson(stats);
      else {
        // only a terminal can be redrawn in place
        const isLive = process.stdout.isTTY && !options.once;
        process.stdout.write(`${isLive ? "\x1b[H\x1b[J" : ""}${renderStats(address, stats, last)}\n`);
      }
      if (options.once) return;
      last = stats;
      await sleep(options.interval * 1000, undefined, { signal: ended.signal }).catch(() => {});
    }
  });
  process.removeListener("SIGINT", end).removeListener("SIGTERM", end);
}

/** @param last the reading before, for rates */
export function renderStats(address: string, stats: ServerStats, last?: ServerStats): string {
  const { latency, memory, transport } = stats;
  const seconds = last === undefined ? 0 : stats.uptimeSeconds - last.uptimeSeconds;
  const rate = (now: number, before: number | undefined) =>
    seconds > 0 ? ` (${count((now - (before ?? 0)) / seconds)}/s)` : "";
  const tally = (now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>> | undefined) =>
    Object.entries(now)
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${count(n)}${rate(n, before?.[name])}`)
      .join(", ") || "none";
  const rows: [string, string][] = [
    ["server", `${address}, up ${duration(stats.uptimeSeconds)}`],
    ["sessions", `${count(stats.sessions)} with ${count(stats.lanes)} lanes; ${count(stats.jobs)} jobs`],
    ["steps", `${count(stats.laneStepsPerSecond)} lane-steps/s, ${count(stats.laneSteps)} in all`],
    ["requests", tally(stats.requests, last?.requests)],
    ["errors", tally(stats.errors, last?.errors)],
    ["latency", `p50 ${ms(latency.p50Seconds)}, p90 ${ms(latency.p90Seconds)}, p99 ${ms(latency.p99Seconds)}`],
    [
      "queues",
      `${count(stats.heldRequests)} requests held, ` +
        `${count(stats.keptReplies)} replies kept (${mib(stats.keptBytes)}), ` +
        `threads ${stats.workers.map(({ sessions, queued }) => `${sessions}:${queued}`).join(" ") || "none"}`,
    ],
    [
      "given up",
      `${count(stats.evictions)} evicted, ${count(stats.reaped)} leases over; ` +
        `${count(stats.resent)} replies sent again`,
    ],
    [
      "memory",
      `${mib(memory.residentBytes)} resident, ${mib(memory.heapBytes)} heap, ` +
        `${mib(memory.externalBytes)} external, ${mib(memory.sessionBytes)} lanes`,
    ],
  ];
  if (transport !== undefined) {
    const { messagesIn, messagesOut, bytesIn, bytesOut, undelivered, clientsAccepted, clientsRefused } = transport;
    rows.push(
      [
        "socket",
        `in ${count(messagesIn)}${rate(messagesIn, last?.transport?.messagesIn)}, ${mib(bytesIn)}; ` +
          `out ${count(messagesOut)}, ${mib(bytesOut)}; ${count(undelivered)} not delivered`,
      ],
      ["handshakes", `${count(clientsAccepted)} with a key on the list, ${count(clientsRefused)} refused`],
    );
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join("\n");
}

const count = (n: number) => Math.round(n).toLocaleString("en");
const ms = (seconds: number) => `${(seconds * 1000).toFixed(2)} ms`;
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function duration(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
