/** What a server counts for `stats`: plain numbers, without the id of any session. */

import type { ThreadStats } from "../lanes/thread-pool.js";
import type { TrafficStats } from "./socket/message-socket.js";

/** Percentiles are taken over this many latencies. */
const NUM_LATENCIES = 4096;
/** Rates are taken over this many seconds. */
const RATE_SECONDS = 10;

/** The part of `stats` that `Counters` counts. */
export interface CounterStats {
  readonly uptimeSeconds: number;
  readonly evictions: number;
  readonly reaped: number;
  readonly resent: number;
  readonly laneSteps: number;
  readonly laneStepsPerSecond: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly latency: Readonly<Record<"count" | "p50Seconds" | "p90Seconds" | "p99Seconds", number>>;
}

/** The result of `stats`. `StatsResult` in the reply schema describes it. */
export interface ServerStats extends CounterStats {
  readonly sessions: number;
  readonly lanes: number;
  readonly jobs: number;
  readonly heldRequests: number;
  readonly keptReplies: number;
  readonly keptBytes: number;
  readonly memory: Readonly<Record<"residentBytes" | "heapBytes" | "externalBytes" | "sessionBytes", number>>;
  readonly workers: readonly ThreadStats[];
  readonly transport?: TrafficStats;
}

export class Counters {
  readonly requests: Record<string, number> = {};
  readonly errors: Record<string, number> = {};
  evictions = 0;
  reaped = 0;
  resent = 0;
  laneSteps = 0;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #latenciesMs = new Float64Array(NUM_LATENCIES);
  #numLatencies = 0;
  /** Steps of lanes in each of the last seconds, and the second that each entry counts. */
  readonly #steps = new Float64Array(RATE_SECONDS + 1);
  readonly #seconds = new Float64Array(RATE_SECONDS + 1).fill(-1);

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  countRequest(op: string): void {
    this.requests[op] = (this.requests[op] ?? 0) + 1;
  }

  countError(code: string): void {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }

  /** @param startMs when the request arrived */
  countReply(startMs: number): void {
    this.#latenciesMs[this.#numLatencies++ % NUM_LATENCIES] = this.#nowMs() - startMs;
  }

  countSteps(numLanes: number): void {
    this.laneSteps += numLanes;
    const second = this.#second();
    const index = second % this.#steps.length;
    if (this.#seconds[index] !== second) {
      this.#seconds[index] = second;
      this.#steps[index] = 0;
    }
    this.#steps[index] += numLanes;
  }

  #second(): number {
    return Math.floor((this.#nowMs() - this.#startMs) / 1000);
  }

  /** Steps of lanes per second, over the last ten whole seconds. */
  #stepsPerSecond(): number {
    const now = this.#second();
    let sum = 0;
    for (const [index, second] of this.#seconds.entries()) {
      if (second >= 0 && second < now && second >= now - RATE_SECONDS) sum += this.#steps[index];
    }
    return sum / Math.max(1, Math.min(RATE_SECONDS, now));
  }

  describe(): CounterStats {
    const { evictions, reaped, resent, laneSteps } = this;
    const count = Math.min(this.#numLatencies, NUM_LATENCIES);
    const sorted = this.#latenciesMs.slice(0, count).sort();
    const percentile = (share: number) =>
      count === 0 ? 0 : sorted[Math.min(count - 1, Math.floor(share * count))] / 1000;
    return {
      uptimeSeconds: (this.#nowMs() - this.#startMs) / 1000,
      evictions,
      reaped,
      resent,
      laneSteps,
      laneStepsPerSecond: this.#stepsPerSecond(),
      requests: { ...this.requests },
      errors: { ...this.errors },
      latency: { count, p50Seconds: percentile(0.5), p90Seconds: percentile(0.9), p99Seconds: percentile(0.99) },
    };
  }
}
