/** The sessions of a server: opened, resumed, forked, leased and given up. */

import { randomBytes } from "node:crypto";
import type { Answer, Done } from "../lanes/answer.js";
import { InlineLanes, type LaneHandle } from "../lanes/lane-handle.js";
import type { LaneOptions } from "../lanes/lane-options.js";
import type { PolicyProvider } from "../lanes/policy-provider.js";
import { isInlineSession } from "../lanes/request-limits.js";
import type { ThreadPool } from "../lanes/thread-pool.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";
import type { Limits } from "./limits.js";
import { laneOptionsOf, leaseMsOf } from "./open-request.js";
import type { Replies } from "./replies.js";
import { fingerprintOf, Session } from "./session.js";
import { InstanceIds } from "./session-ids.js";
import type { Counters, ServerStats } from "./stats.js";

/** How many sessions are remembered after they were given up. */
const MAX_LOST = 1024;

export interface RegistryOptions {
  readonly limits: Limits;
  readonly counters: Counters;
  readonly replies: Replies;
  readonly report: (error: unknown) => void;
  readonly nowMs: () => number;
  readonly policies: PolicyProvider | undefined;
  readonly threads: ThreadPool | undefined;
  /** Sessions whose groups have at most this many lanes stay in the socket's thread. */
  readonly maxInlineLanes: number;
}

/** What a new session consists of, besides its lanes. */
interface NewSession {
  readonly id: string;
  readonly epoch: number;
  readonly options: LaneOptions;
  readonly leaseMs: number;
  /** Fields of the reply that only some operations have. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export class SessionRegistry {
  /** New with every start of a server, 32 hexadecimal digits. */
  readonly instance = randomBytes(16).toString("hex");
  readonly #options: RegistryOptions;
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #nowMs: () => number;
  readonly #ids = new InstanceIds();
  readonly #sessions = new Map<string, Session>();
  /** Sessions that were given up, and why. */
  readonly #lost = new Map<string, string>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#nowMs = options.nowMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Whether a session is still open. */
  has(session: Session): boolean {
    return this.#sessions.get(session.id) === session;
  }

