/** Ends long requests of a session early, across threads: their number is noted in memory that both threads see. */

import { BridgeError } from "../wire/protocol.js";

/** In the thread that plays lanes: asks now and then whether the request in progress is to go on. */
export class Cancellation {
  readonly #cancelled: Int32Array | undefined;
  #request = 0;

  /** @param memory what `Canceller` made; without it, no request is ever cancelled */
  constructor(memory?: SharedArrayBuffer) {
    this.#cancelled = memory === undefined ? undefined : new Int32Array(memory);
  }

  /** Begins the next request. */
  begin(): void {
    this.#request = (this.#request + 1) | 0;
  }

  /** @throws BridgeError `sessionLost` if nobody waits for the request in progress any more */
  check(): void {
    const cancelled = this.#cancelled;
    // the numbers may wrap, but never lie far from each other
    if (cancelled === undefined || ((Atomics.load(cancelled, 0) - this.#request) | 0) < 0) return;
    const expected = "a session that goes on: this one was resumed, closed or given up, and the request was stopped";
    throw new BridgeError("sessionLost", { path: "request", expected, got: "its end" });
  }
}

/** In the socket's thread: counts the requests of a session, and cancels all that were sent so far. */
export class Canceller {
  readonly memory = new SharedArrayBuffer(4);
  readonly #cancelled = new Int32Array(this.memory);
  #request = 0;

  /** Notes that a request is sent. */
  count(): void {
    this.#request = (this.#request + 1) | 0;
  }

  cancel(): void {
    Atomics.store(this.#cancelled, 0, this.#request);
  }
}
