/** A bare connection: sends what it is told, well formed or not, and gives what comes back; for checks of a server. */

import { randomBytes } from "node:crypto";
import { Dealer } from "zeromq";
import { type ClientKeys, curveOptions } from "../wire/keys.js";
import { decodeHeader, encodeHeader, PROTOCOL_VERSION, type Request } from "../wire/protocol.js";

/** A reply as it came. */
export interface WireReply {
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Buffer | undefined;
  readonly parts: readonly Buffer[];
}

export class Wire {
  readonly #socket: Dealer;
  readonly #deadlineMs: number;

  /** @param deadlineMs longest wait for a message */
  constructor(address: string, keys: ClientKeys | undefined, deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
    this.#socket = new Dealer({
      linger: 0,
      sendTimeout: deadlineMs,
      receiveTimeout: deadlineMs,
      ...curveOptions(keys),
    });
    this.#socket.connect(address);
  }

  send(...parts: (Uint8Array | Record<string, unknown>)[]): Promise<void> {
    return this.#socket.send(parts.map((part) => (part instanceof Uint8Array ? part : encode(part))));
  }

  /** @throws Error where nothing comes in time, or its header is no header */
  async receive(): Promise<WireReply> {
    let parts: Buffer[];
    try {
      parts = await this.#socket.receive();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") throw new Error(`no reply within ${this.#deadlineMs} ms`);
      throw error;
    }
    return { header: decodeHeader(parts[0]), body: parts[1], parts };
  }

  /** Sends and waits for one reply. */
  async exchange(...parts: (Uint8Array | Record<string, unknown>)[]): Promise<WireReply> {
    await this.send(...parts);
    return this.receive();
  }

  /** A request without a session. */
  ask(op: string, fields: Record<string, unknown> = {}, body?: Uint8Array): Promise<WireReply> {
    const header = { v: PROTOCOL_VERSION, op, requestId: newId(), ...fields };
    return body === undefined ? this.exchange(header) : this.exchange(header, body);
  }

  /** @returns whether nothing comes for so long */
  async isSilentFor(durationMs: number): Promise<boolean> {
    this.#socket.receiveTimeout = durationMs;
    try {
      await this.#socket.receive();
      return false;
    } catch {
      return true;
    } finally {
      this.#socket.receiveTimeout = this.#deadlineMs;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

function encode(header: Record<string, unknown>): Buffer {
  // packed into memory that is used again, unless copied: a send may read it later
  return Buffer.from(encodeHeader(header as unknown as Request));
}

export function newId(): string {
  return randomBytes(16).toString("hex");
}
