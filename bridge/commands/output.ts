/** Files a command writes: the place is tried before the work, every file is written whole, and finished parts are kept. */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { SettingStore } from "../../benchmarks/run-suite.js";
import { MecgymError } from "../../env/errors.js";
import type { Result, SettingResult } from "../../schemas/generated/types.js";
import { findProblem } from "../../schemas/validate.js";

/**
 * Makes a folder and tries it, so that a bad place is known before the work and not after it.
 *
 * @param files names that will be written there
 * @throws MecgymError `invalidOption`
 */
export function prepareFolder(folder: string, files: readonly string[]): void {
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
    throw badPlace(folder, error);
  }
}

/** Writes beside the target and renames: a reader never sees half a file, and a full disk leaves the old one. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw badPlace(path, error);
  }
}

function badPlace(path: string, error: unknown): MecgymError {
  const reason = error instanceof Error ? error.message : String(error);
  return new MecgymError("invalidOption", { path: "--out", got: path, expected: `a place to write to (${reason})` });
}

/** Keeps each setting of a run as it is finished, in a folder of its own that goes when the whole result is written. */
export class SettingFiles implements SettingStore {
  readonly #folder: string;
  readonly #frame: Omit<Result, "settings">;
  readonly #isResumed: boolean;

  /** @param isResumed whether settings of an earlier run are taken over; else they are written over */
  constructor(folder: string, frame: Omit<Result, "settings">, isResumed: boolean) {
    this.#folder = join(folder, "settings");
    this.#frame = frame;
    this.#isResumed = isResumed;
  }

  load(id: string): SettingResult | undefined {
    const path = this.#path(id);
    if (!this.#isResumed || !existsSync(path)) return undefined;
    try {
      const kept = JSON.parse(readFileSync(path, "utf8")) as Result;
      const { settings, ...frame } = kept;
      const isSame = JSON.stringify(frame) === JSON.stringify(this.#frame);
      return isSame && findProblem("result", structuredClone(kept)) === undefined ? settings[0] : undefined;
    } catch {
      return undefined; // damaged: it is played again
    }
  }

  save(setting: SettingResult): void {
    mkdirSync(this.#folder, { recursive: true });
    writeWhole(this.#path(setting.id), JSON.stringify({ ...this.#frame, settings: [setting] }));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
