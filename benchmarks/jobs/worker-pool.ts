/** Worker threads that do a suite's jobs, and what happens when one of them dies. */

import { Worker, type WorkerOptions } from "node:worker_threads";
import { type ErrorCode, MecgymError } from "../../env/errors.js";
import { type AnswerMessage, buffersOf, type JobMessage } from "./job-messages.js";
import { type Job, JobQueue, type JobResult, type JobRunner } from "./jobs.js";

/** A worker thread ended before its work did. */
export class WorkerDied extends Error {
  constructor(reason: string) {
    super(`a worker thread ended: ${reason}`);
    this.name = "WorkerDied";
  }
}

interface Waiting {
  readonly job: Job;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Where the code of a thread is: beside the built command; what tests run is not built. */
export function workerEntry(): URL {
  const isBuilt = !import.meta.url.endsWith(".ts");
  return new URL(isBuilt ? "./worker.mjs" : "../../scripts/source-worker.mjs", import.meta.url);
}

/** A fixed number of threads; each has one job at a time. */
export class WorkerPool implements JobRunner {
  readonly #workers: Worker[];
  readonly #idle: Worker[];
  readonly #queue = new JobQueue<Waiting>();
  readonly #current = new Map<Worker, Waiting>();
  #end: Error | undefined;

  /** @param entry where the code of a thread is */
  constructor(numWorkers: number, entry = workerEntry(), options: WorkerOptions = {}) {
    this.#workers = Array.from({ length: numWorkers }, () => this.#start(entry, options));
    this.#idle = [...this.#workers];
  }

  run<J extends Job>(job: J): Promise<JobResult<J>> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(this.#end);
        return;
      }
      this.#queue.push(job, { job, resolve, reject });
      this.#hand();
    }) as Promise<JobResult<J>>;
  }

  /** Ends the threads. Jobs that are not done are refused. */
  async close(): Promise<void> {
    this.#fail(new Error("the worker threads are closed"));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(entry: URL, options: WorkerOptions): Worker {
    const worker = new Worker(entry, options);
    worker.on("message", (answer: AnswerMessage) => this.#take(worker, answer));
    worker.on("messageerror", (error) => this.#fail(new WorkerDied(`its answer cannot be read: ${error.message}`)));
    worker.on("error", (error) => this.#fail(new WorkerDied(String(error))));
    worker.on("exit", (code) => this.#fail(new WorkerDied(`exit code ${code}`)));
    return worker;
  }

  #hand(): void {
    while (this.#idle.length > 0) {
      const waiting = this.#queue.take();
      if (waiting === undefined) return;
      const worker = this.#idle.pop() as Worker;
      this.#current.set(worker, waiting);
      const message: JobMessage = { job: waiting.job };
      // what was played is needed by its figures alone, so it moves; what policies are compared with is copied
      worker.postMessage(message, waiting.job.kind === "figures" ? buffersOf(waiting.job.units) : []);
    }
  }

  #take(worker: Worker, answer: AnswerMessage): void {
    const waiting = this.#current.get(worker);
    if (waiting === undefined) return;
    this.#current.delete(worker);
    this.#idle.push(worker);
    this.#hand();
    if ("result" in answer) waiting.resolve(answer.result);
    else if ("refusal" in answer) {
      const { code, ...details } = answer.refusal;
      waiting.reject(new MecgymError(code as ErrorCode, details));
    } else waiting.reject(new Error(answer.failure));
  }

  /** The first reason counts: after it nothing is done any more. */
  #fail(reason: Error): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    for (const waiting of this.#current.values()) waiting.reject(reason);
    this.#current.clear();
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) next.reject(reason);
  }
}
