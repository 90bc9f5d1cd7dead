/** What the fault runs written in TypeScript share: the server they run against, and how they report. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Client } from "../../bridge/client/client.js";
import { PROTOCOL_VERSION, type Request } from "../../bridge/wire/protocol.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A figure as `mecgym chaos` takes it. */
export interface Figure {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly goal: number | null;
  readonly low: number;
  readonly high: number;
}

export function figure(
  id: string,
  value: number,
  unit: string,
  better: "higher" | "lower",
  goal: number | null = null,
): Figure {
  return { id, value, unit, better, goal, low: value, high: value };
}

export function reportProgress(done: number, what: string): void {
  process.stdout.write(`${JSON.stringify({ done, what })}\n`);
}

export interface HeldMemory {
  /** Heap and the memory outside of it, after garbage was collected. */
  readonly heldBytes: number;
  readonly residentBytes: number;
}

/** A `mecgym serve` whose memory can be asked for. */
export class ServerUnderTest {
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #log: Interface;
  readonly #lines: string[] = [];

  private constructor(address: string, child: ChildProcess, log: Interface) {
    this.address = address;
    this.#child = child;
    this.#log = log;
    log.on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > 20) this.#lines.shift();
    });
  }

  static async start(options: readonly string[] = []): Promise<ServerUnderTest> {
    const hook = new URL("./memory-hook.mjs", import.meta.url).href;
    const args = ["--expose-gc", "--import", hook, "scripts/mecgym.mjs", "serve", ...options];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    process.once("exit", () => child.kill("SIGKILL"));
    const log = createInterface({ input: child.stderr });
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), "line"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
    ])) as [string];
    return new ServerUnderTest((JSON.parse(line) as { address: string }).address, child, log);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last lines of its log. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** @throws Error where it does not answer within 20 s */
  async held(): Promise<HeldMemory> {
    const asked = new AbortController();
    const timer = setTimeout(() => asked.abort(), 20_000);
    this.#child.kill("SIGUSR2");
    try {
      for (;;) {
        const [line] = (await once(this.#log, "line", { signal: asked.signal })) as [string];
        if (line.includes("heldBytes")) return JSON.parse(line) as HeldMemory;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }
}

/** Some of what a server says of itself. */
interface ServerStats {
  readonly sessions: number;
  readonly errors: Readonly<Record<string, number>>;
}

export async function statsOf(client: Client): Promise<ServerStats> {
  const header = { v: PROTOCOL_VERSION, op: "stats", requestId: randomBytes(16).toString("hex") };
  return (await client.request(header as Request)).result as unknown as ServerStats;
}

/** Slope of a straight line through values at equal distances, in units of their mean over the whole distance. */
export function relativeSlope(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const middle = (n - 1) / 2;
  const above = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0);
  const below = values.reduce((sum, _, i) => sum + (i - middle) * (i - middle), 0);
  return ((above / below) * (n - 1)) / mean;
}

/** Runs a part with the sizes of the command line, prints its figures, and ends. */
export async function runPart<Sizes>(part: (sizes: Sizes) => Promise<Figure[]>): Promise<void> {
  const figures = await part(JSON.parse(process.argv[2]) as Sizes);
  process.stdout.write(`${JSON.stringify({ figures })}\n`, () => process.exit(0));
}
