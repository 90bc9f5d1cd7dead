/** The raw answers of a model as JSON Lines: each is written as soon as it comes, and never asked for again. */

import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { MecgymError } from "../../env/index.js";
import { parseJson } from "../../env/json.js";
import { type Completion, type Form, readCompletion } from "./completion.js";

/** Where in a run a question is asked. */
export interface Place {
  readonly setting: string;
  readonly seed: number;
  readonly decision: number;
}

/** A line of the file. */
export interface AnswerLine extends Place {
  /** SHA-256 of the question. */
  readonly question: string;
  /** Attempts, with the one that was answered. */
  readonly attempts: number;
  readonly milliseconds: number;
  /** The reply's JSON value as it came. */
  readonly reply: unknown;
}

/** An answer of an earlier run. */
export interface KeptAnswer {
  readonly completion: Completion;
  readonly attempts: number;
  readonly milliseconds: number;
}

const LINE_FEED = 0x0a;

export class AnswerFile {
  readonly #file: number;
  readonly #kept = new Map<string, KeptAnswer>();

  /**
   * @param isResumed whether to continue a file that has answers; otherwise such a file is refused
   * @throws MecgymError `invalidOption`, or `invalidRecord` for a file that is not one of answers
   */
  constructor(path: string, form: Form, isResumed: boolean) {
    if (existsSync(path)) {
      const numBytes = this.#read(path, form);
      if (this.#kept.size > 0 && !isResumed) {
        const expected = "a folder without answers, or --resume to continue after them";
        throw new MecgymError("invalidOption", { path: "--out", expected, got: `${path}, ${this.#kept.size} answers` });
      }
      // what a killed process has left of its last line
      truncateSync(path, numBytes);
    }
    this.#file = openSync(path, "a");
  }

  get numKept(): number {
    return this.#kept.size;
  }

  find(place: Place, question: string): KeptAnswer | undefined {
    return this.#kept.get(keyOf(place, question));
  }

  add({ setting, seed, decision, question, attempts, milliseconds, reply }: AnswerLine): void {
    const line = { setting, seed, decision, question, attempts, milliseconds, reply };
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Reads the whole lines. Returns how many bytes they have. */
  #read(path: string, form: Form): number {
    const bytes = readFileSync(path);
    let start = 0;
    for (let number = 1; ; number++) {
      const end = bytes.indexOf(LINE_FEED, start);
      if (end < 0) return start;
      const line = lineOf(bytes.toString("utf8", start, end));
      const completion = line === undefined ? undefined : readCompletion(line.reply, form);
      if (line === undefined || completion === undefined || "expected" in completion) {
        const got = bytes.toString("utf8", start, Math.min(end, start + 40));
        throw new MecgymError("invalidRecord", { path: `${path}:${number}`, expected: `a ${form} answer`, got });
      }
      this.#kept.set(keyOf(line, line.question), {
        completion,
        attempts: line.attempts,
        milliseconds: line.milliseconds,
      });
      start = end + 1;
    }
  }
}

function lineOf(text: string): AnswerLine | undefined {
  try {
    const line = parseJson(text) as AnswerLine;
    return typeof line.question === "string" ? line : undefined;
  } catch {
    return undefined;
  }
}

function keyOf({ setting, seed, decision }: Place, question: string): string {
  return `${setting} ${seed} ${decision} ${question}`;
}
