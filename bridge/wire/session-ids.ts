/** Ids of sessions: secrets of 128 bits, which tell the server that made them from its successors. */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const RANDOM_BYTES = 12;

/**
 * Ids of one run of a server: 96 random bits, and 32 bits that follow from them and a key which the server alone knows.
 * Without the key all 128 bits have to be guessed; with it a request that was meant for a server before this one is
 * told from one for a session that was closed.
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
