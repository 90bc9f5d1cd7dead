/** What checks of a server share: the server and its sessions as a check sees them, and what it expects of them. */

import { Wire, type WireReply } from "../client/raw-socket.js";
import type { ClientKeys } from "../wire/keys.js";
import { type ArraySpec, PROTOCOL_VERSION } from "../wire/protocol.js";

export interface Check {
  readonly name: string;
  /** The rule, in the words of the page. */
  readonly rule: string;
  /** A capability without which there is nothing to check. */
  readonly needs?: string;
  /** Throws where the rule is broken; what it throws says how. */
  readonly run: (server: ServerUnderTest) => Promise<void>;
}

/** How a server is reached. */
export interface Connecting {
  readonly address: string;
  readonly keys?: ClientKeys;
  /** Longest wait for a reply. */
  readonly deadlineMs: number;
}

/** A server as one check sees it. What the check opens is closed after it. */
export class ServerUnderTest {
  readonly wire: Wire;
  readonly capabilities: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly #options: Connecting;
  readonly #wires: Wire[] = [];
  readonly #sessions: SessionUnderTest[] = [];

  constructor(options: Connecting, hello: Readonly<Record<string, unknown>>) {
    this.#options = options;
    this.capabilities = (hello.capabilities ?? []) as string[];
    this.limits = (hello.limits ?? {}) as Record<string, number>;
    this.wire = this.connect();
  }

  connect(): Wire {
    const { address, keys, deadlineMs } = this.#options;
    const wire = new Wire(address, keys, deadlineMs);
    this.#wires.push(wire);
    return wire;
  }

  /** Opens lanes of a small scenario, unless other fields say otherwise. */
  async open(fields: Record<string, unknown> = {}): Promise<SessionUnderTest> {
    const small = { scenarios: [{ numServers: 3, episodeSlots: 6 }], numEnvs: 2, ...fields };
    return this.adopt(resultOf(await this.wire.ask("open", small)));
  }

  /** Takes on a session that was made by another request than `open`. */
  adopt(opened: Readonly<Record<string, unknown>>): SessionUnderTest {
    const session = new SessionUnderTest(this.wire, opened);
    this.#sessions.push(session);
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) await session.leave();
    for (const wire of this.#wires) wire.close();
  }
}

/** A session, with the sequence numbers of its groups. */
export class SessionUnderTest {
  readonly opened: Readonly<Record<string, unknown>>;
  readonly layouts: Readonly<Record<string, readonly ArraySpec[]>>;
  epoch: number;
  readonly #wire: Wire;
  readonly #seqs: number[];
  #isClosed = false;

  constructor(wire: Wire, opened: Readonly<Record<string, unknown>>) {
    this.#wire = wire;
    this.opened = opened;
    this.layouts = opened.layouts as Record<string, readonly ArraySpec[]>;
    this.epoch = opened.epoch as number;
    this.#seqs = new Array(opened.groups).fill(0) as number[];
  }

  /** Header of a request; the next one of its group unless fields say otherwise. */
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

  /** Carries out the next request of its group. */
  async call(op: string, body?: Uint8Array, fields: Record<string, unknown> = {}): Promise<WireReply> {
    const header = this.header(op, fields);
    if (op === "close") this.#isClosed = true;
    const reply = await (body === undefined ? this.#wire.exchange(header) : this.#wire.exchange(header, body));
    this.advance(Number(header.group));
    return reply;
  }

  /** Counts requests that were sent by other means. */
  advance(group = 0, by = 1): void {
    this.#seqs[group] = (this.#seqs[group] ?? 0) + by;
  }

  /** Begins a new epoch. */
  restart(epoch: number): void {
    this.epoch = epoch;
    this.#seqs.fill(0);
  }

  async leave(): Promise<void> {
    if (this.#isClosed) return;
    // a check that failed may have left anything behind; the session then goes with its lease
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

/** @throws Error unless the reply says that it worked */
export function resultOf({ header }: WireReply): Readonly<Record<string, unknown>> {
  expect(header.ok === true, `expected a result, got ${JSON.stringify(header.error ?? header)}`);
  expect(typeof header.result === "object" && header.result !== null, "`result` is not a map");
  return header.result as Record<string, unknown>;
}

/** @throws Error unless the reply is an error with this code, in five texts */
export function expectError({ header }: WireReply, code: string, path?: string): void {
  expect(header.ok === false, `expected the error ${code}, got ${JSON.stringify(header.result)}`);
  const error = (header.error ?? {}) as Record<string, unknown>;
  expectEqual(error.code, code, "code of the error");
  for (const name of ["code", "path", "message", "expected", "got"]) {
    expect(typeof error[name] === "string", `\`${name}\` of an error is not text`);
  }
  if (path !== undefined) expectEqual(error.path, path, "path of the error");
}
