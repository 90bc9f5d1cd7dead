/** Carries out the requests of sessions: in order within a group, each exactly once, with replies that are kept. */

import type { PolicyProvider } from "../lanes/policy-provider.js";
import { checkWork, MAX_INLINE_WORK, workOf } from "../lanes/request-limits.js";
import { checkNoBody } from "../wire/array-layout.js";
import { BridgeError } from "../wire/protocol.js";
import type { LaneRequest, RequestOf, SequencedMessage } from "../wire/requests.js";
import type { Limits } from "./limits.js";
import { type Message, messageBytes, type Replies, type Send, successReply } from "./replies.js";
import type { RequestWindow, WindowEntry } from "./request-window.js";
import { releaseBuffer, type Session } from "./session.js";
import type { SessionRegistry } from "./session-registry.js";
import type { Counters } from "./stats.js";

export interface SequencerOptions {
  readonly sessions: SessionRegistry;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly replies: Replies;
  readonly policies: PolicyProvider | undefined;
}

export class Sequencer {
  readonly #sessions: SessionRegistry;
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #replies: Replies;
  readonly #policies: PolicyProvider | undefined;

  constructor({ sessions, limits, counters, replies, policies }: SequencerOptions) {
    this.#sessions = sessions;
    this.#limits = limits;
    this.#counters = counters;
    this.#replies = replies;
    this.#policies = policies;
  }

  /**
   * Carries out a request when its turn comes, and sends its reply.
   *
   * @throws BridgeError if it belongs to no session, or has no place in the session's sequence
   */
  handle(message: SequencedMessage, send: Send, startMs: number): void {
    const { header } = message;
    const session = this.#sessions.find(header.session);
    if (header.epoch !== session.epoch) {
      throw new BridgeError("staleEpoch", { path: "/epoch", expected: `epoch ${session.epoch}`, got: header.epoch });
    }
    const window = session.windows[header.group];
    if (window === undefined) {
      throw new BridgeError("invalidRequest", {
        path: "/group",
        expected: `a group from 0 to ${session.windows.length - 1}`,
        got: header.group,
      });
    }
    session.heardMs = startMs;
    const placed = window.place(message, send, startMs);
    if (placed.kind === "waiting") return;
    if (placed.kind === "answered") {
      this.#sendAgain(session, placed.entry);
      return;
    }
    session.keptBytes += message.body?.length ?? 0;
    this.#advance(session, window);
    this.#sessions.checkQueue(session);
  }

  /** Sends a copy of a reply: the first one may still be on its way, in memory that is used again. */
  #sendAgain(session: Session, entry: WindowEntry): void {
    const copy = (entry.reply as Message).map((part) => new Uint8Array(part));
    entry.numSent += 1;
    this.#counters.resent += 1;
    session.resentBytes += messageBytes(copy);
    entry.send(copy);
    this.#sessions.checkQueue(session);
  }

  /** Carries out every request whose turn has come. */
  #advance(session: Session, window: RequestWindow): void {
    for (let entry = window.take(); entry !== undefined; entry = window.take()) {
      try {
        if (entry.request === undefined) throw entry.refusal;
        if (entry.request.op === "close") {
          this.#close(session, window, entry);
        } else {
          this.#execute(session, window, entry, entry.request);
        }
      } catch (error) {
        this.#settle(session, window, entry, this.#replies.error(entry.header, error));
      }
      // the session was closed, or given up because of the reply
      if (!this.#sessions.has(session)) return;
    }
  }

  #execute(session: Session, window: RequestWindow, entry: WindowEntry, request: LaneRequest): void {
    const work = workOf(session.options, request, this.#policies);
    checkWork(work, this.#limits);
    if (work > MAX_INLINE_WORK) this.#sessions.moveOut(session);
    if (request.op === "fork" && request.layout === undefined) {
      this.#fork(session, window, entry, request);
      return;
    }
    const { handle } = session;
    session.numExecuting += 1;
    handle.execute(entry.header.group, request, entry.body, (answer) => {
      session.numExecuting -= 1;
      if ("outcome" in answer) {
        session.numBytes = answer.numBytes;
        if (request.op === "step") this.#counters.countSteps(session.options.numLanes / session.options.numGroups);
        const { buffer } = answer.outcome;
        if (buffer !== undefined) entry.buffer = { handle, index: buffer };
      }
      this.#settle(session, window, entry, this.#replies.answer(entry.header, answer));
    });
  }

  /** Sends a reply for the first time, and keeps it until it is acknowledged. */
  #settle(session: Session, window: RequestWindow, entry: WindowEntry, reply: Message): void {
    if (entry.reply === undefined) {
      entry.reply = reply;
      entry.numSent = 1;
      // a resume may have started new windows in the meantime
      const isKept = session.windows.includes(window);
      if (isKept) session.keptBytes += messageBytes(reply);
      else releaseBuffer(entry, false);
      window.noteAnswer();
      this.#counters.countReply(entry.startMs);
      entry.send(reply);
      if (isKept) this.#sessions.checkQueue(session);
    }
    if (session.numExecuting === 0) session.onIdle?.();
  }

  #fork(session: Session, window: RequestWindow, entry: WindowEntry, request: RequestOf<"fork">): void {
    checkWholeSession("fork of a session", request.group, entry.body);
    this.#sessions.fork(session, (answer) => {
      this.#settle(session, window, entry, this.#replies.answer(entry.header, answer));
    });
  }

  /** Ends a session once its lanes have answered everything. Then the held requests are refused. */
  #close(session: Session, window: RequestWindow, entry: WindowEntry): void {
    checkWholeSession("close", entry.header.group, entry.body);
    this.#sessions.remove(session);
    const finish = () => {
      session.onIdle = undefined;
      this.#settle(session, window, entry, successReply(entry.header, { result: {} }));
      const expected = "an open session";
      const closed = new BridgeError("unknownSession", { path: "/session", expected, got: "a closed one" });
      for (const held of session.held()) held.send(this.#replies.error(held.header, closed));
    };
    if (session.numExecuting === 0) finish();
    else session.onIdle = finish;
  }
}

/** Checks a request about a whole session: it has no body, and comes in group 0. */
function checkWholeSession(what: string, group: number, body: Uint8Array | undefined): void {
  checkNoBody(what, body);
  if (group === 0) return;
  throw new BridgeError("invalidRequest", { path: "/group", expected: `${what} in group 0`, got: group });
}
