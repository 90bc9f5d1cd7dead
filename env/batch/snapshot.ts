/** Snapshots of lanes: their names, and why one is refused. The core writes and reads them. */

import { bytesToHex } from "@noble/hashes/utils.js";
import type { CoreModule } from "../core/module.js";
import { MecgymError } from "../errors.js";

/** "mecgymS" and the version of the format, the scenario's hash, the SHA-256 of what follows. */
const MAGIC_BYTES = 8;
const HASH_BYTES = 32;
const HEADER_BYTES = MAGIC_BYTES + 2 * HASH_BYTES;
const VERSION = 1;

/** Sixteen hexadecimal digits that name a lane's state: the first 8 bytes of the SHA-256 inside its snapshot. */
export function hashOfSnapshot(snapshot: Uint8Array): string {
  return bytesToHex(snapshot.subarray(MAGIC_BYTES + HASH_BYTES, MAGIC_BYTES + HASH_BYTES + 8));
}

export function invalidSnapshot(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidSnapshot", { path: `snapshot/${path}`, got, expected });
}

/** The error of something that is not even bytes. */
export function noBytes(snapshot: unknown): MecgymError {
  const got = `${(snapshot as { length?: unknown } | undefined)?.length} bytes`;
  return invalidSnapshot("length", got, `at least ${HEADER_BYTES} bytes, and a multiple of 8`);
}

/** Why the core has just refused a snapshot, in words. */
export function refusalOf(
  failure: CoreModule["failure"],
  snapshot: Uint8Array,
  scenarioHash: string,
  sha256: (bytes: Uint8Array) => Uint8Array,
): MecgymError {
  const { name, index, value, low, high } = failure;
  const isCut = Number.isNaN(value) && low === 0 && high === 0;
  switch (name) {
    case "length":
      return noBytes(snapshot);
    case "magic":
      return invalidSnapshot("magic", bytesToHex(snapshot.subarray(0, MAGIC_BYTES - 1)), "a mecgym snapshot");
    case "version":
      return invalidSnapshot("version", value, `version ${VERSION}`);
    case "scenario": {
      const scenario = bytesToHex(snapshot.subarray(MAGIC_BYTES, MAGIC_BYTES + HASH_BYTES));
      return invalidSnapshot("scenario", scenario, `a state of the lane's scenario ${scenarioHash}`);
    }
    case "checksum": {
      const checksum = bytesToHex(snapshot.subarray(MAGIC_BYTES + HASH_BYTES, HEADER_BYTES));
      const actual = bytesToHex(sha256(snapshot.subarray(HEADER_BYTES)));
      return invalidSnapshot("checksum", actual, `${checksum}: the snapshot is damaged`);
    }
  }
  if (isCut) return invalidSnapshot(name, "the end", "a number");
  if (index >= 0) return invalidSnapshot(`${name}/${index}`, value, contradictionOf(name, low, high));
  // exactly the tasks that are left: a bound need not be a whole number
  if (name === "numTasks" && low === high) return invalidSnapshot(name, value, `records for ${low} tasks`);
  if (high === Number.POSITIVE_INFINITY) return invalidSnapshot(name, value, "a finite number, not negative");
  if (name.endsWith("Stream") && high === 1) return invalidSnapshot(name, value, "a multiple of 2^-32 in [0, 1)");
  return invalidSnapshot(name, value, `an integer from ${low} to ${high}`);
}

/** What a server's number must be, given the others. */
function contradictionOf(name: string, low: number, high: number): string {
  if (name === "rateMbps") return "more than 0 where the server is there, else 0";
  if (name === "workloadMbit") return `${low}, the sum of the listed residuals`;
  return Number.isNaN(high) ? "0, for the server is absent" : `${low}, as many as are listed`;
}
