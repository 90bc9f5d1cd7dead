/** A pool of threads that play lanes. A session stays with one thread; stateless queries go to any. */

import type { LaneRequest, StatelessQuery } from "../wire/requests.js";
import type { Done } from "./answer.js";
import type { LaneHandle } from "./lane-handle.js";
import type { LaneLimits, LaneOptions, LaneState } from "./lane-options.js";
import { LaneThread } from "./thread.js";
import type { Release } from "./thread-messages.js";

/** Load of one thread, for `stats`. */
export interface ThreadStats {
  readonly sessions: number;
  readonly queued: number;
}

export interface ThreadPoolOptions {
  readonly count: number;
  /** The code of a thread, which calls `serveLanes`. */
  readonly entry: URL;
  readonly limits: LaneLimits;
  /** Called when a thread dies. Its sessions answer with an error. */
  readonly report: (error: unknown) => void;
}

/** A fixed number of threads. One that dies is replaced, and its sessions are lost. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #threads: LaneThread[];
  #isClosed = false;
  #nextKey = 0;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count }, () => this.#start());
  }

  /** Opens lanes in the least busy thread, with a saved state if there is one. `done` gets their description. */
  open(options: LaneOptions, state: LaneState | undefined, done: Done): LaneHandle {
    const thread = this.#leastBusy(({ sessions, queued }) => sessions + queued);
    const handle = new ThreadLanes(thread, this.#nextKey++, () => this.#nextKey++);
    thread.post({ kind: "open", key: handle.key, options, ...(state === undefined ? {} : { state }) }, done);
    return handle;
  }

  /** Answers a query that needs no session. */
  ask(request: StatelessQuery, body: Uint8Array | undefined, done: Done): void {
    const { limits } = this.#options;
    this.#leastBusy(({ queued }) => queued).post({ kind: "query", request, limits, ...copyOf(body) }, done);
  }

  stats(): ThreadStats[] {
    return this.#threads.map(({ sessions, queued }) => ({ sessions, queued }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  #leastBusy(load: (thread: LaneThread) => number): LaneThread {
    return this.#threads.reduce((best, one) => (load(one) < load(best) ? one : best));
  }

  #start(): LaneThread {
    const thread: LaneThread = new LaneThread(this.#options.entry, (error) => {
      if (this.#isClosed) return;
      this.#options.report(error);
      this.#threads[this.#threads.indexOf(thread)] = this.#start();
    });
    return thread;
  }
}

/** The lanes of a session in another thread. */
class ThreadLanes implements LaneHandle {
  readonly key: number;
  readonly #thread: LaneThread;
  readonly #newKey: () => number;
  /** Buffers to release, which go along with the next request. */
  #releases: Release[] = [];

  constructor(thread: LaneThread, key: number, newKey: () => number) {
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

  release(group: number, buffer: number, isReusable: boolean): void {
    this.#releases.push({ group, buffer, isReusable });
  }

  fork(done: Done): LaneHandle {
    const copy = new ThreadLanes(this.#thread, this.#newKey(), this.#newKey);
    this.#thread.post({ kind: "fork", key: this.key, newKey: copy.key }, done);
    return copy;
  }

  close(): void {
    this.#thread.sessions -= 1;
    this.#thread.post({ kind: "close", key: this.key });
  }
}

/** A copy of the body that can be transferred. The original stays here, to compare a repeated request with it. */
function copyOf(body: Uint8Array | undefined): { body?: Uint8Array } {
  return body === undefined ? {} : { body: new Uint8Array(body) };
}
