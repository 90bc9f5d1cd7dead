/** A raw connection for checks of a server: sends any bytes, well formed or not, and returns the replies unchanged. */

import { randomBytes } from "node:crypto";
import { Dealer } from "zeromq";
import { type ClientKeys, curveOptions } from "../keys/curve.js";
import { decodeHeader, encodeHeader } from "../wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../wire/protocol.js";

/** A reply as it arrived. */
export interface RawReply {
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: Buffer | undefined;
  readonly parts: readonly Buffer[];
}

export class RawSocket {
  readonly #socket: Dealer;
  readonly #deadlineMs: number;

  /** @param deadlineMs longest wait for a message */
  constructor(address: string, keys: ClientKeys | undefined, deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
    const timeouts = { sendTimeout: deadlineMs, receiveTimeout: deadlineMs };
    this.#socket = new Dealer({ linger: 0, ...timeouts, ...curveOptions(keys) });
    this.#socket.connect(address);
  }

  send(...parts: (Uint8Array | Record<string, unknown>)[]): Promise<void> {
    return this.#socket.send(parts.map((part) => (part instanceof Uint8Array ? part : encode(part))));
  }

  /** @throws Error if no reply comes in time, or its header cannot be read */
  async receive(): Promise<RawReply> {
    let parts: Buffer[];
    try {
      parts = await this.#socket.receive();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") throw new Error(`no reply within ${this.#deadlineMs} ms`);
      throw error;
    }
    return { header: decodeHeader(parts[0]), body: parts[1], parts };
  }

  /** Sends a message and waits for one reply. */
  async exchange(...parts: (Uint8Array | Record<string, unknown>)[]): Promise<RawReply> {
    await this.send(...parts);
    return this.receive();
  }

  /** Sends a request without a session. */
  ask(op: string, fields: Record<string, unknown> = {}, body?: Uint8Array): Promise<RawReply> {
    const header = { v: PROTOCOL_VERSION, op, requestId: newId(), ...fields };
    return body === undefined ? this.exchange(header) : this.exchange(header, body);
  }

  /** Waits for `durationMs`, and returns whether nothing came. */
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
  // a copy: the encoder uses its memory again, and a send may read it later
  return Buffer.from(encodeHeader(header as unknown as Request));
}

/** A new id of a request, 32 hexadecimal digits. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}
