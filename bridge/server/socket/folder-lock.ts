/** A lock on a folder of sockets: of all servers in it, one at a time binds or removes its socket. */

import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { badAddress } from "./addresses.js";
import { probeSocket } from "./socket-files.js";

/** Longest wait for other servers that start or end in the same folder. */
const LOCK_DEADLINE_MS = 5000;
const LOCK_NAME = /^\.m[0-9a-f]{6}$/;

/**
 * Does `work` while no other server works in this folder.
 *
 * Everyone who wants the lock creates a lock socket, a listening socket under a name of its own, and then looks for
 * others. Of two servers, at least one sees the other, withdraws, and tries again after a moment. A lock socket dies
 * with its process, and whoever finds a dead one removes it. Names are never used twice.
 *
 * @throws MecgymError `invalidOption` if others do not release the lock, or the folder cannot be written to
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + LOCK_DEADLINE_MS;
  for (;;) {
    const lock = await tryLock(folder);
    if (lock !== undefined) {
      try {
        return await work();
      } finally {
        await release(lock);
      }
    }
    if (performance.now() > deadlineMs) throw badAddress(`ipc://${folder}/…`, "no other server that starts there now");
    await sleep(2 + Math.random() * 20);
  }
}

/** @returns the lock, or undefined if someone else has or wants it */
async function tryLock(folder: string): Promise<Server | undefined> {
  const own = `.m${randomBytes(3).toString("hex")}`;
  const lock = createServer((connection) => connection.destroy()).unref();
  await new Promise<void>((resolve, reject) => {
    lock.once("error", (error) => reject(badAddress(`ipc://${folder}/…`, `a folder to write to (${error.message})`)));
    lock.listen(join(folder, own), resolve);
  });
  for (const name of readdirSync(folder)) {
    if (name === own || !LOCK_NAME.test(name)) continue;
    if ((await probeSocket(join(folder, name))) === "ECONNREFUSED") rmSync(join(folder, name), { force: true });
    else if (lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined) return release(lock);
  }
  // someone may have found it in the moment before it listened, and removed it
  return lstatSync(join(folder, own), { throwIfNoEntry: false }) === undefined ? release(lock) : lock;
}

function release(lock: Server): Promise<undefined> {
  return new Promise((resolve) => lock.close(() => resolve(undefined)));
}
