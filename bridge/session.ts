/** The server without its socket: message in, messages out. Holds the sessions and keeps each one's requests in order. */

import { randomBytes } from "node:crypto";
import { BatchEnv } from "../env/batch-env.js";
import { MecgymError } from "../env/errors.js";
import { episodeStatsFields } from "../env/lane-player.js";
import { observationHeader, observationServerFields } from "../env/observation-rows.js";
import { listScenarios, resolveScenario, type ScenarioInput, scenarioHash } from "../env/scenario.js";
import {
  checkBody,
  checkNoBody,
  layoutsOf,
  lookAheadOutcome,
  type Outcome,
  readSeeds,
  type SessionLayouts,
  stepOutcome,
} from "./bodies.js";
import {
  BridgeError,
  decodeHeader,
  encodeHeader,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_HEADER_DEPTH,
  MAX_REPLY_BYTES,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  readArray,
  toReplyError,
} from "./protocol.js";
import {
  checkRequest,
  echo,
  hasSequence,
  isSameRequest,
  type RequestOf,
  type SequencedMessage,
  type SessionRequest,
  type StatelessRequest,
} from "./requests.js";

/** What a server bears; every limit is named in `hello`. */
export interface Limits {
  readonly maxSessions: number;
  /** Lanes of all sessions together. */
  readonly maxLanes: number;
  /** Requests a group may have unacknowledged. */
  readonly maxInFlight: number;
}

export const defaultLimits: Limits = { maxSessions: 256, maxLanes: 131_072, maxInFlight: 16 };

/** Parts of a message after the identity frame. */
export type Message = readonly Uint8Array[];

/** A request that waits for its turn, or has been answered and is not acknowledged yet. */
interface SequenceEntry extends SequencedMessage {
  reply: Message | undefined;
}

interface Group {
  readonly env: BatchEnv;
  /** Next sequence number to carry out. */
  nextSeq: number;
  /** Highest acknowledged sequence number. */
  acked: number;
  readonly entries: Map<number, SequenceEntry>;
}

interface Session {
  readonly id: string;
  readonly epoch: number;
  readonly numLanes: number;
  readonly groups: Group[];
  readonly layouts: SessionLayouts;
}

/** What this server can do beside the basic operations. */
const capabilities: readonly string[] = ["lookahead"];

/** How many answered `open` requests are remembered, so that a repeated one gets the session it made. */
const MAX_REMEMBERED_OPENS = 1024;

export class SessionHost {
  /** New with every start of a server, 32 hexadecimal digits. */
  readonly instance = randomBytes(16).toString("hex");
  readonly #limits: Limits;
  readonly #packageVersion: string;
  readonly #report: (error: unknown) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #opens = new Map<string, Message>();

  /** @param report is told of errors that are the server's own fault; their replies say no more than that */
  constructor(packageVersion: string, limits: Limits = defaultLimits, report: (error: unknown) => void = () => {}) {
    this.#packageVersion = packageVersion;
    this.#limits = limits;
    this.#report = report;
  }

  get numSessions(): number {
    return this.#sessions.size;
  }

