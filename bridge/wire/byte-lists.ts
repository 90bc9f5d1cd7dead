/** Lists of byte strings in a body: all bytes in one array, and in another the offset where each entry starts. */

import { BridgeError } from "./protocol.js";

/**
 * The entries of a list: entry i is bytes offsets[i] to offsets[i+1].
 *
 * @throws BridgeError `invalidBody`, see `checkOffsets`
 */
export function splitBytes(name: string, offsets: ArrayLike<number>, bytes: Uint8Array): Uint8Array[] {
  checkOffsets(name, offsets, bytes.length);
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]));
}

/** @throws BridgeError `invalidBody` unless the offsets start at 0, never fall, and end at `numBytes` */
export function checkOffsets(name: string, offsets: ArrayLike<number>, numBytes: number): void {
  const last = offsets.length - 1;
  if (offsets[0] !== 0 || offsets[last] !== numBytes) {
    const expected = `offsets from 0 to ${numBytes}`;
    throw new BridgeError("invalidBody", { path: name, expected, got: `${offsets[0]} to ${offsets[last]}` });
  }
  for (let i = 0; i < last; i++) {
    const [start, end] = [offsets[i], offsets[i + 1]];
    // an offset beyond the end is caught here too: the last one is the end, so a later offset must fall
    if (start <= end) continue;
    throw new BridgeError("invalidBody", { path: `${name}/${i + 1}`, expected: `${start} or more`, got: end });
  }
}

/** Joins byte strings into one, with the offsets that `splitBytes` takes. */
export function joinBytes(pieces: readonly Uint8Array[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(pieces.length + 1);
  for (const [i, piece] of pieces.entries()) offsets[i + 1] = offsets[i] + piece.length;
  const bytes = new Uint8Array(offsets[pieces.length]);
  for (const [i, piece] of pieces.entries()) bytes.set(piece, offsets[i]);
  return { offsets, bytes };
}

/** A list of byte strings as the two arrays `NAMEOffsets` and `NAMEBytes` of a reply. */
export function byteListArrays(name: string, pieces: readonly Uint8Array[]) {
  const { offsets, bytes } = joinBytes(pieces);
  return [
    { name: `${name}Offsets`, values: offsets },
    { name: `${name}Bytes`, values: bytes },
  ];
}
