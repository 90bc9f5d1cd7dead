/** The server without its socket: message in, messages out. Holds the sessions and keeps each one's requests in order. */

import { randomBytes } from "node:crypto";
import { checkNoBody, type Outcome } from "./bodies.js";
import { Counters, type ServerStats } from "./counters.js";
import { JobBoard, type JobBook } from "./jobs.js";
import { type Answer, answerQuestion, type Done, InlineLanes, type LaneSeat } from "./lane-host.js";
import { LaneThreads } from "./lane-threads.js";
import type { LaneOptions } from "./lanes.js";
import { defaultLimits, type Limits } from "./limits.js";
import { describeScenarios, laneOptionsOf } from "./opening.js";
import type { PolicyBook } from "./policy-book.js";
import {
  BridgeError,
  decodeHeader,
  encodeHeader,
  MAX_HEADER_BYTES,
  MAX_HEADER_DEPTH,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  toReplyError,
} from "./protocol.js";
import {
  basicOperations,
  checkRequest,
  echo,
  hasSequence,
  type JobRequest,
  type LaneRequest,
  type QuestionRequest,
  type RequestOf,
  type SequencedMessage,
  type StatelessRequest,
} from "./requests.js";
import { checkWork } from "./scoring.js";
import { type Message, type Send, Sequence, type SequenceEntry } from "./sequence.js";
import { InstanceIds } from "./session-ids.js";
import type { TrafficStats } from "./traffic.js";
import { isHeavy, workOf } from "./work.js";

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

interface Session {
  readonly id: string;
  epoch: number;
  readonly options: LaneOptions;
  /** What the session was opened with, to compare a resume with. */
  readonly fingerprint: string;
  readonly leaseMs: number;
  description: Readonly<Record<string, unknown>>;
  seat: LaneSeat;
  sequences: Sequence[];
  heardMs: number;
  numBytes: number;
  /** Bytes of requests and replies that are kept, and of replies sent again since the last acknowledgement. */
  keptBytes: number;
  resentBytes: number;
  /** Requests that the lanes have not answered yet. */
  numExecuting: number;
  onIdle?: () => void;
}

/** How many answered `open` requests are remembered, so that a repeated one gets the session it made; and lost sessions. */
const MAX_REMEMBERED = 1024;

