/** One thread of lanes as the socket's thread sees it: a worker, and the requests that it has not answered yet. */

import { Worker } from "node:worker_threads";
import { BridgeError, toReplyError } from "../wire/protocol.js";
import type { Answer, Done } from "./answer.js";
import { LANE_THREAD, type ThreadAnswer, type ThreadRequest } from "./thread-messages.js";

/** The answer to every request of a thread that has ended. */
const lost: Answer = {
  refusal: toReplyError(
    new BridgeError("sessionLost", {
      path: "/session",
      expected: "a session whose thread is running",
      got: "one whose thread has ended",
    }),
  ),
};

/** Answered requests are dropped from the queue in chunks of this many. */
const CHUNK = 1024;

export class LaneThread {
  /** Number of sessions that live here. */
  sessions = 0;
  readonly #worker: Worker;
  /** What waits for an answer, from `#next` on. A thread answers in order. */
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
      while (this.queued > 0) this.#take(lost);
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
      done?.(lost);
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
    } else if (this.#next >= CHUNK) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    done(answer);
  }
}
