/** Addresses that a server may bind: those that only the user can reach, and those that need keys. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { MecgymError } from "../../../env/errors.js";

/** Longest path of a Unix socket that every system accepts, with some margin. */
const MAX_IPC_PATH_BYTES = 100;

/** Name prefix of the folders that servers make for themselves. */
export const FOLDER_PREFIX = "mecgym-";

/** An address to bind. `path` is the file of an ipc socket. */
export interface Address {
  readonly text: string;
  readonly path: string | undefined;
  /** Whether nobody but the user can connect. */
  readonly isPrivate: boolean;
}

/** @throws MecgymError `invalidOption` if the text is not the address of a server */
export function parseAddress(text: string): Address {
  if (/^tcp:\/\/(\[[0-9A-Fa-f:.%]+\]|[^:/\s]+):(\d{1,5}|\*)$/.test(text)) {
    return { text, path: undefined, isPrivate: false };
  }
  if (!text.startsWith("ipc://")) throw badAddress(text, "an ipc:// path or tcp://HOST:PORT");
  const path = text.slice("ipc://".length);
  if (!isAbsolute(path)) throw badAddress(text, "an ipc:// path that begins with /");
  if (!fits(path)) throw badAddress(text, `a path of at most ${MAX_IPC_PATH_BYTES} bytes`);
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (!folder?.isDirectory()) throw badAddress(text, "a path in a folder that exists");
  const isOwn = folder.uid === process.getuid?.();
  return { text, path, isPrivate: isOwn && (folder.mode & 0o077) === 0 };
}

/**
 * Makes a new folder that only the user can enter, with a path short enough for a socket.
 *
 * @returns undefined if the system has no ipc sockets, or its temporary folder is missing, cannot be written to, or has
 *   a path that is too long
 */
export function makePrivateFolder(): string | undefined {
  if (process.platform === "win32") return undefined;
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX)); // mode 0700
  } catch {
    return undefined;
  }
  if (fits(socketIn(folder))) return folder;
  rmSync(folder, { recursive: true, force: true });
  return undefined;
}

/** Path of the socket in a server's private folder. */
export function socketIn(folder: string): string {
  return join(folder, "s");
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_IPC_PATH_BYTES;
}

export function badAddress(got: string | undefined, expected: string): MecgymError {
  return new MecgymError("invalidOption", { path: "address", got, expected });
}
