/** The trajectory digest: one string that is the same only for equal trajectories. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** Collects one episode's decisions, then adds them to a running SHA-256 in the order docs/model.md gives. */
export class TrajectoryDigest {
  readonly #hash = sha256.create();
  readonly #actions: number[] = [];
  readonly #latencySlots: number[] = [];
  readonly #costSlots: number[] = [];
  readonly #observations: Float32Array[] = [];

  /** Adds a decision; `observation` is the row on which it was taken, and is copied. */
  addStep(observation: Float32Array, action: number, latencySlots: number, costSlots: number): void {
    this.#observations.push(observation.slice());
    this.#actions.push(action);
    this.#latencySlots.push(latencySlots);
    this.#costSlots.push(costSlots);
  }

  /** Ends the episode and adds its decisions to the hash. */
  endEpisode(episodeSeed: number): void {
    const numSteps = this.#actions.length;
    const head = new DataView(new ArrayBuffer(16));
    head.setBigUint64(0, BigInt(episodeSeed), true);
    head.setBigUint64(8, BigInt(numSteps), true);
    this.#hash.update(new Uint8Array(head.buffer));
    this.#update(numSteps * 4, (view) => {
      this.#actions.forEach((value, i) => void view.setInt32(4 * i, value, true));
    });
    for (const values of [this.#latencySlots, this.#costSlots]) {
      this.#update(numSteps * 8, (view) => {
        values.forEach((value, i) => void view.setFloat64(8 * i, value, true));
      });
    }
    for (const row of this.#observations) {
      this.#update(row.length * 4, (view) => {
        row.forEach((value, i) => void view.setFloat32(4 * i, value, true));
      });
    }
    this.#actions.length = 0;
    this.#latencySlots.length = 0;
    this.#costSlots.length = 0;
    this.#observations.length = 0;
  }

  /** The digest of all episodes that have ended: 64 hexadecimal digits. */
  digest(): string {
    return bytesToHex(this.#hash.clone().digest());
  }

  #update(numBytes: number, write: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(numBytes));
    write(view);
    this.#hash.update(new Uint8Array(view.buffer));
  }
}
