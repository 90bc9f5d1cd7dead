/** Long work that a request starts and others ask about: data sets, suites, and results that are verified. */

import { createHash, randomBytes } from "node:crypto";
import type { ReplyError } from "../../schemas/generated/types.js";
import type { Outcome } from "../wire/array-layout.js";
import type { Limits } from "../wire/limits.js";
import { BridgeError, toReplyError } from "../wire/protocol.js";
import type { JobRequest } from "../wire/requests.js";

export interface JobControl {
  /** Says how much of the work is done, of `total`. */
  readonly progress: (done: number, total: number, what: string) => void;
  /** Told when the job is to end, between two episodes. */
  readonly signal: AbortSignal;
  /** Bytes a result may have. */
  readonly maxBytes: number;
}

export interface JobOutput {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What jobs do: whoever starts the server hands it in. */
export interface JobBook {
  readonly operations: readonly JobRequest["op"][];
  /**
   * Starts a job.
   *
   * @throws MecgymError where the request asks for what there is not; nothing is started
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
  heardMs: number;
}

/** The jobs of a server. A job's id is a secret: who has it may ask and cancel. */
export class JobBoard {
  readonly #book: JobBook;
  readonly #limits: Limits;
  readonly #report: (error: unknown) => void;
  readonly #nowMs: () => number;
  readonly #jobs = new Map<string, Job>();

  constructor(book: JobBook, limits: Limits, report: (error: unknown) => void, nowMs: () => number) {
    this.#book = book;
    this.#limits = limits;
    this.#report = report;
    this.#nowMs = nowMs;
  }

  get numRunning(): number {
    let count = 0;
    for (const { state } of this.#jobs.values()) if (state === "running") count++;
    return count;
  }

  /** @throws BridgeError `tooManyJobs`, and what the book throws */
  start(request: JobRequest, body: Uint8Array | undefined): Outcome {
    const { maxJobs, maxJobBytes } = this.#limits;
    if (this.#jobs.size >= maxJobs) {
      const expected = `at most ${maxJobs} jobs (maxJobs); cancel forgets those that are over`;
      throw new BridgeError("tooManyJobs", { path: "job", expected, got: "one more" });
    }
    const abort = new AbortController();
    const job: Job = { state: "running", done: 0, total: 0, what: "", abort, heardMs: this.#nowMs() };
    const progress = (done: number, total: number, what: string) => Object.assign(job, { done, total, what });
    const work = this.#book.start(request, body, { progress, signal: abort.signal, maxBytes: maxJobBytes });
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

  status(id: string): Outcome {
    const { state, done, total, what, output, error } = this.#find(id);
    const result: Record<string, unknown> = { state, done, total, what };
    if (error !== undefined) result.error = error;
    if (output !== undefined) {
      const { mediaType, sha256, bytes } = output;
      Object.assign(result, { mediaType, sha256, bytes: bytes.length, pages: this.#pages(bytes) });
    }
    return { result };
  }

  /** @throws BridgeError `jobNotDone`, `invalidRequest` */
  page(id: string, page: number): Outcome {
    const { state, output } = this.#find(id);
    if (output === undefined) {
      throw new BridgeError("jobNotDone", { path: "/job", expected: "a job that is done", got: state });
    }
    const { maxReplyBytes } = this.#limits;
    const pages = this.#pages(output.bytes);
    if (page >= pages) {
      throw new BridgeError("invalidRequest", { path: "/page", expected: `a page from 0 to ${pages - 1}`, got: page });
    }
    const body = output.bytes.subarray(page * maxReplyBytes, (page + 1) * maxReplyBytes);
    return { result: { page, pages, mediaType: output.mediaType }, body };
  }

  #pages(bytes: Uint8Array): number {
    return Math.max(1, Math.ceil(bytes.length / this.#limits.maxReplyBytes));
  }

  /** Ends a job that runs; forgets one that is over. */
  cancel(id: string): Outcome {
    const job = this.#find(id);
    if (job.state === "running") job.abort.abort();
    else this.#jobs.delete(id);
    return { result: { state: job.state } };
  }

  /** Forgets what is over and was not asked about for a lease. */
  reap(leaseMs: number): void {
    for (const [id, job] of this.#jobs) {
      if (job.state !== "running" && this.#nowMs() - job.heardMs > leaseMs) this.#jobs.delete(id);
    }
  }

  /** Ends all that runs. */
  close(): void {
    for (const { abort } of this.#jobs.values()) abort.abort();
  }

  #find(id: string): Job {
    const job = this.#jobs.get(id);
    if (job === undefined) {
      throw new BridgeError("unknownJob", { path: "/job", expected: "a job of this server", got: "another id" });
    }
    job.heardMs = this.#nowMs();
    return job;
  }
}

/** A result that is larger than a server keeps. */
export function jobTooLarge(maxJobBytes: number, bytes: number): BridgeError {
  const expected = `a result of at most ${maxJobBytes} bytes (maxJobBytes)`;
  return new BridgeError("jobTooLarge", { path: "job", expected, got: `${bytes} bytes` });
}
