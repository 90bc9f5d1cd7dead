/** What commands that play for long share: worker threads, a bar, and an end in order where it comes early. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Option } from "commander";
import type { JobRunner } from "../../../benchmarks/jobs/jobs.js";
import { WorkerPool, workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { sha256 } from "./output.js";
import { EXIT_INTERRUPTED, integer } from "./program.js";
import { startProgress } from "./progress.js";

export function workersOption(): Option {
  return new Option("--workers <n>", "threads that play (default: one for each core)").argParser(integer(1, 256));
}

/** Names the program that plays: what another one has kept is not mixed in. */
export function programId(): string {
  return sha256(readFileSync(workerEntry()));
}

/**
 * Runs `work` with a pool of threads and a progress bar. Ctrl-C ends the process.
 *
 * @param label stands before the bar
 * @param mostWorkers threads beyond this many would have nothing to do
 * @param consequence what becomes of the work at Ctrl-C
 */
export async function withWorkers<T>(
  label: string,
  numWorkers: number | undefined,
  mostWorkers: number,
  work: (runner: JobRunner, onProgress: (done: number, total: number, what: string) => void) => Promise<T>,
  consequence = "what is finished is kept, and --resume goes on after it",
): Promise<T> {
  const progress = startProgress(label);
  const interrupt = () => {
    progress.stop();
    process.stderr.write(`mecgym: interrupted; ${consequence}\n`);
    process.exit(EXIT_INTERRUPTED);
  };
  process.once("SIGINT", interrupt);
  const pool = new WorkerPool(Math.min(numWorkers ?? availableParallelism(), mostWorkers));
  try {
    return await work(pool, progress.update);
  } finally {
    progress.stop();
    process.removeListener("SIGINT", interrupt);
    await pool.close();
  }
}
