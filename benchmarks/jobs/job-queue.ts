/** Jobs that wait for a thread, and a runner that does them in this one. */

import { JobWorker } from "./job-worker.js";
import type { Job, JobResult, JobRunner } from "./jobs.js";

/** Jobs that wait. Those that compute figures come first, because they free the memory that playing has filled. */
export class JobQueue<T> {
  readonly #figures: T[] = [];
  readonly #others: (T | undefined)[] = [];
  /** Index of the next of `#others`: shifting a long array again and again would be slow. */
  #next = 0;

  push(job: Job, waiting: T): void {
    (job.kind === "figures" ? this.#figures : this.#others).push(waiting);
  }

  take(): T | undefined {
    const figures = this.#figures.shift();
    if (figures !== undefined) return figures;
    const next = this.#others[this.#next];
    if (next === undefined) return undefined;
    // a waiting entry holds its result: in a queue that never runs empty, none would be freed
    this.#others[this.#next++] = undefined;
    if (2 * this.#next >= this.#others.length) {
      this.#others.splice(0, this.#next);
      this.#next = 0;
    }
    return next;
  }
}

/** Does jobs in this thread, one after another. Signals and progress bars get a turn between two jobs. */
export class InlineRunner implements JobRunner {
  readonly #worker = new JobWorker();
  readonly #queue = new JobQueue<() => void>();
  #isRunning = false;

  run<J extends Job>(job: J): Promise<JobResult<J>> {
    return new Promise((resolve, reject) => {
      this.#queue.push(job, () => {
        try {
          resolve(this.#worker.do(job));
        } catch (error) {
          reject(error);
        }
      });
      if (!this.#isRunning) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    // a turn comes before the first job too, so that all jobs asked for at once are in the queue by then
    await new Promise((resolve) => setImmediate(resolve));
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) {
      next();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
  }
}
