/** The TypeScript client of a server: sends requests, again if no reply comes, and matches replies to them. */

import { randomBytes } from "node:crypto";
import { Dealer } from "zeromq";
import type { ScenarioInput } from "../../env/scenario/scenario.js";
import { type ClientKeys, curveOptions } from "../keys/curve.js";
import { decodeHeader, encodeHeader } from "../wire/header.js";
import { PROTOCOL_VERSION, type Reply, type Request } from "../wire/protocol.js";
import { ClientSession } from "./client-session.js";
import { DeadlineExceeded, RemoteError } from "./errors.js";

export interface ClientOptions {
  /** Longest wait for one reply, ms; 30 s by default. */
  readonly requestDeadlineMs?: number;
  /** First wait before a request is sent again, ms; 1 s by default. It doubles each time. */
  readonly resendAfterMs?: number;
  /** Keys for a server that accepts only known clients. */
  readonly keys?: ClientKeys;
}

/** A reply that grants a request. */
export interface ClientReply {
  readonly result: Record<string, unknown>;
  readonly body: Uint8Array | undefined;
}

interface Pending {
  readonly resolve: (reply: ClientReply) => void;
  readonly reject: (error: Error) => void;
}

export class Client {
  readonly address: string;
  readonly #socket: Dealer;
  readonly #requestDeadlineMs: number;
  readonly #resendAfterMs: number;
  readonly #pending = new Map<string, Pending>();
  #sending: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(address: string, options: ClientOptions = {}) {
    this.address = address;
    this.#requestDeadlineMs = options.requestDeadlineMs ?? 30_000;
    this.#resendAfterMs = options.resendAfterMs ?? 1000;
    this.#socket = new Dealer({ linger: 0, ...curveOptions(options.keys) });
    this.#socket.connect(address);
    void this.#receive();
  }

  hello(): Promise<Record<string, unknown>> {
    return this.#requestResult({ op: "hello" });
  }

  ping(): Promise<Record<string, unknown>> {
    return this.#requestResult({ op: "ping" });
  }

  stats(): Promise<Record<string, unknown>> {
    return this.#requestResult({ op: "stats" });
  }

  scenarios(scenario?: string | ScenarioInput): Promise<Record<string, unknown>> {
    return this.#requestResult({ op: "scenarios", ...(scenario === undefined ? {} : { scenario }) });
  }

  /** Opens a session; the options are the fields of `open` in docs/protocol.md. */
  async open(options: Record<string, unknown>): Promise<ClientSession> {
    return new ClientSession(this, await this.#requestResult({ op: "open", ...options }));
  }

  async #requestResult(fields: Record<string, unknown>): Promise<Record<string, unknown>> {
    const requestId = randomBytes(16).toString("hex");
    const { result } = await this.request({ v: PROTOCOL_VERSION, requestId, ...fields } as unknown as Request);
    return result;
  }

  /**
   * Sends a request and waits for its reply. The request is sent again if no reply comes.
   *
   * @throws RemoteError, DeadlineExceeded
   */
  async request(header: Request, body?: Uint8Array): Promise<ClientReply> {
    if (this.#isClosed) throw new Error(`the client of ${this.address} is closed`);
    const key = keyOf(header as unknown as Record<string, unknown>);
    const frames = body === undefined ? [encodeHeader(header)] : [encodeHeader(header), body];
    return new Promise<ClientReply>((resolve, reject) => {
      let resendAfterMs = this.#resendAfterMs;
      let resend: NodeJS.Timeout | undefined;
      const settle = () => {
        clearTimeout(resend);
        clearTimeout(deadline);
        this.#pending.delete(key);
      };
      const deadline = setTimeout(() => {
        settle();
        reject(new DeadlineExceeded(header.op, this.address, this.#requestDeadlineMs));
      }, this.#requestDeadlineMs);
      const send = () => {
        this.#send(frames).catch((error) => {
          settle();
          reject(error instanceof Error ? error : new Error(String(error)));
        });
        resend = setTimeout(send, resendAfterMs);
        resendAfterMs *= 2;
      };
      this.#pending.set(key, {
        resolve: (reply) => {
          settle();
          resolve(reply);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      send();
    });
  }

  /** Sends when all earlier sends are done: a socket takes one at a time. */
  #send(frames: Uint8Array[]): Promise<void> {
    this.#sending = this.#sending.catch(() => {}).then(() => this.#socket.send(frames));
    return this.#sending;
  }

  async #receive(): Promise<void> {
    while (!this.#isClosed) {
      let frames: Buffer[];
      try {
        frames = await this.#socket.receive();
      } catch {
        return;
      }
      this.#accept(frames);
    }
  }

  #accept([head, body]: Buffer[]): void {
    let reply: Reply;
    try {
      reply = decodeHeader(head) as unknown as Reply;
    } catch {
      return; // not a reply; if it answered a request, that request is sent again
    }
    const pending = this.#pending.get(keyOf(reply as unknown as Record<string, unknown>));
    if (pending === undefined) return; // a duplicate, or the reply to a request that has timed out
    if (reply.ok) pending.resolve({ result: reply.result as Record<string, unknown>, body });
    else pending.reject(new RemoteError(reply.error));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    for (const pending of [...this.#pending.values()]) {
      pending.reject(new Error(`the client of ${this.address} was closed`));
    }
  }
}

/** What a request and its reply have in common. */
function keyOf(header: Record<string, unknown>): string {
  return typeof header.requestId === "string"
    ? header.requestId
    : `${header.session}/${header.epoch}/${header.group}/${header.seq}`;
}
