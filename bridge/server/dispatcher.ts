/** The server without its socket: message in, messages out. Takes every request to what answers it. */

import { answerQuestion, type Done } from "../lanes/lane-handle.js";
import type { PolicyBook } from "../lanes/policy-provider.js";
import { LaneThreads } from "../lanes/thread-pool.js";
import { checkNoBody } from "../wire/array-layout.js";
import { defaultLimits, type Limits } from "../wire/limits.js";
import {
  BridgeError,
  decodeHeader,
  MAX_HEADER_BYTES,
  MAX_HEADER_DEPTH,
  PROTOCOL_VERSION,
  type Request,
} from "../wire/protocol.js";
import {
  basicOperations,
  checkRequest,
  echo,
  hasSequence,
  type JobRequest,
  type QuestionRequest,
  type RequestOf,
  type SequencedMessage,
  type StatelessRequest,
} from "../wire/requests.js";
import { JobBoard, type JobBook } from "./jobs.js";
import { describeScenarios } from "./open-request.js";
import { Replies, successReply } from "./replies.js";
import type { Message, Send } from "./request-window.js";
import { Sequencer } from "./sequencer.js";
import { SessionBook } from "./sessions.js";
import { Counters, type ServerStats } from "./stats.js";
import type { TrafficStats } from "./traffic.js";

export { defaultLimits, type Limits, type Message, type Send };

export interface HostOptions {
  readonly packageVersion: string;
  readonly limits?: Limits;
  /** Told of errors that are the server's own fault; their replies say no more than that. */
  readonly report?: (error: unknown) => void;
  /** What went through the socket, for `stats`. */
  readonly transport?: () => TrafficStats;
  /** Native policies; none where left out. */
  readonly policies?: PolicyBook;
  /** Long work; none where left out. */
  readonly jobs?: JobBook;
  /** Threads for large sessions and questions; everything is done in this one where left out. */
  readonly threads?: { readonly count: number; readonly entry: URL };
  /** Sessions whose groups have at most so many lanes stay in this thread; 256 where left out. */
  readonly maxInlineLanes?: number;
  /** A clock that never goes back, ms. */
  readonly nowMs?: () => number;
}

type JobQuestion = RequestOf<"job-status" | "job-result" | "cancel">;

/** How many answered `open` requests are remembered, so that a repeated one gets the session it made. */
const MAX_REMEMBERED = 1024;

export class SessionHost {
  readonly #limits: Limits;
  readonly #options: HostOptions;
  readonly #nowMs: () => number;
  readonly #threads: LaneThreads | undefined;
  readonly #jobs: JobBoard | undefined;
  readonly #capabilities: readonly string[];
  readonly #operations: ReadonlySet<string>;
  readonly #book: SessionBook;
  readonly #sequencer: Sequencer;
  /** Requests that make something, by their id: a repeated one gets what the first one made. */
  readonly #made = new Map<string, Message | Send[]>();
  readonly #counters: Counters;
  readonly #replies: Replies;

