/** The snapshots of all lanes of a batch as one piece of bytes. */

import { bytesToHex } from "@noble/hashes/utils.js";
import { invalidSnapshot } from "./snapshot.js";

/** First bytes of a batch's snapshot; the last one is the version of the format. */
const MAGIC = Uint8Array.from([0x6d, 0x65, 0x63, 0x67, 0x79, 0x6d, 0x42, 1]); // "mecgymB", 1

/**
 * Joins the lanes' snapshots: magic and version, their number, their lengths in bytes, and the snapshots themselves.
 */
export function joinSnapshots(snapshots: readonly Uint8Array[]): Uint8Array {
  const headerBytes = MAGIC.length + 4 * (1 + snapshots.length);
  const bytes = new Uint8Array(snapshots.reduce((sum, one) => sum + one.length, headerBytes));
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer, MAGIC.length);
  view.setUint32(0, snapshots.length, true);
  let at = headerBytes;
  for (const [i, snapshot] of snapshots.entries()) {
    view.setUint32(4 * (1 + i), snapshot.length, true);
    bytes.set(snapshot, at);
    at += snapshot.length;
  }
  return bytes;
}

/**
 * The lanes' snapshots in a batch's.
 *
 * @throws MecgymError `invalidSnapshot` unless there are `numLanes` of them, and nothing else
 */
export function splitSnapshot(bytes: Uint8Array, numLanes: number): Uint8Array[] {
  const headerBytes = MAGIC.length + 4 * (1 + numLanes);
  const tooShort = () => invalidSnapshot("length", `${bytes?.length} bytes`, `at least ${headerBytes} bytes`);
  if (!(bytes instanceof Uint8Array) || bytes.length < MAGIC.length + 4) throw tooShort();
  const magic = bytesToHex(bytes.subarray(0, MAGIC.length));
  if (magic !== bytesToHex(MAGIC)) throw invalidSnapshot("magic", magic, "a snapshot of a batch, version 1");
  const view = new DataView(bytes.buffer, bytes.byteOffset + MAGIC.length, bytes.length - MAGIC.length);
  const count = view.getUint32(0, true);
  if (count !== numLanes) throw invalidSnapshot("numLanes", count, `${numLanes}, as many as the batch has`);
  if (bytes.length < headerBytes) throw tooShort();
  let at = headerBytes;
  const snapshots = Array.from({ length: numLanes }, (_, i) => {
    const start = at;
    at += view.getUint32(4 * (1 + i), true);
    return bytes.subarray(start, at);
  });
  if (at !== bytes.length) {
    throw invalidSnapshot("length", `${bytes.length} bytes`, `${at}, as the lanes' lengths add up to`);
  }
  return snapshots;
}