  /** Answers a message. Gives its reply, and those of held requests whose turn it now is. Never throws. */
  handle(message: Message): Message[] {
    let header: Record<string, unknown>;
    try {
      if (message.length < 1 || message.length > 2) {
        throw new BridgeError("malformedMessage", {
          path: "message",
          expected: "a header and at most one body",
          got: `${message.length} parts`,
        });
      }
      header = decodeHeader(message[0]);
    } catch (error) {
      return [this.#errorReply({ v: PROTOCOL_VERSION, op: null, requestId: null }, error)];
    }
    let request: Request | undefined;
    let refusal: unknown;
    try {
      request = checkRequest(header);
    } catch (error) {
      refusal = error;
    }
    try {
      if (hasSequence(header)) return this.#handleInOrder({ header, request, refusal, body: message[1] });
      if (request === undefined) throw refusal;
      return [this.#handleStateless(request as StatelessRequest, message[1])];
    } catch (error) {
      return [this.#errorReply(echo(header), error)];
    }
  }

  #errorReply(ids: { v: string; op: string | null; requestId?: string | null }, error: unknown): Message {
    const replyError = toReplyError(error);
    if (replyError.code === "internalError") this.#report(error);
    return [encodeHeader({ ...ids, ok: false, error: replyError } as Reply)];
  }

  #handleStateless(request: StatelessRequest, body: Uint8Array | undefined): Message {
    if (body !== undefined) {
      throw new BridgeError("invalidBody", {
        path: "body",
        expected: `no body with ${request.op}`,
        got: `${body.length} bytes`,
      });
    }
    switch (request.op) {
      case "hello":
        return successReply(request, { result: this.#hello(request.capabilities) });
      case "ping": {
        const { sessions } = request;
        if (sessions === undefined) return successReply(request, { result: {} });
        return successReply(request, { result: { lost: sessions.filter((id) => !this.#sessions.has(id)) } });
      }
      case "scenarios":
        return successReply(request, { result: { scenarios: describeScenarios(request.scenario) } });
      case "open": {
        const known = this.#opens.get(request.requestId);
        if (known !== undefined) return known;
        const reply = successReply(request, { result: this.#open(request) });
        this.#opens.set(request.requestId, reply);
        if (this.#opens.size > MAX_REMEMBERED_OPENS) {
          this.#opens.delete(this.#opens.keys().next().value as string);
        }
        return reply;
      }
    }
  }

  #hello(wanted: readonly string[] | undefined): Record<string, unknown> {
    return {
      protocolVersion: PROTOCOL_VERSION,
      packageVersion: this.#packageVersion,
      instance: this.instance,
      capabilities: wanted === undefined ? capabilities : capabilities.filter((name) => wanted.includes(name)),
      limits: {
        maxHeaderBytes: MAX_HEADER_BYTES,
        maxHeaderDepth: MAX_HEADER_DEPTH,
        maxBodyBytes: MAX_BODY_BYTES,
        maxReplyBytes: MAX_REPLY_BYTES,
        ...this.#limits,
      },
    };
  }

  #open(request: RequestOf<"open">): Record<string, unknown> {
    const { numEnvs } = request;
    for (const name of ["observation", "leaseSeconds", "template", "perturbation", "instruction", "system"] as const) {
      if (request[name] === undefined || request[name] === "numeric") continue;
      const expected = "nothing: this server lacks the capability";
      throw new BridgeError("invalidRequest", { path: `/${name}`, expected, got: request[name] });
    }
    const numGroups = request.groups ?? 1;
    if (this.#sessions.size >= this.#limits.maxSessions) {
      throw new BridgeError("tooManySessions", {
        path: "session",
        expected: `at most ${this.#limits.maxSessions} sessions`,
        got: "one more",
      });
    }
    let lanes = numEnvs;
    for (const session of this.#sessions.values()) lanes += session.numLanes;
    if (lanes > this.#limits.maxLanes) {
      throw new BridgeError("tooManyLanes", {
        path: "numEnvs",
        expected: `at most ${this.#limits.maxLanes} lanes in all sessions together`,
        got: lanes,
      });
    }
    if (numEnvs % numGroups !== 0) {
      throw new BridgeError("invalidRequest", {
        path: "/groups",
        expected: `a divisor of numEnvs ${numEnvs}`,
        got: numGroups,
      });
    }
    if (request.laneScenario !== undefined && request.laneScenario.length !== numEnvs) {
      throw new BridgeError("invalidRequest", {
        path: "/laneScenario",
        expected: `${numEnvs} indices, one for each lane`,
        got: request.laneScenario.length,
      });
    }
    const scenarios = request.scenarios.map((scenario, i) => {
      try {
        return resolveScenario(scenario as string | ScenarioInput);
      } catch (error) {
        if (!(error instanceof MecgymError) || request.scenarios.length === 1) throw error;
        const path = `/scenarios/${i}${error.path.startsWith("/") ? error.path : ""}`;
        throw new MecgymError(error.code, { path, got: error.got, expected: error.expected });
      }
    });
    const perGroup = numEnvs / numGroups;
    const groups: Group[] = Array.from({ length: numGroups }, (_, g) => ({
      env: new BatchEnv({
        scenarios,
        numLanes: perGroup,
        autoreset: request.autoreset ?? "next-step",
        invalidActions: "costliest",
        history: request.history ?? false,
        split: request.split ?? "train",
        seed: request.seed ?? 0,
        firstLane: g * perGroup,
        ...(request.maxServers === undefined ? {} : { maxServers: request.maxServers }),
        ...(request.laneScenario === undefined
          ? {}
          : { laneScenario: request.laneScenario.slice(g * perGroup, (g + 1) * perGroup) }),
      }),
      nextSeq: 1,
      acked: 0,
      entries: new Map(),
    }));
    const { env } = groups[0];
    const session: Session = {
      id: randomBytes(16).toString("hex"),
      epoch: 1,
      numLanes: numEnvs,
      groups,
      layouts: layoutsOf(env),
    };
    this.#sessions.set(session.id, session);
    return {
      session: session.id,
      epoch: session.epoch,
      instance: this.instance,
      numEnvs,
      groups: numGroups,
      maxServers: env.maxServers,
      maxUsers: env.maxUsers,
      observationSize: env.observationSize,
      historySlots: env.historySlots,
      observationHeader,
      observationServerFields,
      episodeStatsFields,
      bytesPerLane: bytesPerLane(env),
      scenarios: scenarios.map((scenario) => ({ id: scenario.id, hash: scenarioHash(scenario), scenario })),
      layouts: session.layouts,
    };
  }

  #handleInOrder(message: SequencedMessage): Message[] {
    const { header, body } = message;
    const session = this.#sessions.get(header.session);
    if (session === undefined) {
      throw new BridgeError("unknownSession", { path: "/session", expected: "an open session", got: "another id" });
    }
    if (header.epoch !== session.epoch) {
      throw new BridgeError("staleEpoch", { path: "/epoch", expected: `epoch ${session.epoch}`, got: header.epoch });
    }
    const group = session.groups[header.group];
    if (group === undefined) {
      throw new BridgeError("invalidRequest", {
        path: "/group",
        expected: `a group from 0 to ${session.groups.length - 1}`,
        got: header.group,
      });
    }
    if (header.ack >= header.seq || header.ack >= group.nextSeq) {
      throw new BridgeError("invalidRequest", {
        path: "/ack",
        expected: `a number below seq and below ${group.nextSeq}, the next one to be carried out`,
        got: header.ack,
      });
    }
    for (; group.acked < header.ack; group.acked++) group.entries.delete(group.acked + 1);
    const { seq } = header;
    if (seq <= group.acked) {
      throw new BridgeError("staleSequence", {
        path: "/seq",
        expected: `more than ${group.acked}, which is acknowledged`,
        got: seq,
      });
    }
    const known = group.entries.get(seq);
    if (known !== undefined) {
      if (!isSameRequest(known, message)) {
        throw new BridgeError("sequenceConflict", {
          path: "/seq",
          expected: "the request sent before with this seq",
          got: "another one",
        });
      }
      return known.reply === undefined ? [] : [known.reply];
    }
    if (seq > group.acked + this.#limits.maxInFlight) {
      throw new BridgeError("windowExceeded", {
        path: "/seq",
        expected: `at most ${this.#limits.maxInFlight} beyond the acknowledged ${group.acked}`,
        got: seq,
      });
    }
    // the socket reuses its memory, and this may be compared with a repetition much later
    const kept = body === undefined ? undefined : Uint8Array.from(body);
    group.entries.set(seq, { ...message, body: kept, reply: undefined });
    return this.#carryOut(session, group);
  }

  /** Carries out every request whose turn it is. */
  #carryOut(session: Session, group: Group): Message[] {
    const replies: Message[] = [];
    for (;;) {
      const entry = group.entries.get(group.nextSeq);
      if (entry === undefined) return replies;
      group.nextSeq += 1;
      try {
        if (entry.request === undefined) throw entry.refusal;
        const request = entry.request as SessionRequest;
        entry.reply = successReply(request, this.#execute(session, group, request, entry.body));
      } catch (error) {
        entry.reply = this.#errorReply(echo(entry.header), error);
      }
      replies.push(entry.reply);
      if (!this.#sessions.has(session.id)) return [...replies, ...this.#answerHeld(session)];
    }
  }

  /** Answers what a closed session still held: every request gets its reply. */
  #answerHeld(session: Session): Message[] {
    const gone = new BridgeError("unknownSession", {
      path: "/session",
      expected: "an open session",
      got: "a closed one",
    });
    return session.groups.flatMap((group) =>
      [...group.entries.values()]
        .filter((entry) => entry.reply === undefined)
        .map((entry) => this.#errorReply(echo(entry.header), gone)),
    );
  }

  #execute(session: Session, group: Group, request: SessionRequest, body: Uint8Array | undefined): Outcome {
    switch (request.op) {
      case "reset": {
        if (body === undefined) group.env.reset();
        else {
          const [seedSpec, maskSpec] = session.layouts.resetRequest;
          checkBody(body, session.layouts.resetRequest);
          group.env.reset(readSeeds(body, seedSpec), readArray(body, maskSpec));
        }
        return stepOutcome(session.layouts, group.env);
      }
      case "step": {
        checkBody(body, session.layouts.stepRequest);
        group.env.step(readArray(body as Uint8Array, session.layouts.stepRequest[0]));
        return stepOutcome(session.layouts, group.env);
      }
      case "lookahead": {
        const { stepRequest } = session.layouts;
        if (body !== undefined) checkBody(body, stepRequest);
        const actions = body === undefined ? undefined : (readArray(body, stepRequest[0]) as Int32Array);
        return lookAheadOutcome(group.env, request, actions, MAX_REPLY_BYTES);
      }
      case "close":
        checkNoBody(request, body);
        if (request.group !== 0) {
          throw new BridgeError("invalidRequest", { path: "/group", expected: "close in group 0", got: request.group });
        }
        this.#sessions.delete(session.id);
        return { result: {} };
    }
  }
}

/** Memory of a lane's state and outputs as it was opened, bytes. */
function bytesPerLane(env: BatchEnv): number {
  const arrays = [...Object.values(env.lanes.arrays), ...Object.values(env)].filter(ArrayBuffer.isView);
  const bytes = arrays.reduce((sum, one) => sum + one.byteLength, env.lanes.tasks.numBytes);
  return Math.ceil(bytes / env.numLanes);
}

function successReply(request: Request, outcome: Outcome): Message {
  const header = encodeHeader({ ...echo(request), ok: true, result: outcome.result } as Reply);
  return outcome.body === undefined ? [header] : [header, outcome.body];
}

function describeScenarios(scenario: unknown): Record<string, unknown>[] {
  const list = scenario === undefined ? listScenarios() : [resolveScenario(scenario as string | ScenarioInput)];
  return list.map((one) => ({ id: one.id, description: one.description, hash: scenarioHash(one), scenario: one }));
}
