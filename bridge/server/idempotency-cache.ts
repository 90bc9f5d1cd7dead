/** Requests that are carried out once, by their id: a repeated request gets the reply of the first one. */

import { type Message, messageBytes, type Send } from "./replies.js";

/** How many replies are remembered. */
const MAX_REMEMBERED = 1024;

/** Ends a request. A refused one is forgotten, and may be sent again. */
export type Settle = (reply: Message, isGranted: boolean) => void;

/** A reply that is remembered. */
interface Remembered {
  readonly reply: Message;
  readonly numBytes: number;
  readonly sinceMs: number;
}

export class IdempotencyCache {
  readonly #maxBytes: number;
  readonly #nowMs: () => number;
  /** The reply of each request, or who waits for it. */
  readonly #requests = new Map<string, Remembered | Send[]>();
  #bytes = 0;

  /** @param maxBytes most bytes of replies that are remembered; the newest reply always is */
  constructor(maxBytes = Number.POSITIVE_INFINITY, nowMs: () => number = () => performance.now()) {
    this.#maxBytes = maxBytes;
    this.#nowMs = nowMs;
  }

  /** Calls `work` unless the request is known. Its reply goes to everyone who has sent the request. */
  run(requestId: string, send: Send, work: (settle: Settle) => void): void {
    const known = this.#requests.get(requestId);
    if (known !== undefined) {
      if (isWaiting(known)) known.push(send);
      else send(viewOf(known.reply));
      return;
    }
    const waiting = [send];
    this.#requests.set(requestId, waiting);
    try {
      work((reply, isGranted) => {
        if (isGranted) this.#remember(requestId, reply);
        else this.#requests.delete(requestId);
        for (const one of waiting) one(viewOf(reply));
      });
    } catch (error) {
      this.#requests.delete(requestId);
      throw error;
    }
  }

  /** Forgets the replies that were remembered before a time. */
  forget(beforeMs: number): void {
    for (const [id, request] of this.#requests) {
      if (!isWaiting(request) && request.sinceMs < beforeMs) this.#drop(id, request);
    }
  }

  /** Keeps a reply, as the newest. The oldest replies go if there are too many; requests in progress stay. */
  #remember(requestId: string, reply: Message): void {
    const numBytes = messageBytes(reply);
    this.#requests.delete(requestId);
    this.#requests.set(requestId, { reply, numBytes, sinceMs: this.#nowMs() });
    this.#bytes += numBytes;
    for (const [id, request] of this.#requests) {
      if (this.#requests.size <= MAX_REMEMBERED && this.#bytes <= this.#maxBytes) return;
      if (!isWaiting(request) && id !== requestId) this.#drop(id, request);
    }
  }

  #drop(id: string, { numBytes }: Remembered): void {
    this.#requests.delete(id);
    this.#bytes -= numBytes;
  }
}

/** The same bytes as objects of their own: the socket's end of a reply is noticed from its objects. */
function viewOf(reply: Message): Message {
  return reply.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
}

function isWaiting(request: Remembered | Send[]): request is Send[] {
  return Array.isArray(request);
}
