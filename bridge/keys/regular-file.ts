/** Reads files that others name: regular files of a bounded size, so that no pipe or device can hold the reader up. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/** Files of text are read whole, and no string of JavaScript is much longer. */
export const MAX_TEXT_BYTES = 512 * 1024 * 1024;

/** @throws Error if the file cannot be read, is not a regular file, or is larger than `maxBytes` */
export function readRegularFile(file: string, maxBytes: number = MAX_TEXT_BYTES): Buffer {
  const descriptor = openRegularFile(file, maxBytes);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a file as `readRegularFile` does. The file that is checked is the one that is open. */
export function openRegularFile(file: string, maxBytes = Number.POSITIVE_INFINITY): number {
  // without O_NONBLOCK, opening a named pipe waits until someone writes to it
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw new Error(status.isDirectory() ? "it is a folder" : "it is not a regular file");
    if (status.size > maxBytes) throw new Error(`it has ${status.size} bytes, more than ${maxBytes}`);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