  /** @throws BridgeError `sessionLost`, `staleEpoch`, `unknownSession` */
  find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) {
      if (!session.handle.isLost) return session;
      this.#counters.evictions += 1;
      this.#giveUp(session, "its thread has ended");
    }
    const path = "/session";
    const reason = this.#lost.get(id);
    if (reason !== undefined) {
      throw new BridgeError("sessionLost", { path, expected: "an open session", got: `one given up: ${reason}` });
    }
    if (!this.#ids.isOwn(id)) {
      const expected = `a session of instance ${this.instance}`;
      throw new BridgeError("staleEpoch", { path, expected, got: "one of another run of the server" });
    }
    throw new BridgeError("unknownSession", { path, expected: "an open session", got: "another id" });
  }

  /** @throws what the options of the request are refused with, and `tooManySessions`, `tooManyLanes` */
  open(request: RequestOf<"open">, done: Done): void {
    const options = laneOptionsOf(request, this.#limits);
    this.#checkRoom(options.numLanes);
    const leaseMs = leaseMsOf(request, this.#limits);
    this.#add({ id: this.#ids.make(), epoch: 1, options, leaseMs }, this.#openLanes(options), done);
  }

  /** Starts a new epoch of a known session, or opens an unknown one under its old id. */
  resume(request: RequestOf<"resume">, done: Done): void {
    const options = laneOptionsOf(request, this.#limits);
    const known = this.#sessions.get(request.session);
    if (known !== undefined) {
      this.#restart(known, request, options, done);
      return;
    }
    this.#checkRoom(options.numLanes);
    const [id, epoch] = [request.session, request.epoch + 1];
    const leaseMs = leaseMsOf(request, this.#limits);
    this.#lost.delete(id);
    this.#add({ id, epoch, options, leaseMs, extra: { isFresh: true } }, this.#openLanes(options), done);
  }

  #restart(session: Session, request: RequestOf<"resume">, options: LaneOptions, done: Done): void {
    if (session.fingerprint !== fingerprintOf(options)) {
      const expected = "the fields this session was opened with";
      throw new BridgeError("invalidRequest", { path: "", expected, got: "others" });
    }
    const stale = new BridgeError("staleEpoch", {
      path: "/epoch",
      expected: "the epoch of a session that was not resumed since",
      got: session.epoch,
    });
    for (const entry of session.held()) entry.send(this.#options.replies.error(entry.header, stale));
    session.startEpoch(Math.max(session.epoch, request.epoch) + 1, this.#limits.maxInFlight);
    session.heardMs = this.#nowMs();
    const { id, epoch, description } = session;
    const result = { session: id, epoch, instance: this.instance, ...description, isFresh: false };
    done({ outcome: { result }, numBytes: 0 });
  }

  /** Opens a copy of a session, which is independent from then on. */
  fork({ options, leaseMs, handle }: Session, done: Done): void {
    this.#checkRoom(options.numLanes);
    this.#add({ id: this.#ids.make(), epoch: 1, options, leaseMs }, (take) => handle.fork(take), done);
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

  /** A function that opens lanes in the socket's thread, or in another if one step would block the socket too long. */
  #openLanes(options: LaneOptions): (take: Done) => LaneHandle {
    const { threads, policies, maxInlineLanes } = this.#options;
    const isText = options.prompts !== undefined;
    const maxLanes = isText ? maxInlineLanes / 8 : maxInlineLanes;
    const isInline = options.numLanes / options.numGroups <= maxLanes && isInlineSession(options);
    if (threads !== undefined && !isInline) {
      return (take) => threads.open(options, undefined, take);
    }
    return (take) => InlineLanes.open(options, policies, take);
  }

  /** Adds a session whose lanes `open` opens. Lanes in another thread answer later, and may still be refused. */
  #add({ id, epoch, options, leaseMs, extra }: NewSession, open: (take: Done) => LaneHandle, done: Done): void {
    let early: Answer | undefined;
    let session: Session | undefined;
    const take = (answer: Answer) => {
      if (session === undefined) {
        early = answer;
        return;
      }
      if (!("outcome" in answer)) {
        this.remove(session);
        done(answer);
        return;
      }
      const { result } = answer.outcome;
      session.description = result;
      session.numBytes = answer.numBytes;
      session.heardMs = this.#nowMs();
      const { instance } = this;
      done({ outcome: { result: { session: id, epoch, instance, ...result, ...extra } }, numBytes: answer.numBytes });
    };
    const handle = open(take);
    const { maxInFlight } = this.#limits;
    session = new Session({ id, epoch, options, leaseMs, handle, nowMs: this.#nowMs(), maxInFlight });
    // it counts from now on, even if its thread takes a while to open the lanes
    this.#sessions.set(id, session);
    if (early !== undefined) take(early);
  }

  /** Moves a session's lanes to another thread if there is one, so that they do not block the socket. */
  moveOut(session: Session): void {
    const { handle } = session;
    const { threads, report } = this.#options;
    if (!(handle instanceof InlineLanes) || threads === undefined) return;
    session.handle = threads.open(session.options, handle.save(), (answer) => {
      if (!("outcome" in answer)) report(answer.cause ?? answer.refusal.message);
    });
  }

  /** Gives up a session whose client does not fetch its replies. */
  checkQueue(session: Session): void {
    const { maxQueuedBytes } = this.#limits;
    if (session.queuedBytes <= maxQueuedBytes) return;
    if (!this.#sessions.has(session.id)) return;
    this.#counters.evictions += 1;
    this.#giveUp(session, `its replies took more than ${maxQueuedBytes} bytes (maxQueuedBytes)`);
  }

  /** Renews leases, and returns the ids of sessions that do not exist. */
  renew(ids: readonly string[]): string[] {
    const heardMs = this.#nowMs();
    for (const id of ids) {
      const session = this.#sessions.get(id);
      if (session !== undefined) session.heardMs = heardMs;
    }
    return ids.filter((id) => !this.#sessions.has(id));
  }

  /** Gives up sessions whose lease ran out. */
  reap(): void {
    const nowMs = this.#nowMs();
    for (const session of this.#sessions.values()) {
      if (nowMs - session.heardMs <= session.leaseMs) continue;
      this.#counters.reaped += 1;
      this.#giveUp(session, "its lease ran out");
    }
  }

  #giveUp(session: Session, reason: string): void {
    this.#lost.set(session.id, reason);
    if (this.#lost.size > MAX_LOST) this.#lost.delete(this.#lost.keys().next().value as string);
    const lost = new BridgeError("sessionLost", { path: "/session", expected: "an open session", got: reason });
    const unanswered = session.unanswered();
    this.remove(session);
    for (const entry of unanswered) {
      entry.reply = this.#options.replies.error(entry.header, lost);
      entry.send(entry.reply);
    }
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
    session.handle.close();
  }

  /** What the sessions hold, in numbers. */
  stats(): Pick<ServerStats, "sessions" | "lanes" | "heldRequests" | "keptReplies" | "keptBytes"> & {
    readonly sessionBytes: number;
  } {
    const stats = { lanes: 0, heldRequests: 0, keptReplies: 0, keptBytes: 0, sessionBytes: 0 };
    for (const session of this.#sessions.values()) {
      const numHeld = session.held().length;
      stats.lanes += session.options.numLanes;
      stats.heldRequests += numHeld;
      stats.keptReplies += session.numRequests - numHeld;
      stats.keptBytes += session.keptBytes;
      stats.sessionBytes += session.numBytes;
    }
    return { sessions: this.#sessions.size, ...stats };
  }
}
