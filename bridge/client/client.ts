/** The bridge's TypeScript client: requests with deadlines and repetition, and sessions of lanes. */

import { randomBytes } from "node:crypto";
import { Dealer } from "zeromq";
import type { ScenarioInput } from "../../env/scenario/scenario.js";
import { type ClientKeys, curveOptions } from "../wire/keys.js";
import {
  type ArraySpec,
  bodyBytes,
  decodeHeader,
  encodeHeader,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  readArray,
  writeArray,
} from "../wire/protocol.js";

/** An error reply of the server. */
export class RemoteError extends Error {
  readonly code: string;
  readonly path: string;
  readonly expected: string;
  readonly got: string;

  constructor(error: { code: string; path: string; message: string; expected: string; got: string }) {
    super(error.message);
    this.name = "RemoteError";
    this.code = error.code;
    this.path = error.path;
    this.expected = error.expected;
    this.got = error.got;
  }
}

/** No reply came in time, however often the request was repeated. */
export class DeadlineExceeded extends Error {
  constructor(operation: string, address: string, deadlineMs: number) {
    super(`no reply to ${operation} from ${address} within ${deadlineMs} ms (requestDeadlineMs)`);
    this.name = "DeadlineExceeded";
  }
}

export interface ClientOptions {
  /** Longest wait for one reply, ms; 30 s where left out. */
  readonly requestDeadlineMs?: number;
  /** First wait before a request is sent again, ms; doubles with every repetition. 1 s where left out. */
  readonly resendAfterMs?: number;
  /** Keys for a server that takes up those it knows alone. */
  readonly keys?: ClientKeys;
}

interface Answer {
  readonly result: Record<string, unknown>;
  readonly body: Uint8Array | undefined;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
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
    this.#socket = new Dealer({
      linger: 0,
      ...curveOptions(options.keys),
    });
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
   * Sends a request and waits for its reply, sending it again when none comes.
   *
   * @throws RemoteError, DeadlineExceeded
   */
  async request(header: Request, body?: Uint8Array): Promise<Answer> {
    if (this.#isClosed) throw new Error(`the client of ${this.address} is closed`);
    const key = keyOf(header as unknown as Record<string, unknown>);
    const frames = body === undefined ? [encodeHeader(header)] : [encodeHeader(header), body];
    return new Promise<Answer>((resolve, reject) => {
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
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      send();
    });
  }

  /** A socket takes one send at a time. */
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
      return; // not a reply; the request it may have answered is sent again
    }
    const pending = this.#pending.get(keyOf(reply as unknown as Record<string, unknown>));
    if (pending === undefined) return; // a duplicate, or an answer to a request that was given up
    if (reply.ok) pending.resolve({ result: reply.result as Record<string, unknown>, body });
    else pending.reject(new RemoteError(reply.error));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    for (const pending of [...this.#pending.values()])
      pending.reject(new Error(`the client of ${this.address} was closed`));
  }
}

function keyOf(header: Record<string, unknown>): string {
  return typeof header.requestId === "string"
    ? header.requestId
    : `${header.session}/${header.epoch}/${header.group}/${header.seq}`;
}

/** What a reset or a step brought: the arrays of `stepReply`, and those of ended lanes. */
export interface StepArrays {
  readonly observation: Float32Array;
  readonly reward: Float64Array;
  readonly latencySlots: Float64Array;
  readonly costSlots: Float64Array;
  readonly episodeSeed: Float64Array;
  readonly executedAction: Int32Array;
  readonly decisionIndex: Int32Array;
  readonly slot: Int32Array;
  readonly numServers: Int32Array;
  readonly lostTasks: Int32Array;
  readonly lostOnTimeTasks: Int32Array;
  readonly flags: Uint8Array;
  readonly actionMask: Uint8Array;
  readonly numFinal: number;
  readonly finalLane?: Int32Array;
  readonly finalStats?: Float64Array;
  readonly finalSlot?: Int32Array;
  readonly finalObservation?: Float32Array;
}

/** A page of a snapshot: what describes itself. */
export interface Page {
  readonly layout: readonly ArraySpec[];
  readonly body: Uint8Array;
}

interface SessionInfo {
  readonly session: string;
  readonly epoch: number;
  readonly numEnvs: number;
  readonly groups: number;
  readonly maxServers: number;
  readonly observationSize: number;
  readonly layouts: Readonly<Record<"resetRequest" | "stepRequest" | "stepReply", readonly ArraySpec[]>>;
}

const NO_SEED = 0xffff_ffff;

/**
 * An open session. Requests are numbered as they are made and carried out in that order; each group may have as many on
 * their way as `hello` says (`maxInFlight`), and different groups do not wait for each other.
 */
export class ClientSession {
  readonly info: SessionInfo & Record<string, unknown>;
  readonly #client: Client;
  readonly #groups: readonly { nextSeq: number; acked: number; readonly answered: Set<number> }[];