export class SessionHost {
  /** New with every start of a server, 32 hexadecimal digits. */
  readonly instance = randomBytes(16).toString("hex");
  readonly #limits: Limits;
  readonly #options: HostOptions;
  readonly #report: (error: unknown) => void;
  readonly #nowMs: () => number;
  readonly #maxInlineLanes: number;
  readonly #threads: LaneThreads | undefined;
  readonly #jobs: JobBoard | undefined;
  readonly #capabilities: readonly string[];
  readonly #operations: ReadonlySet<string>;
  readonly #ids = new InstanceIds();
  readonly #sessions = new Map<string, Session>();
  /** Sessions that were given up, and why. */
  readonly #lost = new Map<string, string>();
  /** Requests that make something, by their id: a repeated one gets what the first one made. */
  readonly #made = new Map<string, Message | Send[]>();
  readonly #counters: Counters;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.#report = options.report ?? (() => {});
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#counters = new Counters(this.#nowMs);
    const { threads, jobs } = options;
    this.#threads =
      threads === undefined ? undefined : new LaneThreads({ ...threads, limits: this.#limits, report: this.#report });
    this.#maxInlineLanes = this.#threads === undefined ? Number.POSITIVE_INFINITY : (options.maxInlineLanes ?? 256);
    this.#jobs = jobs === undefined ? undefined : new JobBoard(jobs, this.#limits, this.#report, this.#nowMs);
    const long = jobs === undefined ? [] : [...jobs.operations];
    const policy = options.policies === undefined ? [] : ["policy"];
    this.#capabilities = [...LANE_CAPABILITIES, ...policy, "stats", "score", "resume", "text", ...long];
    const asking = jobs === undefined ? [] : ["job-status", "job-result", "cancel"];
    const operations = this.#capabilities.filter((name) => name !== "text");
    this.#operations = new Set([...basicOperations, ...operations, ...asking]);
  }

  get numSessions(): number {
    return this.#sessions.size;
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
      send(this.#errorReply({ v: PROTOCOL_VERSION, op: null, requestId: null }, error));
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
        this.#handleInOrder(sequenced, send, startMs);
      } else {
        if (request === undefined) throw refusal;
        this.#handleStateless(request as StatelessRequest, message[1], (reply) => {
          this.#counters.countReply(startMs);
          send(reply);
        });
      }
    } catch (error) {
      send(this.#errorReply(echo(header), error));
    }
  }

  /** Gives up sessions whose lease is over, and forgets old jobs. To be called now and then. */
  reap(): void {
    const { leaseSeconds } = this.#limits;
    const nowMs = this.#nowMs();
    for (const session of this.#sessions.values()) {
      if (nowMs - session.heardMs <= session.leaseMs) continue;
      this.#counters.reaped += 1;
      this.#giveUp(session, "its lease ran out");
    }
    if (leaseSeconds > 0) this.#jobs?.reap(leaseSeconds * 1000);
  }

  /** Ends its threads and jobs. */
  async close(): Promise<void> {
    this.#jobs?.close();
    await this.#threads?.close();
  }

  #errorReply(ids: object, error: unknown): Message {
    return this.#refusalReply(ids, toReplyError(error), error);
  }

  #refusalReply(ids: object, error: ReturnType<typeof toReplyError>, cause: unknown): Message {
    this.#counters.countError(error.code);
    if (error.code === "internalError") this.#report(cause);
    return [encodeHeader({ ...ids, ok: false, error } as Reply)];
  }

  #answerReply(header: Record<string, unknown> | Request, answer: Answer): Message {
    if ("outcome" in answer) return successReply(header, answer.outcome);
    return this.#refusalReply(echo(header), answer.refusal, answer.cause);
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
          if (request.op === "open") this.#open(request, answer);
          else this.#resume(request, answer);
        });
        return;
      case "score":
      case "prompt":
        this.#ask(request, body, (answer) => send(this.#answerReply(request, answer)));
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
        const reply = this.#answerReply(request, answer);
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
    if (ids === undefined) return {};
    const heardMs = this.#nowMs();
    for (const id of ids) {
      const session = this.#sessions.get(id);
      if (session !== undefined) session.heardMs = heardMs;
    }
    return { lost: ids.filter((id) => !this.#sessions.has(id)) };
  }

  /** What the server does, in numbers. */
  stats(): ServerStats {
    const sum = (of: (session: Session) => number) =>
      [...this.#sessions.values()].reduce((total, session) => total + of(session), 0);
    const { rss, heapUsed, external } = process.memoryUsage();
    const held = (session: Session) => session.sequences.reduce((n, one) => n + one.held().length, 0);
    const kept = (session: Session) => session.sequences.reduce((n, one) => n + [...one.entries()].length, 0);
    return {
      ...this.#counters.describe(),
      sessions: this.#sessions.size,
      lanes: sum(({ options }) => options.numLanes),
      jobs: this.#jobs?.numRunning ?? 0,
      heldRequests: sum(held),
      keptReplies: sum((session) => kept(session) - held(session)),
      keptBytes: sum(({ keptBytes }) => keptBytes),
      memory: {
        residentBytes: rss,
        heapBytes: heapUsed,
        externalBytes: external,
        sessionBytes: sum(({ numBytes }) => numBytes),
      },
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

  #open(request: RequestOf<"open">, done: Done): void {
    const options = laneOptionsOf(request, this.#limits);
    this.#checkRoom(options.numLanes);
    this.#seat(this.#ids.make(), 1, options, request, done, {});
  }

  #resume(request: RequestOf<"resume">, done: Done): void {
    const options = laneOptionsOf(request, this.#limits);
    const known = this.#sessions.get(request.session);
    if (known === undefined) {
      this.#checkRoom(options.numLanes);
      this.#lost.delete(request.session);
      this.#seat(request.session, request.epoch + 1, options, request, done, { isFresh: true });
      return;
    }
    if (known.fingerprint !== JSON.stringify(options)) {
      const expected = "the fields this session was opened with";
      throw new BridgeError("invalidRequest", { path: "", expected, got: "others" });
    }
    const stale = new BridgeError("staleEpoch", {
      path: "/epoch",
      expected: "the epoch of a session that was not resumed since",
      got: known.epoch,
    });
    for (const sequence of known.sequences) {
      for (const entry of sequence.held()) entry.send(this.#errorReply(echo(entry.header), stale));
      for (const entry of sequence.entries()) letGo(entry, false);
    }
    known.epoch = Math.max(known.epoch, request.epoch) + 1;
    known.keptBytes = 0;
    known.resentBytes = 0;
    known.sequences = this.#sequences(known);
    known.heardMs = this.#nowMs();
    const { id: session, epoch, description } = known;
    const { instance } = this;
    done({ outcome: { result: { session, epoch, instance, ...description, isFresh: false } }, numBytes: 0 });
  }

  /** @throws BridgeError `tooManySessions`, `tooManyLanes` */
  #checkRoom(numLanes: number): void {
    const { maxSessions, maxLanes } = this.#limits;
    if (this.#sessions.size >= maxSessions) {
      const expected = `at most ${maxSessions} sessions`;
      throw new BridgeError("tooManySessions", { path: "session", expected, got: "one more" });
    }
    let lanes = numLanes;
    for (const session of this.#sessions.values()) lanes += session.options.numLanes;
    if (lanes <= maxLanes) return;
    const expected = `at most ${maxLanes} lanes in all sessions together`;
    throw new BridgeError("tooManyLanes", { path: "numEnvs", expected, got: lanes });
  }

  /** Puts a session's lanes where they belong, and lists it once they are there. */
  #seat(
    id: string,
    epoch: number,
    options: LaneOptions,
    request: RequestOf<"open"> | RequestOf<"resume">,
    done: Done,
    more: Record<string, unknown>,
  ): void {
    const seatIn = (take: Done): LaneSeat => {
      const isText = options.prompts !== undefined;
      const mostInline = isText ? this.#maxInlineLanes / 8 : this.#maxInlineLanes;
      // what counts is how long one step keeps the socket's thread
      if (this.#threads !== undefined && options.numLanes / options.numGroups > mostInline) {
        return this.#threads.open(options, undefined, take);
      }
      const { seat, answer } = InlineLanes.open(options, this.#options.policies);
      take(answer);
      return seat;
    };
    this.#list(id, epoch, options, this.#leaseMs(request.leaseSeconds), seatIn, done, more);
  }

  #leaseMs(leaseSeconds: number | undefined): number {
    const most = this.#limits.leaseSeconds;
    if (leaseSeconds !== undefined && most > 0 && leaseSeconds > most) {
      const expected = `at most ${most} seconds (leaseSeconds)`;
      throw new BridgeError("invalidRequest", { path: "/leaseSeconds", expected, got: leaseSeconds });
    }
    const seconds = leaseSeconds ?? most;
    return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
  }

  #list(
    id: string,
    epoch: number,
    options: LaneOptions,
    leaseMs: number,
    seatIn: (take: Done) => LaneSeat,
    done: Done,
    more: Record<string, unknown>,
  ): void {
    const { instance } = this;
    const fingerprint = JSON.stringify(options);
    let early: Answer | undefined;
    let session: Session | undefined;
    const take = (answer: Answer) => {
      if (session === undefined) {
        early = answer;
        return;
      }
      if (!("outcome" in answer)) {
        this.#sessions.delete(id);
        session.seat.close();
        done(answer);
        return;
      }
      session.description = answer.outcome.result;
      session.numBytes = answer.numBytes;
      session.heardMs = this.#nowMs();
      const result = { session: id, epoch, instance, ...answer.outcome.result, ...more };
      done({ outcome: { result }, numBytes: answer.numBytes });
    };
    const seat = seatIn(take);
    session = {
      ...{ id, epoch, options, fingerprint, leaseMs, seat },
      description: {},
      sequences: [],
      heardMs: this.#nowMs(),
      ...{ numBytes: 0, keptBytes: 0, resentBytes: 0, numExecuting: 0 },
    };
    session.sequences = this.#sequences(session);
    // it counts from now on: a thread may take its time to open it
    this.#sessions.set(id, session);
    if (early !== undefined) take(early);
  }

  #sequences(session: Session): Sequence[] {
    const { maxInFlight } = this.#limits;
    return Array.from({ length: session.options.numGroups }, () => {
      return new Sequence(maxInFlight, (entry) => {
        session.resentBytes = 0;
        session.keptBytes -= bytesKept(entry);
        // what was sent twice may still be on its way once
        letGo(entry, entry.numSent === 1);
      });
    });
  }

  #handleInOrder(message: SequencedMessage, send: Send, startMs: number): void {
    const { header } = message;
    const session = this.#find(header.session);
    if (header.epoch !== session.epoch) {
      throw new BridgeError("staleEpoch", { path: "/epoch", expected: `epoch ${session.epoch}`, got: header.epoch });
    }
    const sequence = session.sequences[header.group];
    if (sequence === undefined) {
      throw new BridgeError("invalidRequest", {
        path: "/group",
        expected: `a group from 0 to ${session.sequences.length - 1}`,
        got: header.group,
      });
    }
    session.heardMs = startMs;
    const placed = sequence.place(message, send, startMs);
    if (placed.kind === "waiting") return;
    if (placed.kind === "answered") {
      this.#sendAgain(session, placed.entry);
      return;
    }
    session.keptBytes += message.body?.length ?? 0;
    this.#carryOut(session, sequence);
    this.#checkQueue(session);
  }

  /** @throws BridgeError `sessionLost`, `staleEpoch`, `unknownSession` */
  #find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) {
      if (!session.seat.isLost) return session;
      this.#counters.evictions += 1;
      this.#giveUp(session, "its thread has ended");
    }
    const reason = this.#lost.get(id);
    if (reason !== undefined) {
      throw new BridgeError("sessionLost", {
        path: "/session",
        expected: "an open session",
        got: `one given up: ${reason}`,
      });
    }
    if (!this.#ids.isOwn(id)) {
      const expected = `a session of instance ${this.instance}`;
      throw new BridgeError("staleEpoch", { path: "/session", expected, got: "one of another run of the server" });
    }
    throw new BridgeError("unknownSession", { path: "/session", expected: "an open session", got: "another id" });
  }

  /** Sends a reply once more: a copy, for the first one may still be on its way in memory that is used again. */
  #sendAgain(session: Session, entry: SequenceEntry): void {
    const copy = (entry.reply as Message).map((part) => new Uint8Array(part));
    entry.numSent += 1;
    this.#counters.resent += 1;
    session.resentBytes += copy.reduce((sum, part) => sum + part.length, 0);
    entry.send(copy);
    this.#checkQueue(session);
  }

  /** Gives up a session whose client does not take its replies. */
  #checkQueue(session: Session): void {
    if (session.keptBytes + session.resentBytes <= this.#limits.maxQueuedBytes) return;
    if (!this.#sessions.has(session.id)) return;
    this.#counters.evictions += 1;
    this.#giveUp(session, `its replies took more than ${this.#limits.maxQueuedBytes} bytes (maxQueuedBytes)`);
  }

  #giveUp(session: Session, reason: string): void {
    this.#lost.set(session.id, reason);
    if (this.#lost.size > MAX_REMEMBERED) this.#lost.delete(this.#lost.keys().next().value as string);
    const lost = new BridgeError("sessionLost", { path: "/session", expected: "an open session", got: reason });
    const unanswered = session.sequences.flatMap((sequence) => sequence.unanswered());
    this.#remove(session);
    for (const entry of unanswered) {
      entry.reply = this.#errorReply(echo(entry.header), lost);
      entry.send(entry.reply);
    }
  }

  #remove(session: Session): void {
    this.#sessions.delete(session.id);
    session.seat.close();
  }

  /** Carries out every request whose turn it is. */
  #carryOut(session: Session, sequence: Sequence): void {
    for (let entry = sequence.take(); entry !== undefined; entry = sequence.take()) {
      try {
        if (entry.request === undefined) throw entry.refusal;
        if (entry.request.op === "close") {
          this.#close(session, sequence, entry);
        } else {
          this.#execute(session, sequence, entry, entry.request);
        }
      } catch (error) {
        this.#settle(session, sequence, entry, this.#errorReply(echo(entry.header), error));
      }
      // it was closed, or given up for the reply
      if (this.#sessions.get(session.id) !== session) return;
    }
  }

  #execute(session: Session, sequence: Sequence, entry: SequenceEntry, request: LaneRequest): void {
    const { group } = entry.header;
    const work = workOf(session.options, request, this.#options.policies);
    checkWork(work, this.#limits);
    if (request.op === "fork" && request.layout === undefined) {
      this.#fork(session, sequence, entry, request);
      return;
    }
    if (isHeavy(work)) this.#moveOut(session);
    const { seat } = session;
    session.numExecuting += 1;
    seat.execute(group, request, entry.body, (answer) => {
      session.numExecuting -= 1;
      if ("outcome" in answer) {
        session.numBytes = answer.numBytes;
        if (request.op === "step") this.#counters.countSteps(session.options.numLanes / session.options.numGroups);
        const { slot } = answer.outcome;
        if (slot !== undefined) entry.slot = { seat, index: slot };
      }
      this.#settle(session, sequence, entry, this.#answerReply(entry.header, answer));
    });
  }

  /** Takes a session's lanes to another thread, where this one would be busy with them for too long. */
  #moveOut(session: Session): void {
    const { seat } = session;
    if (!(seat instanceof InlineLanes) || this.#threads === undefined) return;
    session.seat = this.#threads.open(session.options, seat.save(), (answer) => {
      if (!("outcome" in answer)) this.#report(answer.cause ?? answer.refusal.message);
    });
  }

  /** Sends a reply for the first time, and keeps it. */
  #settle(session: Session, sequence: Sequence, entry: SequenceEntry, reply: Message): void {
    if (entry.reply === undefined) {
      entry.reply = reply;
      entry.numSent = 1;
      const isKept = session.sequences.includes(sequence);
      if (isKept) session.keptBytes += bytesOf(reply);
      else letGo(entry, false);
      sequence.noteAnswer();
      this.#counters.countReply(entry.startMs);
      entry.send(reply);
      if (isKept) this.#checkQueue(session);
    }
    if (session.numExecuting === 0) session.onIdle?.();
  }

  #fork(session: Session, sequence: Sequence, entry: SequenceEntry, request: RequestOf<"fork">): void {
    checkNoBody("fork of a session", entry.body);
    if (request.group !== 0) {
      const expected = "fork of a session in group 0";
      throw new BridgeError("invalidRequest", { path: "/group", expected, got: request.group });
    }
    const { options, leaseMs } = session;
    this.#checkRoom(options.numLanes);
    const done: Done = (answer) => this.#settle(session, sequence, entry, this.#answerReply(entry.header, answer));
    this.#list(this.#ids.make(), 1, options, leaseMs, (take) => session.seat.fork(take), done, {});
  }

  /** Ends a session once its lanes have answered; then what was held is answered too. */
  #close(session: Session, sequence: Sequence, entry: SequenceEntry): void {
    checkNoBody("close", entry.body);
    if (entry.header.group !== 0) {
      const expected = "close in group 0";
      throw new BridgeError("invalidRequest", { path: "/group", expected, got: entry.header.group });
    }
    this.#remove(session);
    const finish = () => {
      delete session.onIdle;
      this.#settle(session, sequence, entry, successReply(entry.header, { result: {} }));
      const expected = "an open session";
      const gone = new BridgeError("unknownSession", { path: "/session", expected, got: "a closed one" });
      for (const held of session.sequences.flatMap((one) => one.held())) {
        held.send(this.#errorReply(echo(held.header), gone));
      }
    };
    if (session.numExecuting === 0) finish();
    else session.onIdle = finish;
  }
}

/** What every server's lanes can do. */
const LANE_CAPABILITIES = ["lookahead", "prompt", "snapshot", "restore", "fork"] as const;
const TAKES_BODY: ReadonlySet<string> = new Set(["score", "prompt", "verify"]);
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

function successReply(request: Record<string, unknown> | Request, outcome: Outcome): Message {
  const reply = echo(request) as Record<string, unknown>;
  reply.ok = true;
  reply.result = outcome.result;
  const header = encodeHeader(reply as unknown as Reply);
  return outcome.body === undefined ? [header] : [header, outcome.body];
}

/** Gives the memory of a reply back. */
function letGo({ slot, header }: SequenceEntry, isReusable: boolean): void {
  slot?.seat.release(header.group, slot.index, isReusable);
}

function bytesOf(message: Message): number {
  return message.reduce((sum, { length }) => sum + length, 0);
}

function bytesKept({ body, reply }: SequenceEntry): number {
  return (body?.length ?? 0) + (reply === undefined ? 0 : bytesOf(reply));
}

function isWaiting(made: Message | Send[]): made is Send[] {
  return typeof made[0] === "function";
}
