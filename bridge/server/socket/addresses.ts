/** Addresses a server may bind: which ones only the user can reach, and which need keys. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { MecgymError } from "../../../env/errors.js";

/** Longest path of a Unix socket that every system takes, with room to spare. */
const MAX_IPC_PATH_BYTES = 100;

/** How the folders begin that servers make for themselves. */
export const FOLDER_PREFIX = "mecgym-";

/** An address to bind. `path` is the file of an ipc socket. */
export interface Address {
  readonly text: string;
  readonly path: string | undefined;
  /** Whether nobody but the user can connect. */
  readonly isPrivate: boolean;
}

/** @throws MecgymError `invalidOption` for what is no address of a server */
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
 * A fresh folder that only the user can enter, with room for a socket.
 *
 * @returns undefined where the system has no ipc sockets, or its temporary folder has too long a path for one
 */
export function makePrivateFolder(): string | undefined {
  if (process.platform === "win32") return undefined;
  const folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX)); // mode 0700
  if (fits(socketIn(folder))) return folder;
  rmSync(folder, { recursive: true, force: true });
  return undefined;
}

/** Path of the socket in a server's own folder. */
export function socketIn(folder: string): string {
  return join(folder, "s");
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_IPC_PATH_BYTES;
}

export function badAddress(got: string | undefined, expected: string): MecgymError {
  return new MecgymError("invalidOption", { path: "address", got, expected });
}
