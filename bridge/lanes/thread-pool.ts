/** A pool of threads that play lanes. A session stays with one thread; stateless queries go to any. */

import type { LaneRequest, StatelessQuery } from "../wire/requests.js";
import type { Done } from "./answer.js";
import { Canceller } from "./cancellation.js";
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

/**
 * Up to a fixed number of threads, each started when the others have work. The sessions of one that dies are lost, and
 * another takes its place.
 */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #threads: LaneThread[] = [];
  #isClosed = false;
  #nextKey = 0;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Opens lanes in the least busy thread, with a saved state if there is one. `done` gets their description. */
  open(options: LaneOptions, state: LaneState | undefined, done: Done): LaneHandle {
    const thread = this.#leastBusy(({ sessions, queued }) => sessions + queued);
    const handle = new ThreadLanes(thread, this.#nextKey++, () => this.#nextKey++);
    const { key, cancellation } = handle;
    thread.post({ kind: "open", key, options, cancellation, ...(state === undefined ? {} : { state }) }, done);
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
    const best = this.#threads.reduce<LaneThread | undefined>(
      (least, one) => (least !== undefined && load(least) <= load(one) ? least : one),
      undefined,
    );
    if (best !== undefined && (load(best) === 0 || this.#threads.length === this.#options.count)) return best;
    const thread = this.#start();
    this.#threads.push(thread);
    return thread;
  }

  #start(): LaneThread {
    const thread: LaneThread = new LaneThread(this.#options.entry, (error) => {
      if (this.#isClosed) return;
      this.#options.report(error);
      this.#threads.splice(this.#threads.indexOf(thread), 1);
    });
    return thread;
  }
}

/** The lanes of a session in another thread. */
class ThreadLanes implements LaneHandle {
  readonly key: number;
  readonly #thread: LaneThread;
  readonly #newKey: () => number;
  readonly #canceller = new Canceller();
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
    this.#canceller.count();
    this.#thread.post({ kind: "execute", key: this.key, group, request, releases, ...copyOf(body) }, done);
  }

  /** The memory that tells the thread which requests are cancelled. */
  get cancellation(): SharedArrayBuffer {
    return this.#canceller.memory;
  }

  cancel(): void {
    this.#canceller.cancel();
  }

  release(group: number, buffer: number, isReusable: boolean): void {
    this.#releases.push({ group, buffer, isReusable });
  }

  fork(done: Done): LaneHandle {
    const copy = new ThreadLanes(this.#thread, this.#newKey(), this.#newKey);
    const { key: newKey, cancellation } = copy;
    this.#thread.post({ kind: "fork", key: this.key, newKey, cancellation }, done);
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
