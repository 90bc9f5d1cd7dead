/** Jobs: long work that one request starts and others ask about, such as data sets, suite runs and verifications. */

import { createHash, randomBytes } from "node:crypto";
import type { Outcome } from "../lanes/answer.js";
import { BridgeError, type ReplyError, toReplyError } from "../wire/protocol.js";
import type { JobQuery, JobRequest } from "../wire/requests.js";
import type { Limits } from "./limits.js";

/** A job that has ended is kept for this time after its client last asked about it, however many wait, ms. */
const MIN_KEPT_MS = 60_000;

export interface JobControl {
  /** Reports how much of `total` is done. */
  readonly progress: (done: number, total: number, what: string) => void;
  /** Aborted when the job is to end. Jobs look at it between two episodes. */
  readonly signal: AbortSignal;
  /** Most bytes that a result may have. */
  readonly maxBytes: number;
}

export interface JobOutput {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The work of jobs. Whoever starts the server provides it. */
export interface JobProvider {
  readonly operations: readonly JobRequest["op"][];
  /**
   * Starts a job.
   *
   * @throws MecgymError if the request asks for something that does not exist; then nothing is started
   */
  start(request: JobRequest, body: Uint8Array | undefined, control: JobControl): Promise<JobOutput>;
}

interface Job {
  state: "running" | "done" | "failed" | "cancelled";
  done: number;
  total: number;
  what: string;
  readonly abort: AbortController;
  output?: JobOutput & { readonly sha256: string };
  error?: ReplyError;
  /** When a client last asked about it. */
  heardMs: number;
}

/** Whether a request starts a job, rather than asks about one. */
export function isJobStart(request: JobRequest | JobQuery): request is JobRequest {
  return !("job" in request);
}

/** The jobs of a server. The id of a job is a secret: whoever has it may ask about the job and cancel it. */
export class JobRegistry {
  readonly #provider: JobProvider;
  readonly #limits: Limits;
  readonly #report: (error: unknown) => void;
  readonly #nowMs: () => number;
  readonly #jobs = new Map<string, Job>();

  constructor(provider: JobProvider, limits: Limits, report: (error: unknown) => void, nowMs: () => number) {
    this.#provider = provider;
    this.#limits = limits;
    this.#report = report;
    this.#nowMs = nowMs;
  }

  get numRunning(): number {
    let count = 0;
    for (const { state } of this.#jobs.values()) if (state === "running") count++;
    return count;
  }

  /** @throws BridgeError `tooManyJobs`, and what the provider throws */
  start(request: JobRequest, body: Uint8Array | undefined): Outcome {
    const { maxJobs, maxJobBytes } = this.#limits;
    if (this.#jobs.size >= maxJobs) this.#forgetOldest();
    if (this.#jobs.size >= maxJobs) {
      const expected = `at most ${maxJobs} jobs (maxJobs); cancel removes those that have ended`;
      throw new BridgeError("tooManyJobs", { path: "job", expected, got: "one more" });
    }
    const abort = new AbortController();
    const job: Job = { state: "running", done: 0, total: 0, what: "", abort, heardMs: this.#nowMs() };
    const progress = (done: number, total: number, what: string) => Object.assign(job, { done, total, what });
    const work = this.#provider.start(request, body, { progress, signal: abort.signal, maxBytes: maxJobBytes });
    const id = randomBytes(16).toString("hex");
    this.#jobs.set(id, job);
    void work.then(
      (output) => this.#finish(job, output),
      (error) => this.#fail(job, error),
    );
    return { result: { job: id } };
  }

  #finish(job: Job, output: JobOutput): void {
    if (job.state !== "running") return;
    if (output.bytes.length > this.#limits.maxJobBytes) {
      this.#fail(job, jobTooLarge(this.#limits.maxJobBytes, output.bytes.length));
      return;
    }
    job.heardMs = this.#nowMs(); // whoever comes for a result has time from its end on
    job.output = { ...output, sha256: createHash("sha256").update(output.bytes).digest("hex") };
    job.state = "done";
  }

  #fail(job: Job, error: unknown): void {
    if (job.abort.signal.aborted) {
      job.state = "cancelled";
      return;
    }
    job.state = "failed";
    job.error = toReplyError(error);
    if (job.error.code === "internalError") this.#report(error);
  }

  /**
   * Answers a request about a job.
   *
   * @throws BridgeError `unknownJob`, `jobNotDone`, `invalidRequest`
   */
  answer(request: JobQuery): Outcome {
    const job = this.#find(request.job);
    switch (request.op) {
      case "job-status":
        return this.#status(job);
      case "job-result":
        return this.#page(job, request.page ?? 0);
      case "cancel":
        return this.#cancel(request.job, job);
    }
  }

  #status({ state, done, total, what, output, error }: Job): Outcome {
    const result: Record<string, unknown> = { state, done, total, what };
    if (error !== undefined) result.error = error;
    if (output !== undefined) {
      const { mediaType, sha256, bytes } = output;
      Object.assign(result, { mediaType, sha256, bytes: bytes.length, pages: this.#numPages(bytes) });
    }
    return { result };
  }

  #page({ state, output }: Job, page: number): Outcome {
    if (output === undefined) {
      throw new BridgeError("jobNotDone", { path: "/job", expected: "a job that is done", got: state });
    }
    const { maxReplyBytes } = this.#limits;
    const pages = this.#numPages(output.bytes);
    if (page >= pages) {
      throw new BridgeError("invalidRequest", { path: "/page", expected: `a page from 0 to ${pages - 1}`, got: page });
    }
    const body = output.bytes.subarray(page * maxReplyBytes, (page + 1) * maxReplyBytes);
    return { result: { page, pages, mediaType: output.mediaType }, body };
  }

  #numPages(bytes: Uint8Array): number {
    return Math.max(1, Math.ceil(bytes.length / this.#limits.maxReplyBytes));
  }

  /** Ends a running job, and removes one that has ended. */
  #cancel(id: string, job: Job): Outcome {
    if (job.state === "running") job.abort.abort();
    else this.#jobs.delete(id);
    return { result: { state: job.state } };
  }

  #find(id: string): Job {
    const job = this.#jobs.get(id);
    if (job === undefined) {
      throw new BridgeError("unknownJob", { path: "/job", expected: "a job of this server", got: "another id" });
    }
    job.heardMs = this.#nowMs();
    return job;
  }

  /** Makes room: of the jobs that have ended and whose client is gone, removes the one that is silent the longest. */
  #forgetOldest(): void {
    let oldest: string | undefined;
    let leastMs = this.#nowMs() - MIN_KEPT_MS;
    for (const [id, { state, heardMs }] of this.#jobs) {
      if (state === "running" || heardMs >= leastMs) continue;
      leastMs = heardMs;
      oldest = id;
    }
    if (oldest !== undefined) this.#jobs.delete(oldest);
  }

  /** Removes jobs that have ended and that nobody has asked about for a lease. */
  reap(leaseMs: number): void {
    for (const [id, job] of this.#jobs) {
      if (job.state !== "running" && this.#nowMs() - job.heardMs > leaseMs) this.#jobs.delete(id);
    }
  }

  /** Ends all running jobs. */
  close(): void {
    for (const { abort } of this.#jobs.values()) abort.abort();
  }
}

/** The error of a result that is larger than the server keeps. */
export function jobTooLarge(maxJobBytes: number, bytes: number): BridgeError {
  const expected = `a result of at most ${maxJobBytes} bytes (maxJobBytes)`;
  return new BridgeError("jobTooLarge", { path: "job", expected, got: `${bytes} bytes` });
}
