/** The requests of one group in their order: what is held, what was answered and is not acknowledged, what is too late. */

import type { LaneSeat } from "../lanes/lane-handle.js";
import { BridgeError } from "../wire/protocol.js";
import { isSameRequest, type SequencedMessage } from "../wire/requests.js";

/** Parts of a message after the identity frame. */
export type Message = readonly Uint8Array[];
/** Sends a reply to whoever asked. */
export type Send = (reply: Message) => void;

/** A request that waits for its turn, is carried out, or has been answered and is not acknowledged yet. */
export interface SequenceEntry extends SequencedMessage {
  send: Send;
  readonly startMs: number;
  reply: Message | undefined;
  /** How often the reply was sent. */
  numSent: number;
  /** Memory that the reply's body lies in. */
  slot: { readonly seat: LaneSeat; readonly index: number } | undefined;
}

/** What a message turned out to be. */
export type Placed =
  | { readonly kind: "new"; readonly entry: SequenceEntry }
  /** Sent again, and not answered yet. */
  | { readonly kind: "waiting" }
  /** Sent again, and answered before. */
  | { readonly kind: "answered"; readonly entry: SequenceEntry };

export class Sequence {
  readonly #maxInFlight: number;
  readonly #onDone: (entry: SequenceEntry) => void;
  readonly #entries = new Map<number, SequenceEntry>();
  /** Next sequence number to carry out. */
  #next = 1;
  /** Highest number up to which all are answered. */
  #answered = 0;
  /** Highest acknowledged number. */
  #acked = 0;

  /** @param onDone gets every entry that is acknowledged */
  constructor(maxInFlight: number, onDone: (entry: SequenceEntry) => void) {
    this.#maxInFlight = maxInFlight;
    this.#onDone = onDone;
  }

  /**
   * Finds the place of a message; a new one is kept until it is acknowledged.
   *
   * @throws BridgeError `invalidRequest`, `staleSequence`, `sequenceConflict`, `windowExceeded`; it uses up no number
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
      const entry = this.#entries.get(this.#acked) as SequenceEntry;
      this.#entries.delete(this.#acked);
      this.#onDone(entry);
    }
    if (seq <= this.#acked) {
      throw new BridgeError("staleSequence", {
        path: "/seq",
        expected: `more than ${this.#acked}, which is acknowledged`,
        got: seq,
      });
    }
    const known = this.#entries.get(seq);
    if (known !== undefined) return this.#again(known, message, send);
    if (seq > this.#acked + this.#maxInFlight) {
      throw new BridgeError("windowExceeded", {
        path: "/seq",
        expected: `at most ${this.#maxInFlight} beyond the acknowledged ${this.#acked}`,
        got: seq,
      });
    }
    // field by field: this is on the way of every step, and an object that grows later is slow to make and to read
    const { header, request, refusal, body } = message;
    const entry: SequenceEntry = {
      header,
      request,
      refusal,
      body,
      send,
      startMs,
      reply: undefined,
      numSent: 0,
      slot: undefined,
    };
    this.#entries.set(seq, entry);
    return { kind: "new", entry };
  }

  #again(known: SequenceEntry, message: SequencedMessage, send: Send): Placed {
    if (!isSameRequest(known, message)) {
      throw new BridgeError("sequenceConflict", {
        path: "/seq",
        expected: "the request sent before with this seq",
        got: "another one",
      });
    }
    // it may come through another socket than before
    known.send = send;
    return known.reply === undefined ? { kind: "waiting" } : { kind: "answered", entry: known };
  }

  /** The request whose turn it is, once. */
  take(): SequenceEntry | undefined {
    const entry = this.#entries.get(this.#next);
    if (entry !== undefined) this.#next += 1;
    return entry;
  }

  /** A reply is there. */
  noteAnswer(): void {
    while (this.#entries.get(this.#answered + 1)?.reply !== undefined) this.#answered += 1;
  }

  /** Requests without a reply: those that are held, and those that are carried out. */
  unanswered(): SequenceEntry[] {
    return [...this.#entries.values()].filter(({ reply }) => reply === undefined);
  }

  /** Those of them that wait for their turn. */
  held(): SequenceEntry[] {
    return [...this.#entries].filter(([seq]) => seq >= this.#next).map(([, entry]) => entry);
  }

  /** All that is kept. */
  entries(): Iterable<SequenceEntry> {
    return this.#entries.values();
  }
}
