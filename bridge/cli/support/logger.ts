/** The server's log: one line of JSON for each event, without the secrets that are session and job ids. */

import pino, { type DestinationStream, type Logger } from "pino";

/** Whoever knows a session's or a job's id can use it; six digits tell it from others. */
const SECRET_ID = /\b([0-9a-f]{6})[0-9a-f]{26}\b/g;

/** @param destination a file descriptor, or where to write instead */
export function makeLogger(level: string, destination: number | DestinationStream): Logger {
  const stream = typeof destination === "number" ? pino.destination({ fd: destination, sync: true }) : destination;
  // a log that cannot be written is no reason to lose the sessions
  if ("on" in stream) (stream as unknown as NodeJS.EventEmitter).on("error", () => {});
  return pino({ level, base: { pid: process.pid }, hooks: { streamWrite: redact } }, stream);
}

export function redact(line: string): string {
  return line.replace(SECRET_ID, "$1…");
}
