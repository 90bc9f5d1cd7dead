/** Files that a command writes: the place is tested first, files are written whole, and finished parts are kept. */

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
import { type Part, type PartKey, type PartStore, parsePart, partPieces } from "../../../benchmarks/result-file.js";
import { MecgymError } from "../../../env/errors.js";
import { reasonOf } from "./input.js";

/**
 * Makes a folder and writes into it as a test, so that a bad place is known before the work and not after it.
 *
 * @param files names that will be written there
 * @param option the option that gave the folder
 * @throws MecgymError `invalidOption`
 */
export function prepareFolder(folder: string, files: readonly string[], option = "--out"): void {
  try {
    // level by level: with `recursive`, Node 20 never returns from places such as /proc
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
 * Writes to a temporary file and renames it: a reader never sees half a file, and a full disk leaves the old one.
 *
 * @param pieces the text in pieces, because a large result is longer than a string can be
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
  const expected = `a place to write to (${reasonOf(error)})`;
  return new MecgymError("invalidOption", { path: option, got: path, expected });
}

/** The parts of the key that name a part's file. */
interface PathKey {
  readonly setting: string;
  readonly policy: string;
}

/** Keeps each finished part of a run in a folder of its own, which is removed when the whole result is written. */
export class PartFiles<K extends PathKey = PartKey, P = Part> implements PartStore<K, P> {
  readonly #folder: string;
  readonly #program: unknown;
  readonly #isResumed: boolean;

  /**
   * @param program whatever else a part depends on; parts of another program are not reused
   * @param isResumed whether parts of an earlier run are reused; otherwise they are overwritten
   */
  constructor(folder: string, program: unknown, isResumed: boolean) {
    this.#folder = join(folder, "parts");
    this.#program = program;
    this.#isResumed = isResumed;
  }

  load(key: K): P | undefined {
    const path = this.#path(key);
    if (!this.#isResumed || !existsSync(path)) return undefined;
    return parsePart(readFileSync(path, "utf8"), this.#program, key) as P | undefined;
  }

  save(key: K, part: P): void {
    const path = this.#path(key);
    mkdirSync(dirname(path), { recursive: true });
    writeWhole(path, partPieces(this.#program, key, part));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path({ setting, policy }: PathKey): string {
    // a name with options has colons, which some file systems do not allow
    return join(this.#folder, setting, `${encodeURIComponent(policy)}.json`);
  }
}

/** SHA-256 of a text or of bytes, in hexadecimal. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
