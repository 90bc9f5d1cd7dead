/** Requests that create something, by their id: a repeated request gets the reply of the first one. */

import type { Message, Send } from "./replies.js";

/** How many replies are remembered. */
const MAX_REMEMBERED = 1024;

/** Ends a request. A refused one is forgotten, and may be sent again. */
export type Settle = (reply: Message, isGranted: boolean) => void;

export class IdempotencyCache {
  /** The reply of each request, or who waits for it. */
  readonly #requests = new Map<string, Message | Send[]>();

  /** Calls `create` unless the request is known. Its reply goes to everyone who has sent the request. */
  run(requestId: string, send: Send, create: (settle: Settle) => void): void {
    const known = this.#requests.get(requestId);
    if (known !== undefined) {
      if (isWaiting(known)) known.push(send);
      else send(known);
      return;
    }
    const waiting = [send];
    this.#requests.set(requestId, waiting);
    try {
      create((reply, isGranted) => {
        if (isGranted) this.#remember(requestId, reply);
        else this.#requests.delete(requestId);
        for (const one of waiting) one(reply);
      });
    } catch (error) {
      this.#requests.delete(requestId);
      throw error;
    }
  }

  /** Keeps a reply, as the newest. The oldest replies go if there are too many; requests in progress stay. */
  #remember(requestId: string, reply: Message): void {
    this.#requests.delete(requestId);
    this.#requests.set(requestId, reply);
    for (const [id, request] of this.#requests) {
      if (this.#requests.size <= MAX_REMEMBERED) return;
      if (!isWaiting(request)) this.#requests.delete(id);
    }
  }
}

function isWaiting(request: Message | Send[]): request is Send[] {
  return typeof request[0] === "function";
}
