/** The server's end of the wire: receives messages one at a time, sends replies, and counts both. */

import type { BoundSocket } from "./bind.js";
import { UnreadReplies } from "./unread-replies.js";

/** What went through the socket, for `stats` and for the metrics. */
export interface TrafficStats {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Replies that could not be sent, because the client was gone or no longer read anything. */
  readonly undelivered: number;
  /** Handshakes with a key on the list, and with another key; 0 if no keys are required. */
  readonly clientsAccepted: number;
  readonly clientsRefused: number;
}

type Parts = readonly Uint8Array[];
type Send = (reply: Parts) => void;
/** Handles a message. `sendKept` is for replies that a session keeps and bounds, `send` for all others. */
type Handle = (message: Parts, sendKept: Send, send: Send) => void;
type Log = (event: string, details: Record<string, unknown>) => void;

/** Longest wait for the last message when the socket closes. */
const CLOSE_DEADLINE_MS = 2000;

export class MessageSocket {
  /** Settles when no more messages are received; rejects unless the socket was closed. */
  readonly ended: Promise<void>;
  readonly #bound: BoundSocket;
  readonly #log: Log;
  readonly #messages: Promise<void>;
  readonly #unread: UnreadReplies;
  #isClosing = false;
  #messagesIn = 0;
  #messagesOut = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #undelivered = 0;

  /**
   * @param handle called with every message, and with functions that send a reply to its sender
   * @param maxUnreadBytes most bytes of replies outside sessions that may wait for one client
   */
  constructor(bound: BoundSocket, handle: Handle, maxUnreadBytes: number, log: Log) {
    this.#bound = bound;
    this.#log = log;
    this.#unread = new UnreadReplies(maxUnreadBytes);
    this.#messages = this.#receiveAll(handle);
    const { zapHandler } = bound;
    // without its ZAP handler, the server would silently accept no new client
    this.ended = zapHandler === undefined ? this.#messages : Promise.race([this.#messages, zapHandler.ended]);
  }

  async #receiveAll(handle: Handle): Promise<void> {
    while (!this.#isClosing) {
      let frames: Buffer[];
      try {
        frames = await this.#bound.socket.receive();
      } catch (error) {
        if (this.#isClosing) return;
        throw error;
      }
      const [identity, ...message] = frames;
      this.#messagesIn += 1;
      for (const part of message) this.#bytesIn += part.length;
      // with a send timeout of 0, a send is over when it returns, so replies need not wait for each other
      const sendKept = (reply: Parts) => void this.#send(identity, reply);
      handle(message, sendKept, (reply) => {
        if (this.#unread.admit(identity, reply)) sendKept(reply);
        else this.#drop("its earlier replies wait unread (maxQueuedBytes)");
      });
    }
  }

  #drop(error: string): void {
    this.#undelivered += 1;
    this.#log("reply not delivered", { error });
  }

  /** Gives back the memory of replies that have left the socket. To be called from time to time. */
  sweep(): void {
    this.#unread.sweep();
  }

  async #send(identity: Buffer, reply: Parts): Promise<void> {
    try {
      await this.#bound.socket.send([identity, ...reply]);
      this.#messagesOut += 1;
      for (const part of reply) this.#bytesOut += part.length;
    } catch (error) {
      // the client is gone, or no longer reads anything; the session keeps the reply in case it asks again
      this.#drop(String(error));
    }
  }

  stats(): TrafficStats {
    const { zapHandler } = this.#bound;
    return {
      messagesIn: this.#messagesIn,
      messagesOut: this.#messagesOut,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      undelivered: this.#undelivered,
      clientsAccepted: zapHandler?.accepted ?? 0,
      clientsRefused: zapHandler?.refused ?? 0,
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = this.#bound.close();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
    });
    await Promise.race([this.#messages.catch(() => {}), deadline]);
    clearTimeout(timer);
    await closed;
  }
}
