/** The server's log: one line of JSON for each event, with session and job ids shortened, because they are secrets. */

import type { Writable } from "node:stream";
import pino, { type DestinationStream, type Logger } from "pino";
import { redact } from "../../wire/secret-ids.js";

/** Lines that a log holds until its reader takes them, bytes. */
const MAX_WAITING_BYTES = 256 * 1024;
/** Longest wait for the reader when the server ends, ms. */
const FLUSH_DEADLINE_MS = 500;

/**
 * A log's destination that never waits for its reader: what the reader does not take in time is dropped and counted.
 * The next line that is taken follows a line with the count.
 */
export class BoundedLog implements DestinationStream {
  readonly #stream: Writable;
  readonly #maxWaitingBytes: number;
  #numDropped = 0;

  constructor(stream: Writable, maxWaitingBytes = MAX_WAITING_BYTES) {
    this.#stream = stream;
    this.#maxWaitingBytes = maxWaitingBytes;
    // a log that cannot be written must not cost the sessions
    stream.on("error", () => {});
  }

  write(line: string): void {
    if (this.#stream.destroyed || this.#stream.writableLength + line.length > this.#maxWaitingBytes) {
      this.#numDropped += 1;
      return;
    }
    if (this.#numDropped > 0) {
      const time = Date.now();
      const count = { level: 40, time, pid: process.pid, dropped: this.#numDropped, msg: "log lines dropped" };
      this.#numDropped = 0;
      this.#stream.write(`${JSON.stringify(count)}\n`);
    }
    this.#stream.write(line);
  }

  /**
   * Waits a moment for the reader.
   *
   * @returns whether everything is written
   */
  async flush(): Promise<boolean> {
    const endMs = performance.now() + FLUSH_DEADLINE_MS;
    while (this.#stream.writableLength > 0 && !this.#stream.destroyed && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#stream.writableLength === 0;
  }
}

export function makeLogger(level: string, destination: DestinationStream): Logger {
  return pino({ level, base: { pid: process.pid }, hooks: { streamWrite: redact } }, destination);
}
