/** Runs the command as a real process. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const children: ChildProcessWithoutNullStreams[] = [];

/** Starts `mecgym` with these arguments. */
export function start(args: string[], env: NodeJS.ProcessEnv = process.env): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [join(root, "scripts", "mecgym.mjs"), ...args], { env });
  children.push(child);
  return child;
}

/** Kills whatever a test has left running. */
export function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function end(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

export const run = (...args: string[]) => end(start(args));

/**
 * Ends a command by Ctrl-C once `isTime` returns true, and returns how it ended. A command that finished before that is
 * started again: how fast it is, and how often this process can check, depends on the machine.
 */
export async function interrupt(
  isTime: () => boolean,
  startAgain: () => ChildProcessWithoutNullStreams,
): Promise<Ended> {
  for (let tries = 0; tries < 10; tries++) {
    const child = startAgain();
    const ended = end(child);
    while (child.exitCode === null && child.signalCode === null && !isTime())
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    const result = await ended;
    if (result.code !== 0) return result;
  }
  throw new Error("a command that always finishes before it can be interrupted");
}

/** The line that `mecgym serve` prints when it is ready. */
export interface ReadyLine {
  readonly address: string;
  readonly pid: number;
  readonly metrics?: string;
  readonly serverKey?: string;
}

/** Waits for the ready line of a server. Rejects if its output ends without one. */
export function readyLine({ stdout }: { readonly stdout: NodeJS.ReadableStream | null }): Promise<ReadyLine> {
  return new Promise((resolve, reject) => {
    stdout?.once("data", (line: Buffer | string) => resolve(JSON.parse(String(line)) as ReadyLine));
    stdout?.once("end", () => reject(new Error("the server ended before it was ready")));
  });
}
