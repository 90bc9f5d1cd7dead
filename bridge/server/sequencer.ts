/** The requests of sessions: each session's in order, every one carried out once, and their replies kept. */

import type { Done } from "../lanes/lane-handle.js";
import type { PolicyBook } from "../lanes/policy-provider.js";
import { checkWork } from "../lanes/stateless.js";
import { checkNoBody } from "../wire/array-layout.js";
import type { Limits } from "../wire/limits.js";
import { BridgeError } from "../wire/protocol.js";
import { echo, type LaneRequest, type RequestOf, type SequencedMessage } from "../wire/requests.js";
import { type Replies, successReply } from "./replies.js";
import { isHeavy, workOf } from "./request-cost.js";
import type { Message, Send, Sequence, SequenceEntry } from "./request-window.js";
import { bytesOf, letGo, type Session, type SessionBook } from "./sessions.js";
import type { Counters } from "./stats.js";

export interface SequencerOptions {
  readonly book: SessionBook;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly replies: Replies;
  readonly policies: PolicyBook | undefined;
}

export class Sequencer {
  readonly #book: SessionBook;
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #replies: Replies;
  readonly #policies: PolicyBook | undefined;

  constructor({ book, limits, counters, replies, policies }: SequencerOptions) {
    this.#book = book;
    this.#limits = limits;
    this.#counters = counters;
    this.#replies = replies;
    this.#policies = policies;
  }

  /**
   * Carries out a request when its turn has come, and gives it its reply.
   *
   * @throws BridgeError where it belongs to no session, or has no place there
   */
  handle(message: SequencedMessage, send: Send, startMs: number): void {
    const { header } = message;
    const session = this.#book.find(header.session);
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
    this.#book.checkQueue(session);
  }

  /** Sends a reply once more: a copy, for the first one may still be on its way in memory that is used again. */
  #sendAgain(session: Session, entry: SequenceEntry): void {
    const copy = (entry.reply as Message).map((part) => new Uint8Array(part));
    entry.numSent += 1;
    this.#counters.resent += 1;
    session.resentBytes += copy.reduce((sum, part) => sum + part.length, 0);
    entry.send(copy);
    this.#book.checkQueue(session);
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
        this.#settle(session, sequence, entry, this.#replies.error(echo(entry.header), error));
      }
      // it was closed, or given up for the reply
      if (!this.#book.has(session)) return;
    }
  }

  #execute(session: Session, sequence: Sequence, entry: SequenceEntry, request: LaneRequest): void {
    const { group } = entry.header;
    const work = workOf(session.options, request, this.#policies);
    checkWork(work, this.#limits);
    if (request.op === "fork" && request.layout === undefined) {
      this.#fork(session, sequence, entry, request);
      return;
    }
    if (isHeavy(work)) this.#book.moveOut(session);
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
      this.#settle(session, sequence, entry, this.#replies.answer(entry.header, answer));
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
      if (isKept) this.#book.checkQueue(session);
    }
    if (session.numExecuting === 0) session.onIdle?.();
  }

  #fork(session: Session, sequence: Sequence, entry: SequenceEntry, request: RequestOf<"fork">): void {
    checkNoBody("fork of a session", entry.body);
    if (request.group !== 0) {
      const expected = "fork of a session in group 0";
      throw new BridgeError("invalidRequest", { path: "/group", expected, got: request.group });
    }
    const done: Done = (answer) => this.#settle(session, sequence, entry, this.#replies.answer(entry.header, answer));
    this.#book.fork(session, done);
  }

  /** Ends a session once its lanes have answered; then what was held is answered too. */
  #close(session: Session, sequence: Sequence, entry: SequenceEntry): void {
    checkNoBody("close", entry.body);
    if (entry.header.group !== 0) {
      const expected = "close in group 0";
      throw new BridgeError("invalidRequest", { path: "/group", expected, got: entry.header.group });
    }
    this.#book.remove(session);
    const finish = () => {
      delete session.onIdle;
      this.#settle(session, sequence, entry, successReply(entry.header, { result: {} }));
      const expected = "an open session";
      const gone = new BridgeError("unknownSession", { path: "/session", expected, got: "a closed one" });
      for (const held of session.sequences.flatMap((one) => one.held())) {
        held.send(this.#replies.error(echo(held.header), gone));
      }
    };
    if (session.numExecuting === 0) finish();
    else session.onIdle = finish;
  }
}
