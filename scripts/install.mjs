/** What every installation into the clone needs: stamps of finished work, a lock, and a way to run an installer. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./venv.mjs";

const stamps = join(root, ".setup");
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];

export class SetupError extends Error {}

export function say(line) {
  console.log(`mecgym: ${line}`);
}

export function sha256(...files) {
  const hash = createHash("sha256");
  for (const file of files) {
    if (!existsSync(join(root, file))) throw new SetupError(`${file} is missing; is this a complete clone?`);
    hash.update(readFileSync(join(root, file))).update("\0");
  }
  return hash.digest("hex");
}

export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** Writes a stamp, under a temporary name first. It is written after the work, so half an installation leaves none. */
export function writeStamp(name, text) {
  mkdirSync(stamps, { recursive: true });
  const file = join(stamps, name);
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

export function hasStamp(name, text) {
  const file = join(stamps, name);
  return existsSync(file) && readFileSync(file, "utf8") === text;
}

export function dropStamp(name) {
  rmSync(join(stamps, name), { force: true });
}

/**
 * Runs an installer to its end and shows its output. A signal is passed on, and then the installer's end is awaited:
 * npm takes a while to clean up, and a second attempt must not start meanwhile.
 */
export function run(name, command, args, options = {}) {
  return new Promise((settle, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], ...options });
    let isInterrupted = false;
    const passOn = (signal) => {
      isInterrupted = true;
      child.kill(signal);
    };
    for (const signal of signals) process.on(signal, passOn);
    const end = (problem) => {
      for (const signal of signals) process.off(signal, passOn);
      if (problem === undefined) settle();
      else reject(new SetupError(problem));
    };
    child.once("error", (error) => end(`${name} could not be started (${error.code})`));
    child.once("close", (code) => {
      if (isInterrupted) end(`${name} was interrupted; run the same command again`);
      else end(code === 0 ? undefined : `\`${name}\` failed; its messages above say why`);
    });
  });
}

/** Does `work` while no other set-up of this clone is running. */
export async function withLock(work) {
  const lock = join(stamps, "lock");
  const own = join(stamps, `lock.${process.pid}`);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(own, String(process.pid));
  try {
    for (let hasSaid = false; !isTaken(own, lock); hasSaid = true) {
      if (!hasSaid) say("another set-up of this clone is running; waiting for it");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Tries to take the lock. One whose process is gone, or that is older than half an hour, is removed. */
function isTaken(own, lock) {
  try {
    linkSync(own, lock); // a link appears in one step, a written file may be read while it is empty
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (!isAlive(Number(readText(lock))) || age > 1_800_000) rmSync(lock, { force: true });
  return false;
}

function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
