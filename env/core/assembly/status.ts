/** What a call answers when it could not do what was asked, and where it says why. */

/** There is not enough memory. Nothing has changed: grow it to `neededBytes()` and call again. */
export const NEEDS_ROOM: i32 = -1;
/** A lane has no decision to take. */
export const NEEDS_RESET: i32 = -2;
export const INVALID_ACTION: i32 = -3;
export const INVALID_SEED: i32 = -4;
export const INVALID_OPTION: i32 = -5;
export const INVALID_SCENARIO: i32 = -6;
export const INVALID_SNAPSHOT: i32 = -7;

const NAME_BYTES = 40;

/** Details of the last call that answered less than zero. */
@unmanaged
export class Failure {
  code: i32;
  /** The lane, or the index in a list, that was wrong; -1 if there is none. */
  index: i32;
  /** What came, and the bounds it had to keep. */
  value: f64;
  low: f64;
  high: f64;
  /** ASCII name of the field that was wrong, filled up with zeros. */
  name: u8;
}

export const FAILURE: usize = memory.data(40 + NAME_BYTES, 8);
export const FAILURE_NAME: usize = FAILURE + 32;

/** Notes why a call fails, and gives back `code`. */
export function fail(code: i32, name: string, index: i32, value: f64, low: f64, high: f64): i32 {
  const failure = changetype<Failure>(FAILURE);
  failure.code = code;
  failure.index = index;
  failure.value = value;
  failure.low = low;
  failure.high = high;
  writeName(FAILURE_NAME, NAME_BYTES, name);
  return code;
}

/** Writes an ASCII text into a field of `numBytes`, filled up with zeros. */
export function writeName(address: usize, numBytes: usize, name: string): void {
  memory.fill(address, 0, numBytes);
  const length = min<usize>(name.length, numBytes);
  for (let i: usize = 0; i < length; i++) store<u8>(address + i, load<u16>(changetype<usize>(name) + 2 * i));
}
