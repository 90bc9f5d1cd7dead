/** Reads the numbers of a snapshot one by one, each within its bounds. */

import { MecgymError } from "../errors.js";
import { ALEA_MULTIPLIER } from "../random.js";

export function invalidSnapshot(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidSnapshot", { path: `snapshot/${path}`, got, expected });
}

export class StateReader {
  readonly #view: DataView;
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  #next(path: string): number {
    if (this.#at + 8 > this.#view.byteLength) throw invalidSnapshot(path, "the end", "a number");
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  integer(path: string, min: number, max: number): number {
    const value = this.#next(path);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw invalidSnapshot(path, value, `an integer from ${min} to ${max}`);
    }
    return value;
  }

  /** A finite number that is not negative. */
  amount(path: string): number {
    const value = this.#next(path);
    if (!Number.isFinite(value) || value < 0) throw invalidSnapshot(path, value, "a finite number, not negative");
    return value;
  }

  /** A number in [0, 1). */
  unit(path: string): number {
    const value = this.#next(path);
    if (!(value >= 0 && value < 1)) throw invalidSnapshot(path, value, "a number in [0, 1)");
    return value;
  }

  /** The state of a random stream: three words and a carry. */
  stream(path: string): number[] {
    return [this.unit(path), this.unit(path), this.unit(path), this.integer(path, 0, ALEA_MULTIPLIER)];
  }

  /** `count`, if exactly that many records of `width` numbers are left. */
  fits(path: string, count: number, width: number): number {
    const left = (this.#view.byteLength - this.#at) / 8;
    if (count * width !== left) throw invalidSnapshot(path, count, `${left / width} records of ${width} numbers`);
    return count;
  }

  end(): void {
    const left = this.#view.byteLength - this.#at;
    if (left !== 0) throw invalidSnapshot("length", `${left} more bytes`, "none");
  }
}
