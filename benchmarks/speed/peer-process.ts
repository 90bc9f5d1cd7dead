/** A program of `benchmarks/peers` in its own process, which plays on command, so that contenders can take turns. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { NotMeasured } from "./section.js";

export interface PeerRun {
  readonly steps: number;
  readonly seconds: number;
  /** Processor time of all threads. */
  readonly cpuSeconds: number;
  readonly meanCostSlots: number;
  /** For training: the part of `seconds` that was spent in the environment. */
  readonly environmentSeconds?: number;
}

/** Limits for a peer's answers, ms: setting up takes long, because it compiles and plays an episode in each lane. */
const READY_MS = 300_000;
const RUN_MS = 120_000;

/** Path of the interpreter of a Python environment. */
export function pythonIn(root: string, environment: string): string {
  return join(root, environment, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));
}

/** Why a process cannot be timed. */
export type Unavailable = Omit<NotMeasured, "id">;

/** A program of `benchmarks/peers`, and the Python environment of the clone that runs it. */
export interface PeerProgram {
  /** Name of its file. */
  readonly script: string;
  /** Folder of the environment in a clone, and the command that makes it. */
  readonly environment: string;
  readonly command: string;
}

/**
 * The command line of a program.
 *
 * @param root folder of the clone, if there is one
 */
export function commandOf(
  root: string | undefined,
  { script, environment, command }: PeerProgram,
): [python: string, script: string] | Unavailable {
  const path = join(root ?? "", "benchmarks", "peers", script);
  if (root === undefined || !existsSync(path)) {
    return { reason: "what is timed is only in a clone of the repository", command: null };
  }
  const python = pythonIn(root, environment);
  return existsSync(python) ? [python, path] : { reason: `there is no Python environment ${environment}`, command };
}

/** Starts a program; its process, or why there is none. */
export async function startPeer(
  root: string | undefined,
  program: PeerProgram,
  options: readonly (string | number)[],
): Promise<PeerProcess | Unavailable> {
  const line = commandOf(root, program);
  if (!Array.isArray(line)) return line;
  try {
    return await PeerProcess.start([...line, ...options.map(String)]);
  } catch (error) {
    return { reason: (error as Error).message, command: program.command };
  }
}

/** @throws Error with the last line the peer wrote, if it ended or did not answer in time */
export class PeerProcess {
  /** Versions of Python and of the libraries. */
  readonly versions: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #errors: string[];

  private constructor(
    child: ChildProcess,
    lines: AsyncIterator<string>,
    errors: string[],
    versions: Record<string, string>,
  ) {
    this.#child = child;
    this.#lines = lines;
    this.#errors = errors;
    this.versions = versions;
  }

  /** Starts a peer with a command line, and waits until it is set up. */
  static async start([command, ...args]: readonly [string, ...string[]]): Promise<PeerProcess> {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    const errors: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      errors.push(line);
      if (errors.length > 20) errors.shift();
    });
    child.stdin.on("error", () => {}); // the peer ended, and the wait for its answer reports it
    child.on("error", (error) => errors.push(error.message));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    try {
      const ready = JSON.parse(await nextLine(lines, errors, READY_MS)) as { versions: Record<string, string> };
      return new PeerProcess(child, lines, errors, ready.versions);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** Plays at least `steps` decisions. */
  async run(steps: number): Promise<PeerRun> {
    this.#child.stdin?.write(`run ${Math.ceil(steps)}\n`);
    return JSON.parse(await nextLine(this.#lines, this.#errors, RUN_MS)) as PeerRun;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
  }
}

async function nextLine(lines: AsyncIterator<string>, errors: readonly string[], limitMs: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    const line = await Promise.race([lines.next(), late]);
    if (line.done) throw new Error(errors.at(-1) ?? "it ended");
    return line.value;
  } finally {
    clearTimeout(timer);
  }
}
