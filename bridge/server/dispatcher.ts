/** Routes requests to their handlers: message in, messages out, without a socket. */

import { coreSha256 } from "../../env/index.js";
import { listScenarios, resolveScenario, type ScenarioInput, scenarioHash } from "../../env/scenario/scenario.js";
import type { Done } from "../lanes/answer.js";
import type { PolicyProvider } from "../lanes/policy-provider.js";
import { isInlineQuery } from "../lanes/request-limits.js";
import { answerStateless } from "../lanes/stateless.js";
import { ThreadPool } from "../lanes/thread-pool.js";
import { checkNoBody } from "../wire/array-layout.js";
import { decodeHeader, MAX_HEADER_BYTES, MAX_HEADER_DEPTH } from "../wire/header.js";
import { settingOf } from "../wire/limit-flags.js";
import { BridgeError, PROTOCOL_VERSION, type Request } from "../wire/protocol.js";
import {
  basicOperations,
  checkRequest,
  hasSequence,
  type SequencedMessage,
  type StatelessQuery,
  type StatelessRequest,
} from "../wire/requests.js";
import { IdempotencyCache } from "./idempotency-cache.js";
import { isJobStart, type JobProvider, JobRegistry } from "./job-registry.js";
import { defaultLimits, type Limits } from "./limits.js";
import { type Message, Replies, type Send, successReply } from "./replies.js";
import { Sequencer } from "./sequencer.js";
import { SessionRegistry } from "./session-registry.js";
import type { TrafficStats } from "./socket/message-socket.js";
import { Counters, type ServerStats } from "./stats.js";

export interface DispatcherOptions {
  readonly packageVersion: string;
  readonly limits?: Limits;
  /** Called with errors that are the server's own fault; their replies give no details. */
  readonly report?: (error: unknown) => void;
  /** What went through the socket, for `stats`. */
  readonly transport?: () => TrafficStats;
  /** Native policies; without them, the server has no operation `policy`. */
  readonly policies?: PolicyProvider;
  /** Long work; without it, the server has no jobs. */
  readonly jobs?: JobProvider;
  /** Threads for large sessions and queries; without them, everything runs in the calling thread. */
  readonly threads?: { readonly count: number; readonly entry: URL };
  /** Sessions whose groups have at most this many lanes stay in the calling thread; 256 by default. */
  readonly maxInlineLanes?: number;
  /** A clock that never goes back, ms. */
  readonly nowMs?: () => number;
}

/** What the lanes of every server can do. */
const LANE_CAPABILITIES = ["lookahead", "prompt", "snapshot", "restore", "fork"] as const;
/** The reply of a query is kept for this time, in case its request comes once more, ms. */
const KEPT_QUERY_MS = 30_000;
const JOB_QUERIES = ["job-status", "job-result", "cancel"] as const;
/** Operations without a session that take a body. */
const TAKES_BODY: ReadonlySet<string> = new Set(["score", "prompt", "verify", "evaluate"]);

export class Dispatcher {
  readonly #limits: Limits;
  readonly #options: DispatcherOptions;
  readonly #nowMs: () => number;
  readonly #threads: ThreadPool | undefined;
  readonly #jobs: JobRegistry | undefined;
  readonly #capabilities: readonly string[];
  readonly #operations: ReadonlySet<string>;
  readonly #sessions: SessionRegistry;
  readonly #sequencer: Sequencer;
  readonly #created = new IdempotencyCache();
  readonly #queried: IdempotencyCache;
  readonly #counters: Counters;
  readonly #replies: Replies;

  constructor(options: DispatcherOptions) {
    const { limits = defaultLimits, report = () => {}, nowMs = () => performance.now(), threads, jobs } = options;
    const { policies, maxInlineLanes = 256 } = options;
    this.#options = options;
    this.#limits = limits;
    this.#queried = new IdempotencyCache(limits.maxReplyBytes);
    this.#nowMs = nowMs;
    this.#counters = new Counters(nowMs);
    this.#replies = new Replies(this.#counters, report);
    this.#threads = threads === undefined ? undefined : new ThreadPool({ ...threads, limits, report });
    const shared = { limits, counters: this.#counters, replies: this.#replies, policies };
    this.#sessions = new SessionRegistry({ ...shared, report, nowMs, threads: this.#threads, maxInlineLanes });
    this.#sequencer = new Sequencer({ ...shared, sessions: this.#sessions });
    this.#jobs = jobs === undefined ? undefined : new JobRegistry(jobs, limits, report, nowMs);
    const policy = policies === undefined ? [] : ["policy"];
    this.#capabilities = [
      ...LANE_CAPABILITIES,
      ...policy,
      ...["stats", "score", "resume", "text"],
      ...(jobs?.operations ?? []),
    ];
    const operations = this.#capabilities.filter((name) => name !== "text");
    const jobQueries = jobs === undefined ? [] : JOB_QUERIES;
    this.#operations = new Set([...basicOperations, ...operations, ...jobQueries]);
  }

  /** New with every start of a server, 32 hexadecimal digits. */
  get instance(): string {
    return this.#sessions.instance;
  }

  get numSessions(): number {
    return this.#sessions.size;
  }

