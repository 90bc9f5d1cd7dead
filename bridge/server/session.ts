/** One session: its lanes, the request windows of its groups, and what it keeps in memory. */

import type { LaneHandle } from "../lanes/lane-handle.js";
import type { LaneOptions } from "../lanes/lane-options.js";
import { messageBytes } from "./replies.js";
import { RequestWindow, type WindowEntry } from "./request-window.js";

export interface SessionFields {
  readonly id: string;
  readonly epoch: number;
  readonly options: LaneOptions;
  readonly leaseMs: number;
  readonly handle: LaneHandle;
  readonly nowMs: number;
  readonly maxInFlight: number;
}

export class Session {
  readonly id: string;
  epoch: number;
  readonly options: LaneOptions;
  /** The options as text, to compare a resume with. */
  readonly fingerprint: string;
  readonly leaseMs: number;
  /** What the lanes told `open` about themselves. */
  description: Readonly<Record<string, unknown>> = {};
  handle: LaneHandle;
  /** One window for each group. */
  windows: readonly RequestWindow[];
  /** When the client was last heard from. */
  heardMs: number;
  /** Memory of the lanes, bytes. */
  numBytes = 0;
  /** Bytes of requests and replies in the windows, and of replies sent again since the last acknowledgement. */
  keptBytes = 0;
  resentBytes = 0;
  /** Requests that the lanes have not answered yet. */
  numExecuting = 0;
  /** Called when the lanes have answered everything. */
  onIdle: (() => void) | undefined = undefined;

  constructor({ id, epoch, options, leaseMs, handle, nowMs, maxInFlight }: SessionFields) {
    this.id = id;
    this.epoch = epoch;
    this.options = options;
    this.fingerprint = fingerprintOf(options);
    this.leaseMs = leaseMs;
    this.handle = handle;
    this.heardMs = nowMs;
    this.windows = this.#makeWindows(maxInFlight);
  }

  /** Starts a new epoch, with empty windows. */
  startEpoch(epoch: number, maxInFlight: number): void {
    for (const window of this.windows) {
      for (const entry of window.entries()) releaseBuffer(entry, false);
    }
    this.epoch = epoch;
    this.keptBytes = 0;
    this.resentBytes = 0;
    this.windows = this.#makeWindows(maxInFlight);
  }

  #makeWindows(maxInFlight: number): RequestWindow[] {
    const onAcknowledged = (entry: WindowEntry) => {
      this.resentBytes = 0;
      this.keptBytes -= keptBytesOf(entry);
      // a reply that was sent twice may still be on its way once
      releaseBuffer(entry, entry.numSent === 1);
    };
    return Array.from({ length: this.options.numGroups }, () => new RequestWindow(maxInFlight, onAcknowledged));
  }

  /** Bytes that count against `maxQueuedBytes`. */
  get queuedBytes(): number {
    return this.keptBytes + this.resentBytes;
  }

  held(): WindowEntry[] {
    return this.windows.flatMap((window) => window.held());
  }

  unanswered(): WindowEntry[] {
    return this.windows.flatMap((window) => window.unanswered());
  }

  /** Number of requests in all windows. */
  get numRequests(): number {
    return this.windows.reduce((sum, { size }) => sum + size, 0);
  }
}

export function fingerprintOf(options: LaneOptions): string {
  return JSON.stringify(options);
}

/** Gives the buffer of a reply back to its lanes. */
export function releaseBuffer({ buffer, header }: WindowEntry, isReusable: boolean): void {
  buffer?.handle.release(header.group, buffer.index, isReusable);
}

function keptBytesOf({ body, reply }: WindowEntry): number {
  return (body?.length ?? 0) + (reply === undefined ? 0 : messageBytes(reply));
}