  constructor(options: HostOptions) {
    this.#options = options;
    const { limits = defaultLimits, report = () => {}, policies } = options;
    this.#limits = limits;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#counters = new Counters(this.#nowMs);
    this.#replies = new Replies(this.#counters, report);
    const { threads, jobs } = options;
    this.#threads = threads === undefined ? undefined : new LaneThreads({ ...threads, limits, report });
    const maxInlineLanes = this.#threads === undefined ? Number.POSITIVE_INFINITY : (options.maxInlineLanes ?? 256);
    const shared = { limits, counters: this.#counters, replies: this.#replies, policies };
    this.#book = new SessionBook({ ...shared, report, nowMs: this.#nowMs, threads: this.#threads, maxInlineLanes });
    this.#sequencer = new Sequencer({ ...shared, book: this.#book });
    this.#jobs = jobs === undefined ? undefined : new JobBoard(jobs, limits, report, this.#nowMs);
    const long = jobs === undefined ? [] : [...jobs.operations];
    const policy = policies === undefined ? [] : ["policy"];
    this.#capabilities = [...LANE_CAPABILITIES, ...policy, "stats", "score", "resume", "text", ...long];
    const asking = jobs === undefined ? [] : ["job-status", "job-result", "cancel"];
    const operations = this.#capabilities.filter((name) => name !== "text");
    this.#operations = new Set([...basicOperations, ...operations, ...asking]);
  }

  /** New with every start of a server, 32 hexadecimal digits. */
  get instance(): string {
    return this.#book.instance;
  }

  get numSessions(): number {
    return this.#book.size;
  }

  /**
   * Answers a message: `send` gets its reply, at once or later, and those of held requests whose turn it now is go where
   * they came from. Never throws.
   */
  handle(message: Message, send: Send): void {
    const startMs = this.#nowMs();
    let header: Record<string, unknown>;
    try {
      header = readMessage(message, this.#limits);
    } catch (error) {
      send(this.#replies.error({ v: PROTOCOL_VERSION, op: null, requestId: null }, error));
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
          send(reply);
        });
      }
    } catch (error) {
      send(this.#replies.error(echo(header), error));
    }
  }

  /** Gives up sessions whose lease is over, and forgets old jobs. To be called now and then. */
  reap(): void {
    const { leaseSeconds } = this.#limits;
    this.#book.reap();
    if (leaseSeconds > 0) this.#jobs?.reap(leaseSeconds * 1000);
  }

  /** Ends its threads and jobs. */
  async close(): Promise<void> {
    this.#jobs?.close();
    await this.#threads?.close();
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
      case "resume":
        this.#once(request, send, (answer) => {
          if (request.op === "open") this.#book.open(request, answer);
          else this.#book.resume(request, answer);
        });
        return;
      case "score":
      case "prompt":
        this.#ask(request, body, (answer) => send(this.#replies.answer(request, answer)));
        return;
      default:
        this.#handleJob(request, body, send);
    }
  }

  #handleJob(request: JobRequest | JobQuestion, body: Uint8Array | undefined, send: Send): void {
    const jobs = this.#jobs as JobBoard; // else its operations are unknown
    switch (request.op) {
      case "job-status":
        send(successReply(request, jobs.status(request.job)));
        return;
      case "job-result":
        send(successReply(request, jobs.page(request.job, request.page ?? 0)));
        return;
      case "cancel":
        send(successReply(request, jobs.cancel(request.job)));
        return;
      default:
        this.#once(request, send, (done) => done({ outcome: jobs.start(request, body), numBytes: 0 }));
    }
  }

  /** Makes something, or gives what the same request made before; one that was refused may be sent again. */
  #once(request: Request & { requestId: string }, send: Send, make: (done: Done) => void): void {
    const { requestId } = request;
    const known = this.#made.get(requestId);
    if (known !== undefined) {
      if (isWaiting(known)) known.push(send);
      else send(known);
      return;
    }
    const waiting = [send];
    this.#made.set(requestId, waiting);
    try {
      make((answer) => {
        const reply = this.#replies.answer(request, answer);
        if ("outcome" in answer) this.#remember(requestId, reply);
        else this.#made.delete(requestId);
        for (const one of waiting) one(reply);
      });
    } catch (error) {
      this.#made.delete(requestId);
      throw error;
    }
  }

  #remember(requestId: string, reply: Message): void {
    this.#made.delete(requestId);
    this.#made.set(requestId, reply);
    for (const [id, made] of this.#made) {
      if (this.#made.size <= MAX_REMEMBERED) return;
      if (!isWaiting(made)) this.#made.delete(id);
    }
  }

  #hello(wanted: readonly string[] | undefined): Record<string, unknown> {
    const all = this.#capabilities;
    return {
      protocolVersion: PROTOCOL_VERSION,
      packageVersion: this.#options.packageVersion,
      instance: this.instance,
      capabilities: wanted === undefined ? all : all.filter((name) => wanted.includes(name)),
      limits: { maxHeaderBytes: MAX_HEADER_BYTES, maxHeaderDepth: MAX_HEADER_DEPTH, ...this.#limits },
    };
  }

  #ping(ids: readonly string[] | undefined): Record<string, unknown> {
    return ids === undefined ? {} : { lost: this.#book.renew(ids) };
  }

  /** What the server does, in numbers. */
  stats(): ServerStats {
    const { rss, heapUsed, external } = process.memoryUsage();
    const { sessionBytes, ...held } = this.#book.stats();
    return {
      ...this.#counters.describe(),
      ...held,
      jobs: this.#jobs?.numRunning ?? 0,
      memory: { residentBytes: rss, heapBytes: heapUsed, externalBytes: external, sessionBytes },
      workers: this.#threads?.stats() ?? [],
      ...(this.#options.transport === undefined ? {} : { transport: this.#options.transport() }),
    };
  }

  #ask(request: QuestionRequest, body: Uint8Array | undefined, done: Done): void {
    if (this.#threads !== undefined && (body?.length ?? 0) > MAX_INLINE_QUESTION_BYTES) {
      this.#threads.ask(request, body, done);
    } else {
      done(answerQuestion(request, body, this.#limits));
    }
  }
}

/** What every server's lanes can do. */
const LANE_CAPABILITIES = ["lookahead", "prompt", "snapshot", "restore", "fork"] as const;
const TAKES_BODY: ReadonlySet<string> = new Set(["score", "prompt", "verify", "evaluate"]);
/** A question with a longer body is answered in another thread, where there is one. */
const MAX_INLINE_QUESTION_BYTES = 16_384;

function readMessage(message: Message, { maxBodyBytes }: Limits): Record<string, unknown> {
  const refuse = (expected: string, got: string) =>
    new BridgeError("malformedMessage", { path: "message", expected, got });
  if (message.length < 1 || message.length > 2) {
    throw refuse("a header and at most one body", `${message.length} parts`);
  }
  const bodyBytes = message[1]?.length ?? 0;
  if (bodyBytes > maxBodyBytes) throw refuse(`a body of at most ${maxBodyBytes} bytes`, `${bodyBytes} bytes`);
  return decodeHeader(message[0]);
}

function isWaiting(made: Message | Send[]): made is Send[] {
  return typeof made[0] === "function";
}
