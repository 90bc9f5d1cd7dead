/** Socket files: one server at a time binds or leaves one in a folder, and what dead servers left is cleared. */

import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { badAddress, FOLDER_PREFIX, socketIn } from "./addresses.js";

/** Longest wait for other servers that start or end in the same folder. */
const LOCK_DEADLINE_MS = 5000;
/** A socket file of less than this age is left alone. */
const YOUNG_MS = 60_000;
const FLAG = /^\.m[0-9a-f]{6}$/;

/**
 * Does `work` while no other server does so in this folder.
 *
 * Everyone who wants to raises a flag, a listening socket under a name of its own, and then looks for others: of two, one
 * at least sees the other, and withdraws for a moment. A flag falls with its process, and a fallen one is cleared by
 * whoever finds it: its name is never used again.
 *
 * @throws MecgymError `invalidOption` where others do not get out of the way, or the folder cannot be written to
 */
export async function aloneIn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + LOCK_DEADLINE_MS;
  for (;;) {
    const flag = await raiseFlag(folder);
    if (flag !== undefined) {
      try {
        return await work();
      } finally {
        await lower(flag);
      }
    }
    if (performance.now() > deadlineMs) throw badAddress(`ipc://${folder}/…`, "no other server that starts there now");
    await sleep(2 + Math.random() * 20);
  }
}

/** @returns the flag, lowered again and undefined where another one is up */
async function raiseFlag(folder: string): Promise<Server | undefined> {
  const own = `.m${randomBytes(3).toString("hex")}`;
  const flag = createServer((probe) => probe.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    flag.once("error", (error) => reject(badAddress(`ipc://${folder}/…`, `a folder to write to (${error.message})`)));
    flag.listen(join(folder, own), resolve);
  });
  for (const name of readdirSync(folder)) {
    if (name === own || !FLAG.test(name)) continue;
    if ((await failureToConnect(join(folder, name))) === "ECONNREFUSED") rmSync(join(folder, name), { force: true });
    else if (lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined) return lower(flag);
  }
  // someone may have found it in the moment before it listened, and cleared it
  return lstatSync(join(folder, own), { throwIfNoEntry: false }) === undefined ? lower(flag) : flag;
}

function lower(flag: Server): Promise<undefined> {
  return new Promise((resolve) => flag.close(() => resolve(undefined)));
}

/**
 * Removes the socket file of a server that is gone; a second bind of a live one would steal it without an error.
 *
 * @throws MecgymError `invalidOption` where a server listens, or anything but a dead socket stands
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const refuse = (expected: string) => badAddress(`ipc://${path}`, expected);
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw refuse("a path where nothing stands, or the socket of a server that is gone");
  const failure = await failureToConnect(path);
  if (failure === undefined) throw refuse("an address that no running server holds");
  if (failure !== "ECONNREFUSED") throw refuse(`a socket that can be asked whether a server holds it (${failure})`);
  rmSync(path, { force: true });
}

/**
 * Removes the user's own folders of servers that were killed: those with a socket that nobody listens to. A young one may
 * belong to a server that is about to listen.
 */
export async function clearDeadFolders(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(FOLDER_PREFIX))) {
    const folder = join(tmpdir(), name);
    try {
      // another user could put anything in the place of a folder of his while it is being removed
      const status = lstatSync(folder);
      if (!status.isDirectory() || status.uid !== process.getuid?.()) continue;
      const socket = lstatSync(socketIn(folder));
      if (!socket.isSocket() || Date.now() - socket.mtimeMs < YOUNG_MS) continue;
      if ((await failureToConnect(socketIn(folder))) === "ECONNREFUSED") rmSync(folder, { recursive: true });
    } catch {
      // no socket in it, or gone meanwhile
    }
  }
}

/** Takes away the file of a socket that was closed, unless another one stands in its place by now. */
export function removeSocket(path: string, inode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true });
}

/** @returns why nobody could be reached behind a socket file, a code of the system; undefined where someone could */
function failureToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? String(error)));
  });
}
