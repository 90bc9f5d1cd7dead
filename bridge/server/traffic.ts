/** What a server's socket counts of itself, for `stats` and for the metrics. */

import type { Gate } from "./socket/zap-handler.js";

export interface TrafficStats {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Replies that could not be sent: the client was gone, or took nothing any more. */
  readonly undelivered: number;
  /** Handshakes with a key on the list, and with another one; 0 where no keys are asked for. */
  readonly clientsAccepted: number;
  readonly clientsRefused: number;
}

export class Traffic {
  readonly #gate: Gate | undefined;
  #messagesIn = 0;
  #messagesOut = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #undelivered = 0;

  constructor(gate: Gate | undefined) {
    this.#gate = gate;
  }

  countIn(parts: readonly Uint8Array[]): void {
    this.#messagesIn += 1;
    for (const part of parts) this.#bytesIn += part.length;
  }

  countOut(parts: readonly Uint8Array[]): void {
    this.#messagesOut += 1;
    for (const part of parts) this.#bytesOut += part.length;
  }

  countUndelivered(): void {
    this.#undelivered += 1;
  }

  describe(): TrafficStats {
    return {
      messagesIn: this.#messagesIn,
      messagesOut: this.#messagesOut,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      undelivered: this.#undelivered,
      clientsAccepted: this.#gate?.accepted ?? 0,
      clientsRefused: this.#gate?.refused ?? 0,
    };
  }
}
