/** What long-running commands share: worker threads, a progress bar, and an orderly end at Ctrl-C. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Option } from "commander";
import type { JobRunner } from "../../../benchmarks/jobs/jobs.js";
import { WorkerPool, workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { sha256 } from "./output.js";
import { EXIT_INTERRUPTED, integer } from "./program.js";
import { startProgress } from "./progress.js";

export function workersOption(): Option {
  return new Option("--workers <n>", "number of threads (default: one for each core)").argParser(integer(1, 256));
}

/** An id of the program that plays, so that parts of another program are not mixed in. */
export function programId(): string {
  return sha256(readFileSync(workerEntry()));
}

/**
 * Runs `work` with a pool of threads and a progress bar. Ctrl-C ends the process.
 *
 * @param label the text before the bar
 * @param mostWorkers more threads than this would have nothing to do
 * @param consequence what happens to the work at Ctrl-C
 */
export async function withWorkers<T>(
  label: string,
  numWorkers: number | undefined,
  mostWorkers: number,
  work: (runner: JobRunner, onProgress: (done: number, total: number, what: string) => void) => Promise<T>,
  consequence = "finished parts are kept, and --resume continues after them",
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
