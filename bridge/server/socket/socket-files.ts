/** Socket files: their removal when a server closes, and after servers that were killed. */

import { lstatSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { badAddress, FOLDER_PREFIX, socketIn } from "./addresses.js";

/** A younger socket file is left alone: its server may be about to listen. */
const YOUNG_MS = 60_000;

/**
 * Removes the socket file of a server that is gone. A live one must stay: a second bind would take it over silently.
 *
 * @throws MecgymError `invalidOption` if a server listens there, or if the file is not a socket
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const refuse = (expected: string) => badAddress(`ipc://${path}`, expected);
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw refuse("a path that is free, or the socket of a server that is gone");
  const failure = await probeSocket(path);
  if (failure === undefined) throw refuse("an address that no running server holds");
  if (failure !== "ECONNREFUSED") throw refuse(`a socket that can be asked whether a server holds it (${failure})`);
  rmSync(path, { force: true });
}

/** Removes the user's own folders of servers that were killed: those with a socket that nobody listens on. */
export async function clearDeadFolders(): Promise<void> {
  for (const name of namesIn(tmpdir()).filter((one) => one.startsWith(FOLDER_PREFIX))) {
    const folder = join(tmpdir(), name);
    try {
      // only own folders: another user could replace a folder of theirs while it is being removed
      const status = lstatSync(folder);
      if (!status.isDirectory() || status.uid !== process.getuid?.()) continue;
      const socket = lstatSync(socketIn(folder));
      if (!socket.isSocket() || Date.now() - socket.mtimeMs < YOUNG_MS) continue;
      if ((await probeSocket(socketIn(folder))) === "ECONNREFUSED") rmSync(folder, { recursive: true });
    } catch {
      // there is no socket in it, or it is gone by now
    }
  }
}

/** Names in a folder; none if it is missing or cannot be read. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes the file of a closed socket, unless another socket has taken its place. */
export function removeSocket(path: string, inode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true });
}

/**
 * Finds out whether anyone listens on a socket file.
 *
 * @returns the system's error code if nobody could be reached, undefined if someone listens
 */
export function probeSocket(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? String(error)));
  });
}
