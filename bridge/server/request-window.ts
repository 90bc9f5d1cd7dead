/** The window of a group's requests: those held for their turn, in progress, or answered and not acknowledged yet. */

import type { LaneHandle } from "../lanes/lane-handle.js";
import { BridgeError } from "../wire/protocol.js";
import { isSameRequest, type SequencedMessage } from "../wire/requests.js";
import type { Message, Send } from "./replies.js";

/** A request in the window, with its reply once there is one. */
export interface WindowEntry extends SequencedMessage {
  send: Send;
  readonly startMs: number;
  reply: Message | undefined;
  /** How often the reply was sent. */
  numSent: number;
  /** The reply buffer that the reply's body lies in. */
  buffer: { readonly handle: LaneHandle; readonly index: number } | undefined;
}

/** What a message turned out to be. */
export type Placed =
  | { readonly kind: "new"; readonly entry: WindowEntry }
  /** Sent again, and not answered yet. */
  | { readonly kind: "waiting" }
  /** Sent again, and already answered. */
  | { readonly kind: "answered"; readonly entry: WindowEntry };

export class RequestWindow {
  readonly #maxInFlight: number;
  readonly #onAcknowledged: (entry: WindowEntry) => void;
  readonly #entries = new Map<number, WindowEntry>();
  /** The next sequence number to carry out. */
  #next = 1;
  /** The highest number up to which all requests are answered. */
  #answered = 0;
  /** The highest acknowledged number. */
  #acked = 0;

  /** @param onAcknowledged called with every entry that leaves the window */
  constructor(maxInFlight: number, onAcknowledged: (entry: WindowEntry) => void) {
    this.#maxInFlight = maxInFlight;
    this.#onAcknowledged = onAcknowledged;
  }

  /**
   * Finds the place of a message. A new one stays in the window until it is acknowledged.
   *
   * @throws BridgeError `invalidRequest`, `staleSequence`, `sequenceConflict`, `windowExceeded`; no number is used up
   */
  place(message: SequencedMessage, send: Send, startMs: number): Placed {
    const { seq, ack } = message.header;
    if (ack >= seq || ack > this.#answered) {
      throw new BridgeError("invalidRequest", {
        path: "/ack",
        expected: `a number below seq and at most ${this.#answered}, up to which all are answered`,
        got: ack,
      });
    }
    while (this.#acked < ack) {
      this.#acked += 1;
      const entry = this.#entries.get(this.#acked) as WindowEntry;
      this.#entries.delete(this.#acked);
      this.#onAcknowledged(entry);
    }
    if (seq <= this.#acked) {
      throw new BridgeError("staleSequence", {
        path: "/seq",
        expected: `more than ${this.#acked}, which is acknowledged`,
        got: seq,
      });
    }
    const known = this.#entries.get(seq);
    if (known !== undefined) return this.#repeat(known, message, send);
    if (seq > this.#acked + this.#maxInFlight) {
      throw new BridgeError("windowExceeded", {
        path: "/seq",
        expected: `at most ${this.#maxInFlight} beyond the acknowledged ${this.#acked}`,
        got: seq,
      });
    }
    // field by field: every step comes this way, and an object that grows later is slow to make and to read
    const { header, request, refusal, body } = message;
    const entry: WindowEntry = {
      header,
      request,
      refusal,
      body,
      send,
      startMs,
      reply: undefined,
      numSent: 0,
      buffer: undefined,
    };
    this.#entries.set(seq, entry);
    return { kind: "new", entry };
  }

  #repeat(known: WindowEntry, message: SequencedMessage, send: Send): Placed {
    if (!isSameRequest(known, message)) {
      throw new BridgeError("sequenceConflict", {
        path: "/seq",
        expected: "the same request as before with this seq",
        got: "a different one",
      });
    }
    // it may come through another connection than before
    known.send = send;
    return known.reply === undefined ? { kind: "waiting" } : { kind: "answered", entry: known };
  }

  /** Returns the request whose turn it is, and advances; undefined if it has not come yet. */
  take(): WindowEntry | undefined {
    const entry = this.#entries.get(this.#next);
    if (entry !== undefined) this.#next += 1;
    return entry;
  }

  /** Takes note of a new reply. */
  noteAnswer(): void {
    while (this.#entries.get(this.#answered + 1)?.reply !== undefined) this.#answered += 1;
  }

  /** Requests without a reply: those held, and those in progress. */
  unanswered(): WindowEntry[] {
    return [...this.#entries.values()].filter(({ reply }) => reply === undefined);
  }

  /** Requests that are held for their turn. */
  held(): WindowEntry[] {
    return [...this.#entries].filter(([seq]) => seq >= this.#next).map(([, entry]) => entry);
  }

  entries(): Iterable<WindowEntry> {
    return this.#entries.values();
  }

  get size(): number {
    return this.#entries.size;
  }
}