  /**
   * Handles a message. Its reply goes to `send`, at once or later. Replies to requests that were held until now go to
   * the `send` they came with. Never throws.
   *
   * @param sendUnkept sends replies that no session keeps and bounds
   */
  handle(message: Message, send: Send, sendUnkept: Send = send): void {
    const startMs = this.#nowMs();
    let header: Record<string, unknown>;
    try {
      header = readMessage(message, this.#limits);
    } catch (error) {
      sendUnkept(this.#replies.unreadable(error));
      return;
    }
    let request: Request | undefined;
    let refusal: unknown;
    try {
      request = checkRequest(header, this.#operations);
      this.#counters.countRequest(request.op);
    } catch (error) {
      refusal = error;
    }
    try {
      if (hasSequence(header)) {
        const sequenced = { header, request, refusal, body: message[1] } as SequencedMessage;
        this.#sequencer.handle(sequenced, send, startMs);
      } else {
        if (request === undefined) throw refusal;
        this.#handleStateless(request as StatelessRequest, message[1], (reply) => {
          this.#counters.countReply(startMs);
          sendUnkept(reply);
        });
      }
    } catch (error) {
      sendUnkept(this.#replies.error(header, error));
    }
  }

  #handleStateless(request: StatelessRequest, body: Uint8Array | undefined, send: Send): void {
    if (!TAKES_BODY.has(request.op)) checkNoBody(request.op, body);
    switch (request.op) {
      case "hello":
        send(successReply(request, { result: this.#hello(request.capabilities) }));
        return;
      case "ping":
        send(successReply(request, { result: this.#ping(request.sessions) }));
        return;
      case "stats":
        send(successReply(request, { result: { ...this.stats() } }));
        return;
      case "scenarios":
        send(successReply(request, { result: { scenarios: describeScenarios(request.scenario) } }));
        return;
      case "open":
        this.#once(this.#created, request, send, (done) => this.#sessions.open(request, done));
        return;
      case "resume":
        this.#once(this.#created, request, send, (done) => this.#sessions.resume(request, done));
        return;
      case "score":
      case "prompt":
        this.#once(this.#queried, request as StatelessQuery & { requestId: string }, send, (done) =>
          this.#query(request, body, done),
        );
        return;
      default: {
        const jobs = this.#jobs as JobRegistry; // without jobs, their operations are unknown
        if (!isJobStart(request)) send(successReply(request, jobs.answer(request)));
        else {
          const start = (done: Done) => done({ outcome: jobs.start(request, body), numBytes: 0 });
          this.#once(this.#created, request, send, start);
        }
      }
    }
  }

  /** Carries out a request once, however often it is sent, and by whomever. */
  #once(
    cache: IdempotencyCache,
    request: Request & { requestId: string },
    send: Send,
    work: (done: Done) => void,
  ): void {
    cache.run(request.requestId, send, (settle) => {
      work((answer) => settle(this.#replies.answer(request, answer), "outcome" in answer));
    });
  }

  #query(request: StatelessQuery, body: Uint8Array | undefined, done: Done): void {
    if (this.#threads !== undefined && !isInlineQuery(request, body?.length ?? 0)) {
      this.#threads.ask(request, body, done);
    } else {
      done(answerStateless(request, body, this.#limits));
    }
  }

  #hello(wanted: readonly string[] | undefined): Record<string, unknown> {
    const all = this.#capabilities;
    return {
      protocolVersion: PROTOCOL_VERSION,
      packageVersion: this.#options.packageVersion,
      coreSha256,
      instance: this.instance,
      capabilities: wanted === undefined ? all : all.filter((name) => wanted.includes(name)),
      limits: { maxHeaderBytes: MAX_HEADER_BYTES, maxHeaderDepth: MAX_HEADER_DEPTH, ...this.#limits },
    };
  }

  #ping(ids: readonly string[] | undefined): Record<string, unknown> {
    return ids === undefined ? {} : { lost: this.#sessions.renew(ids) };
  }

  /** What the server does, in numbers. */
  stats(): ServerStats {
    const { rss, heapUsed, external } = process.memoryUsage();
    const { sessionBytes, ...held } = this.#sessions.stats();
    return {
      ...this.#counters.describe(),
      ...held,
      jobs: this.#jobs?.numRunning ?? 0,
      memory: { residentBytes: rss, heapBytes: heapUsed, externalBytes: external, sessionBytes },
      workers: this.#threads?.stats() ?? [],
      ...(this.#options.transport === undefined ? {} : { transport: this.#options.transport() }),
    };
  }

  /** Gives up sessions whose lease ran out, and forgets old jobs. To be called from time to time. */
  reap(): void {
    const { leaseSeconds } = this.#limits;
    this.#sessions.reap();
    this.#queried.forget(this.#nowMs() - KEPT_QUERY_MS);
    if (leaseSeconds > 0) this.#jobs?.reap(leaseSeconds * 1000);
  }

  /** Ends all threads and jobs. */
  async close(): Promise<void> {
    this.#jobs?.close();
    await this.#threads?.close();
  }
}

/** @throws BridgeError `malformedMessage` */
function readMessage(message: Message, { maxBodyBytes }: Limits): Record<string, unknown> {
  const refuse = (expected: string, got: string) =>
    new BridgeError("malformedMessage", { path: "message", expected, got });
  if (message.length < 1 || message.length > 2) {
    throw refuse("a header and at most one body", `${message.length} parts`);
  }
  const bodyBytes = message[1]?.length ?? 0;
  if (bodyBytes > maxBodyBytes)
    throw refuse(`a body of at most ${maxBodyBytes} bytes (${settingOf("maxBodyBytes")})`, `${bodyBytes} bytes`);
  return decodeHeader(message[0]);
}

/** What `scenarios` lists: all frozen scenarios, or the one that is named or given. */
function describeScenarios(scenario: unknown): Record<string, unknown>[] {
  const list = scenario === undefined ? listScenarios() : [resolveScenario(scenario as string | ScenarioInput)];
  return list.map((one) => ({ id: one.id, description: one.description, hash: scenarioHash(one), scenario: one }));
}
