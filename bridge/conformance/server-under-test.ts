/** What all checks share: the server and its sessions as a check sees them, and the expectations of a check. */

import { type RawReply, RawSocket } from "../client/raw-socket.js";
import type { ClientKeys } from "../keys/curve.js";
import type { ArraySpec } from "../wire/array-layout.js";
import { PROTOCOL_VERSION } from "../wire/protocol.js";

export interface Check {
  readonly name: string;
  /** The rule, as docs/protocol.md states it. */
  readonly rule: string;
  /** The check is skipped on a server without this capability. */
  readonly needs?: string;
  /** Throws an error that says how the rule is broken. */
  readonly run: (server: ServerUnderTest) => Promise<void>;
}

/** How to reach a server. */
export interface ConnectionOptions {
  readonly address: string;
  readonly keys?: ClientKeys;
  /** Longest wait for a reply. */
  readonly deadlineMs: number;
}

/** A small scenario and two lanes: what checks open unless they need something else. */
export const smallSession = { scenarios: [{ numServers: 3, episodeSlots: 6 }], numEnvs: 2 };

/** A server as one check sees it. Whatever the check opens is closed after it. */
export class ServerUnderTest {
  readonly socket: RawSocket;
  readonly capabilities: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly #options: ConnectionOptions;
  readonly #sockets: RawSocket[] = [];
  readonly #sessions: SessionUnderTest[] = [];

  constructor(options: ConnectionOptions, hello: Readonly<Record<string, unknown>>) {
    this.#options = options;
    this.capabilities = (hello.capabilities ?? []) as string[];
    this.limits = (hello.limits ?? {}) as Record<string, number>;
    this.socket = this.connect();
  }

  connect(): RawSocket {
    const { address, keys, deadlineMs } = this.#options;
    const socket = new RawSocket(address, keys, deadlineMs);
    this.#sockets.push(socket);
    return socket;
  }

  /** Opens a small session, except for the given fields. */
  async open(fields: Record<string, unknown> = {}): Promise<SessionUnderTest> {
    return this.adopt(resultOf(await this.socket.ask("open", { ...smallSession, ...fields })));
  }

  /** Takes over a session from the result of the request that created it. */
  adopt(opened: Readonly<Record<string, unknown>>): SessionUnderTest {
    const session = new SessionUnderTest(this.socket, opened);
    this.#sessions.push(session);
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) await session.leave();
    for (const socket of this.#sockets) socket.close();
  }
}

/** A session, with the sequence numbers of its groups. */
export class SessionUnderTest {
  readonly opened: Readonly<Record<string, unknown>>;
  readonly layouts: Readonly<Record<string, readonly ArraySpec[]>>;
  epoch: number;
  readonly #socket: RawSocket;
  readonly #seqs: number[];
  #isClosed = false;

  constructor(socket: RawSocket, opened: Readonly<Record<string, unknown>>) {
    this.#socket = socket;
    this.opened = opened;
    this.layouts = opened.layouts as Record<string, readonly ArraySpec[]>;
    this.epoch = opened.epoch as number;
    this.#seqs = new Array(opened.groups).fill(0) as number[];
  }

  /** Header of the next request of a group, except for the given fields. */
  header(op: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
    const group = Number(fields.group ?? 0);
    const seq = (this.#seqs[group] ?? 0) + 1;
    return {
      v: PROTOCOL_VERSION,
      op,
      session: this.opened.session,
      epoch: this.epoch,
      group,
      seq,
      ack: seq - 1,
      ...fields,
    };
  }

  /** Sends the next request of a group, and waits for its reply. */
  async call(op: string, body?: Uint8Array, fields: Record<string, unknown> = {}): Promise<RawReply> {
    const header = this.header(op, fields);
    if (op === "close") this.#isClosed = true;
    const reply = await (body === undefined ? this.#socket.exchange(header) : this.#socket.exchange(header, body));
    this.advance(Number(header.group));
    return reply;
  }

  /** Counts requests that were sent without `call`. */
  advance(group = 0, by = 1): void {
    this.#seqs[group] = (this.#seqs[group] ?? 0) + by;
  }

  /** Starts a new epoch. */
  restart(epoch: number): void {
    this.epoch = epoch;
    this.#seqs.fill(0);
  }

  async leave(): Promise<void> {
    if (this.#isClosed) return;
    // a failed check may have left the session in any state; then it ends with its lease
    await this.call("close").catch(() => {});
  }
}

/** @throws Error unless the condition holds */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export function expectEqual(got: unknown, expected: unknown, what: string): void {
  const [one, other] = [JSON.stringify(got), JSON.stringify(expected)];
  expect(one === other, `${what}: expected ${other}, got ${one}`);
}

/** @throws Error unless the reply grants the request */
export function resultOf({ header }: RawReply): Readonly<Record<string, unknown>> {
  expect(header.ok === true, `expected a result, got ${JSON.stringify(header.error ?? header)}`);
  expect(typeof header.result === "object" && header.result !== null, "`result` is not a map");
  return header.result as Record<string, unknown>;
}

/** @throws Error unless the reply is an error with this code, and with all five texts */
export function expectError({ header }: RawReply, code: string, path?: string): void {
  expect(header.ok === false, `expected the error ${code}, got ${JSON.stringify(header.result)}`);
  const error = (header.error ?? {}) as Record<string, unknown>;
  expectEqual(error.code, code, "code of the error");
  for (const name of ["code", "path", "message", "expected", "got"]) {
    expect(typeof error[name] === "string", `\`${name}\` of an error is not text`);
  }
  if (path !== undefined) expectEqual(error.path, path, "path of the error");
}