  constructor(client: Client, info: Record<string, unknown>) {
    this.#client = client;
    this.info = info as unknown as SessionInfo & Record<string, unknown>;
    this.#groups = Array.from({ length: this.info.groups }, () => ({ nextSeq: 1, acked: 0, answered: new Set() }));
  }

  async #request(group: number, fields: Record<string, unknown>, body?: Uint8Array): Promise<Answer> {
    const sequence = this.#groups[group];
    const seq = sequence.nextSeq++;
    const { session, epoch } = this.info;
    const ids = { v: PROTOCOL_VERSION, session, epoch, group, seq, ack: sequence.acked };
    try {
      return await this.#client.request({ ...ids, ...fields } as unknown as Request, body);
    } finally {
      // a refusal is an answer too
      sequence.answered.add(seq);
      while (sequence.answered.delete(sequence.acked + 1)) sequence.acked += 1;
    }
  }

  /** Starts episodes: the given seeds, or the next ones of the split, in all lanes of a group or the masked ones. */
  async reset(seeds?: readonly number[], mask?: readonly number[], group = 0): Promise<StepArrays> {
    const layout = this.info.layouts.resetRequest;
    if (seeds === undefined && mask === undefined) return this.#arrays(await this.#request(group, { op: "reset" }));
    const [seedSpec, maskSpec] = layout;
    const numLanes = seedSpec.shape[0];
    const body = new Uint8Array(bodyBytes(layout));
    const words = new Int32Array(2 * numLanes).fill(NO_SEED);
    seeds?.forEach((seed, lane) => {
      words[2 * lane] = seed % 4_294_967_296;
      words[2 * lane + 1] = Math.floor(seed / 4_294_967_296);
    });
    writeArray(body, seedSpec, words);
    writeArray(body, maskSpec, mask === undefined ? new Uint8Array(numLanes).fill(1) : Uint8Array.from(mask));
    return this.#arrays(await this.#request(group, { op: "reset" }, body));
  }

  async step(actions: ArrayLike<number>, group = 0): Promise<StepArrays> {
    const layout = this.info.layouts.stepRequest;
    const body = new Uint8Array(bodyBytes(layout));
    writeArray(body, layout[0], Int32Array.from(actions));
    return this.#arrays(await this.#request(group, { op: "step" }, body));
  }

  /** C, J, C_impact and r of all actions, [lanes, maxServers + 1] each. */
  async lookAhead(options: Record<string, unknown> = {}, group = 0): Promise<Record<string, Float64Array>> {
    const { result, body } = await this.#request(group, { op: "lookahead", ...options });
    const layout = result.layout as ArraySpec[];
    return Object.fromEntries(layout.map((spec) => [spec.name, readArray(body as Uint8Array, spec) as Float64Array]));
  }

  /** The state of all lanes of a group, page by page. */
  async snapshot(group = 0): Promise<Page[]> {
    const pages: Page[] = [];
    const numLanes = this.info.layouts.stepRequest[0].shape[0];
    for (let firstLane = 0; firstLane < numLanes; ) {
      const { result, body } = await this.#request(group, { op: "snapshot", firstLane });
      pages.push({ layout: result.layout as ArraySpec[], body: body as Uint8Array });
      firstLane = result.nextLane as number;
    }
    return pages;
  }

  /** Puts lanes where snapshots of them were taken. */
  async restore(pages: readonly Page[], group = 0): Promise<StepArrays> {
    let last: StepArrays | undefined;
    for (const { layout, body } of pages) {
      const own = layout.filter(({ name }) => name !== "stateHash");
      last = this.#arrays(await this.#request(group, { op: "restore", layout: own }, body));
    }
    if (last === undefined) throw new TypeError("a restore of no snapshots");
    return last;
  }

  /** A session with a copy of all lanes as they are. */
  async fork(): Promise<ClientSession> {
    return new ClientSession(this.#client, (await this.#request(0, { op: "fork" })).result);
  }

  /** Lets a native policy of the server's play; the step's arrays after the last step, and those of the whole play. */
  async runPolicy(policy: string, steps: number, group = 0): Promise<StepArrays & Record<string, unknown>> {
    const answer = await this.#request(group, { op: "policy", policy, steps });
    const play = (answer.result.policyLayout as ArraySpec[]).map((spec) => [
      spec.name,
      readArray(answer.body as Uint8Array, spec),
    ]);
    return { ...this.#arrays(answer), ...Object.fromEntries(play), steps: answer.result.steps };
  }

  async close(): Promise<void> {
    await this.#request(0, { op: "close" });
  }

  #arrays({ result, body }: Answer): StepArrays {
    const layout = [...this.info.layouts.stepReply, ...((result.finalLayout ?? []) as ArraySpec[])];
    const arrays = layout.map((spec) => [spec.name, readArray(body as Uint8Array, spec)]);
    return { numFinal: result.numFinal, ...Object.fromEntries(arrays) } as StepArrays;
  }
}
