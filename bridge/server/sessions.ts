/** The sessions of a server: opened, resumed, forked, leased, given up. */

import { randomBytes } from "node:crypto";
import { type Answer, type Done, InlineLanes, type LaneSeat } from "../lanes/lane-handle.js";
import type { PolicyBook } from "../lanes/policy-provider.js";
import type { LaneOptions } from "../lanes/session-lanes.js";
import type { LaneThreads } from "../lanes/thread-pool.js";
import type { Limits } from "../wire/limits.js";
import { BridgeError } from "../wire/protocol.js";
import { echo, type RequestOf } from "../wire/requests.js";
import { InstanceIds } from "../wire/session-ids.js";
import { laneOptionsOf } from "./open-request.js";
import type { Replies } from "./replies.js";
import { type Message, Sequence, type SequenceEntry } from "./request-window.js";
import type { Counters, ServerStats } from "./stats.js";

export interface Session {
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

/** How many lost sessions are remembered. */
const MAX_LOST = 1024;

export interface BookOptions {
  readonly limits: Limits;
  readonly counters: Counters;
  readonly replies: Replies;
  readonly report: (error: unknown) => void;
  readonly nowMs: () => number;
  readonly policies: PolicyBook | undefined;
  readonly threads: LaneThreads | undefined;
  /** Sessions whose groups have at most so many lanes stay in this thread. */
  readonly maxInlineLanes: number;
}

export class SessionBook {
  /** New with every start of a server, 32 hexadecimal digits. */
  readonly instance = randomBytes(16).toString("hex");
  readonly #options: BookOptions;
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #nowMs: () => number;
  readonly #ids = new InstanceIds();
  readonly #sessions = new Map<string, Session>();
  /** Sessions that were given up, and why. */
  readonly #lost = new Map<string, string>();

  constructor(options: BookOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#nowMs = options.nowMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Whether a session is still listed. */
  has(session: Session): boolean {
    return this.#sessions.get(session.id) === session;
  }

  /** Renews leases, and says which sessions are not there. */
  renew(ids: readonly string[]): string[] {
    const heardMs = this.#nowMs();
    for (const id of ids) {
      const session = this.#sessions.get(id);
      if (session !== undefined) session.heardMs = heardMs;
    }
    return ids.filter((id) => !this.#sessions.has(id));
  }

  /** What the sessions hold, in numbers. */
  stats(): Pick<ServerStats, "sessions" | "lanes" | "heldRequests" | "keptReplies" | "keptBytes"> & {
    readonly sessionBytes: number;
  } {
    const sum = (of: (session: Session) => number) =>
      [...this.#sessions.values()].reduce((total, session) => total + of(session), 0);
    const held = (session: Session) => session.sequences.reduce((n, one) => n + one.held().length, 0);
    const kept = (session: Session) => session.sequences.reduce((n, one) => n + [...one.entries()].length, 0);
    return {
      sessions: this.#sessions.size,
      lanes: sum(({ options }) => options.numLanes),
      heldRequests: sum(held),
      keptReplies: sum((session) => kept(session) - held(session)),
      keptBytes: sum(({ keptBytes }) => keptBytes),
      sessionBytes: sum(({ numBytes }) => numBytes),
    };
  }

  /** Gives up sessions whose lease is over. */
  reap(): void {
    const nowMs = this.#nowMs();
    for (const session of this.#sessions.values()) {
      if (nowMs - session.heardMs <= session.leaseMs) continue;
      this.#counters.reaped += 1;
      this.giveUp(session, "its lease ran out");
    }
  }

  open(request: RequestOf<"open">, done: Done): void {
    const options = laneOptionsOf(request, this.#limits);
    this.#checkRoom(options.numLanes);
    this.#seat(this.#ids.make(), 1, options, request, done, {});
  }

  resume(request: RequestOf<"resume">, done: Done): void {
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
      for (const entry of sequence.held()) entry.send(this.#options.replies.error(echo(entry.header), stale));
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
      const mostInline = isText ? this.#options.maxInlineLanes / 8 : this.#options.maxInlineLanes;
      // what counts is how long one step keeps the socket's thread
      if (this.#options.threads !== undefined && options.numLanes / options.numGroups > mostInline) {
        return this.#options.threads.open(options, undefined, take);
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

  /** Lists a copy of a session, which goes its own way from here on. */
  fork({ options, leaseMs, seat }: Session, done: Done): void {
    this.#checkRoom(options.numLanes);
    this.#list(this.#ids.make(), 1, options, leaseMs, (take) => seat.fork(take), done, {});
  }

  /** @throws BridgeError `sessionLost`, `staleEpoch`, `unknownSession` */
  find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) {
      if (!session.seat.isLost) return session;
      this.#counters.evictions += 1;
      this.giveUp(session, "its thread has ended");
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

  /** Takes a session's lanes to another thread, where this one would be busy with them for too long. */
  moveOut(session: Session): void {
    const { seat } = session;
    if (!(seat instanceof InlineLanes) || this.#options.threads === undefined) return;
    session.seat = this.#options.threads.open(session.options, seat.save(), (answer) => {
      if (!("outcome" in answer)) this.#options.report(answer.cause ?? answer.refusal.message);
    });
  }

  /** Gives up a session whose client does not take its replies. */
  checkQueue(session: Session): void {
    if (session.keptBytes + session.resentBytes <= this.#limits.maxQueuedBytes) return;
    if (!this.#sessions.has(session.id)) return;
    this.#counters.evictions += 1;
    this.giveUp(session, `its replies took more than ${this.#limits.maxQueuedBytes} bytes (maxQueuedBytes)`);
  }

  giveUp(session: Session, reason: string): void {
    this.#lost.set(session.id, reason);
    if (this.#lost.size > MAX_LOST) this.#lost.delete(this.#lost.keys().next().value as string);
    const lost = new BridgeError("sessionLost", { path: "/session", expected: "an open session", got: reason });
    const unanswered = session.sequences.flatMap((sequence) => sequence.unanswered());
    this.remove(session);
    for (const entry of unanswered) {
      entry.reply = this.#options.replies.error(echo(entry.header), lost);
      entry.send(entry.reply);
    }
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
    session.seat.close();
  }
}

/** Gives the memory of a reply back. */
export function letGo({ slot, header }: SequenceEntry, isReusable: boolean): void {
  slot?.seat.release(header.group, slot.index, isReusable);
}

export function bytesOf(message: Message): number {
  return message.reduce((sum, { length }) => sum + length, 0);
}

function bytesKept({ body, reply }: SequenceEntry): number {
  return (body?.length ?? 0) + (reply === undefined ? 0 : bytesOf(reply));
}
