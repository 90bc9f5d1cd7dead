/** Files a command writes: the place is tried before the work, every file is written whole, and finished parts are kept. */

import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Part, PartKey, PartStore } from "../../../benchmarks/runs/run-suite.js";
import { MecgymError } from "../../../env/errors.js";

/**
 * Makes a folder and tries it, so that a bad place is known before the work and not after it.
 *
 * @param files names that will be written there
 * @param option that named the folder
 * @throws MecgymError `invalidOption`
 */
export function prepareFolder(folder: string, files: readonly string[], option = "--out"): void {
  try {
    // level by level: with `recursive`, Node 20 does not come back from places such as /proc
    const missing: string[] = [];
    for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing.unshift(path);
    for (const path of missing) mkdirSync(path);
    for (const name of files) {
      if (statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory())
        throw new Error(`${name} is a folder`);
    }
    const probe = join(folder, `.mecgym-${process.pid}.tmp`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw badPlace(folder, error, option);
  }
}

/**
 * Writes beside the target and renames: a reader never sees half a file, and a full disk leaves the old one.
 *
 * @param pieces of the text: the whole of a large result would be longer than a string can be
 */
export function writeWhole(path: string, pieces: string | Iterable<string>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, "w");
    try {
      for (const piece of typeof pieces === "string" ? [pieces] : pieces) writeFileSync(file, piece);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw badPlace(path, error);
  }
}

/** The error of a place that cannot be written to. */
export function badPlace(path: string, error: unknown, option = "--out"): MecgymError {
  const reason = error instanceof Error ? error.message : String(error);
  return new MecgymError("invalidOption", { path: option, got: path, expected: `a place to write to (${reason})` });
}

/** What a part's file is called by. */
interface PathKey {
  readonly setting: string;
  readonly policy: string;
}

/** Keeps each part of a run as it is finished, in a folder of its own that goes when the whole result is written. */
export class PartFiles<K extends PathKey = PartKey, P = Part> implements PartStore<K, P> {
  readonly #folder: string;
  readonly #program: unknown;
  readonly #isResumed: boolean;

  /**
   * @param program what else a part depends on; parts of another program are not taken over
   * @param isResumed whether parts of an earlier run are taken over; else they are written over
   */
  constructor(folder: string, program: unknown, isResumed: boolean) {
    this.#folder = join(folder, "parts");
    this.#program = program;
    this.#isResumed = isResumed;
  }

  load(key: K): P | undefined {
    const path = this.#path(key);
    if (!this.#isResumed || !existsSync(path)) return undefined;
    const text = readFileSync(path, "utf8");
    const body = text.slice(HASH_LENGTH + 1);
    if (text.slice(0, HASH_LENGTH) !== sha256(body)) return undefined; // damaged: it is played again
    const kept = JSON.parse(body) as { program: unknown; key: K; part: P };
    return isSame([kept.program, kept.key], [this.#program, key]) ? kept.part : undefined;
  }

  save(key: K, part: P): void {
    const path = this.#path(key);
    mkdirSync(dirname(path), { recursive: true });
    const body = JSON.stringify({ program: this.#program, key, part });
    writeWhole(path, [sha256(body), "\n", body]);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path({ setting, policy }: PathKey): string {
    // a name with options has colons, which not every file system takes
    return join(this.#folder, setting, `${encodeURIComponent(policy)}.json`);
  }
}

const HASH_LENGTH = 64;

/** SHA-256 of a text or of bytes, in hexadecimal. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
