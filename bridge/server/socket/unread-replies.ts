/** Bounds the bytes of replies that wait in the socket for a client that does not read them. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Smaller replies are not counted: the socket holds at most some thousands of them for a client. */
const MIN_COUNTED_BYTES = 4096;
/** Below this, memory is left to the ordinary garbage collection. */
const SMALL_BYTES = 32 * 1024 * 1024;
/** The memory of replies is collected after this time without a large one, ms. */
const IDLE_MS = 3000;
/** The longest and the shortest time between two collections that free nothing, ms. */
const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;

type Parts = readonly Uint8Array[];

interface Peer {
  bytes: number;
  waiting: { readonly part: WeakRef<Uint8Array>; readonly bytes: number }[];
  /** After a collection that freed nothing, the next one has to wait. */
  collectedMs: number;
}

/**
 * ZeroMQ tells nobody how much waits for a client. But it holds the buffers of a reply until the reply is on its way,
 * so a buffer that can be garbage collected has left the socket. Garbage is collected at once if a client's replies
 * seem to exceed the limit, and a while after the last large reply, so that memory comes back when a client leaves.
 */
export class UnreadReplies {
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  readonly #peers = new Map<string, Peer>();
  #bytes = 0;
  #lastMs = 0;
  #pauseMs = MIN_PAUSE_MS;
  #collectedMs = 0;

  /** @param maxBytes most bytes that may wait for one client */
  constructor(maxBytes: number, nowMs: () => number = () => performance.now()) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  /** Bytes of large replies that wait, or whose memory has not been collected yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a reply may be sent to a client. If so, it counts until it has left the socket. */
  admit(identity: Buffer, reply: Parts): boolean {
    const bytes = reply.reduce((sum, { length }) => sum + length, 0);
    if (bytes < MIN_COUNTED_BYTES) return true;
    const name = identity.toString("latin1");
    const peer = this.#peers.get(name) ?? { bytes: 0, waiting: [], collectedMs: Number.NEGATIVE_INFINITY };
    // one reply is always taken, however large replies may be
    if (peer.bytes > 0 && peer.bytes + bytes > this.#maxBytes) {
      this.#makeRoom(peer);
      if (peer.bytes > 0 && peer.bytes + bytes > this.#maxBytes) return false;
    }
    for (const part of reply) peer.waiting.push({ part: new WeakRef(part), bytes: part.length });
    peer.bytes += bytes;
    this.#bytes += bytes;
    this.#peers.set(name, peer);
    this.#lastMs = this.#nowMs();
    this.#pauseMs = MIN_PAUSE_MS;
    return true;
  }

  #makeRoom(peer: Peer): void {
    const nowMs = this.#nowMs();
    if (nowMs - peer.collectedMs < MIN_PAUSE_MS) return;
    const { bytes } = peer;
    collectGarbage();
    this.#prune();
    if (peer.bytes === bytes) peer.collectedMs = nowMs;
  }

  /** Gives memory back. To be called from time to time. */
  sweep(): void {
    const nowMs = this.#nowMs();
    if (this.#bytes < SMALL_BYTES || nowMs - this.#lastMs < IDLE_MS) return;
    if (nowMs - this.#collectedMs < this.#pauseMs) return;
    this.#collectedMs = nowMs;
    const { bytes } = this;
    collectGarbage();
    this.#prune();
    this.#pauseMs = this.#bytes < bytes ? MIN_PAUSE_MS : Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
  }

  /** Forgets the replies whose memory is free. */
  #prune(): void {
    for (const [name, peer] of this.#peers) {
      peer.waiting = peer.waiting.filter(({ part, bytes }) => {
        if (part.deref() !== undefined) return true;
        peer.bytes -= bytes;
        this.#bytes -= bytes;
        return false;
      });
      if (peer.waiting.length === 0) this.#peers.delete(name);
    }
  }
}

let gc: (() => void) | undefined;

/** Collects all garbage now. Node offers this only to programs that were started with a flag. */
function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}
