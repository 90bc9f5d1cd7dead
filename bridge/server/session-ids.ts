/** Ids of sessions: 128-bit secrets that show which run of a server made them. */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const RANDOM_BYTES = 12;

/**
 * Ids of one run of a server: 96 random bits, and 32 bits that follow from them and a key that only this run knows.
 * Without the key, all 128 bits have to be guessed. With it, the server can tell a session that it has closed from a
 * session of an earlier run.
 */
export class InstanceIds {
  readonly #key = randomBytes(32);

  make(): string {
    const random = randomBytes(RANDOM_BYTES);
    return Buffer.concat([random, this.#mark(random)]).toString("hex");
  }

  /** Whether this run of the server made the id. */
  isOwn(id: string): boolean {
    const bytes = Buffer.from(id, "hex");
    return (
      bytes.length === 16 && timingSafeEqual(this.#mark(bytes.subarray(0, RANDOM_BYTES)), bytes.subarray(RANDOM_BYTES))
    );
  }

  #mark(random: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(random).digest().subarray(0, 4);
  }
}
