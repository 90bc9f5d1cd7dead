/** Threads that play lanes, as the socket's thread sees them: sessions are pinned to one, questions go to any. */

import { Worker } from "node:worker_threads";
import type { Limits } from "../wire/limits.js";
import { BridgeError, toReplyError } from "../wire/protocol.js";
import type { LaneRequest, QuestionRequest } from "../wire/requests.js";
import type { Answer, Done, LaneHost, LaneSeat } from "./lane-handle.js";
import type { LaneOptions, LaneState } from "./session-lanes.js";
import { LANE_THREAD, type Release, type ThreadAnswer, type ThreadRequest } from "./thread-messages.js";

/** What `stats` says of a thread. */
export interface ThreadStats {
  readonly sessions: number;
  readonly queued: number;
}

export interface LaneThreadsOptions {
  readonly count: number;
  /** Where the code of a thread is; it calls `serveLanes`. */
  readonly entry: URL;
  readonly limits: Limits;
  /** Told of a thread that died; its sessions answer with an error. */
  readonly report: (error: unknown) => void;
}

/** A fixed number of threads. One that dies is replaced; what it held is lost. */
export class LaneThreads implements LaneHost {
  readonly #options: LaneThreadsOptions;
  readonly #threads: Thread[];
  #isClosed = false;
  #nextKey = 0;

  constructor(options: LaneThreadsOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count }, () => this.#start());
  }

  open(options: LaneOptions, state: LaneState | undefined, done: Done): LaneSeat {
    const thread = this.#leastBusy();
    const seat = new ThreadSeat(thread, this.#nextKey++, () => this.#nextKey++);
    thread.post({ kind: "open", key: seat.key, options, ...(state === undefined ? {} : { state }) }, done);
    return seat;
  }

  ask(request: QuestionRequest, body: Uint8Array | undefined, done: Done): void {
    const { limits } = this.#options;
    const thread = this.#threads.reduce((best, one) => (one.queued < best.queued ? one : best));
    thread.post({ kind: "question", request, limits, ...copyOf(body) }, done);
  }

  stats(): ThreadStats[] {
    return this.#threads.map(({ sessions, queued }) => ({ sessions, queued }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  #leastBusy(): Thread {
    const load = ({ sessions, queued }: Thread) => sessions + queued;
    return this.#threads.reduce((best, one) => (load(one) < load(best) ? one : best));
  }

  #start(): Thread {
    const thread: Thread = new Thread(this.#options.entry, (error) => {
      if (this.#isClosed) return;
      this.#options.report(error);
      this.#threads[this.#threads.indexOf(thread)] = this.#start();
    });
    return thread;
  }
}

/** One worker and the requests it has not answered; it answers them in order. */
class Thread {
  sessions = 0;
  readonly #worker: Worker;
  readonly #waiting: Done[] = [];
  #next = 0;
  #isDead = false;

  constructor(entry: URL, onDeath: (error: unknown) => void) {
    this.#worker = new Worker(entry, { workerData: LANE_THREAD });
    this.#worker.unref();
    this.#worker.on("message", ({ answer }: ThreadAnswer) => this.#take(answer));
    const die = (error: unknown) => {
      if (this.#isDead) return;
      this.#isDead = true;
      onDeath(error);
      while (this.queued > 0) this.#take(gone);
    };
    this.#worker.on("messageerror", die);
    this.#worker.on("error", die);
    this.#worker.on("exit", (code) => die(new Error(`a thread of lanes ended with exit code ${code}`)));
  }

  get queued(): number {
    return this.#waiting.length - this.#next;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  post(message: ThreadRequest, done?: Done): void {
    if (this.#isDead) {
      done?.(gone);
      return;
    }
    if (done !== undefined) this.#waiting.push(done);
    const body = "body" in message ? message.body : undefined;
    this.#worker.postMessage(message, body === undefined ? [] : [body.buffer as ArrayBuffer]);
  }

  async end(): Promise<void> {
    this.#isDead = true;
    await this.#worker.terminate();
  }

  #take(answer: Answer): void {
    const done = this.#waiting[this.#next];
    (this.#waiting as (Done | undefined)[])[this.#next++] = undefined;
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#next = 0;
    } else if (this.#next >= 1024) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    done(answer);
  }
}

/** What a thread that has ended leaves unanswered. */
const gone: Answer = {
  refusal: toReplyError(
    new BridgeError("sessionLost", {
      path: "/session",
      expected: "a session whose thread is there",
      got: "one whose thread has ended",
    }),
  ),
};

class ThreadSeat implements LaneSeat {
  readonly isInline = false;
  readonly key: number;
  readonly #thread: Thread;
  readonly #newKey: () => number;
  #releases: Release[] = [];

  constructor(thread: Thread, key: number, newKey: () => number) {
    this.#thread = thread;
    this.key = key;
    this.#newKey = newKey;
    thread.sessions += 1;
  }

  get isLost(): boolean {
    return this.#thread.isDead;
  }

  execute(group: number, request: LaneRequest, body: Uint8Array | undefined, done: Done): void {
    const releases = this.#releases;
    this.#releases = [];
    this.#thread.post({ kind: "execute", key: this.key, group, request, releases, ...copyOf(body) }, done);
  }

  release(group: number, slot: number, isReusable: boolean): void {
    this.#releases.push({ group, slot, isReusable });
  }

  fork(done: Done): LaneSeat {
    const copy = new ThreadSeat(this.#thread, this.#newKey(), this.#newKey);
    this.#thread.post({ kind: "fork", key: this.key, newKey: copy.key }, done);
    return copy;
  }

  close(): void {
    this.#thread.sessions -= 1;
    this.#thread.post({ kind: "close", key: this.key });
  }
}

/** The body in memory that can be moved: what came from the socket cannot, and is kept to compare a repetition with. */
function copyOf(body: Uint8Array | undefined): { body?: Uint8Array } {
  return body === undefined ? {} : { body: new Uint8Array(body) };
}
