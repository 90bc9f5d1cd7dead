/** The server without its socket: message in, messages out. Holds the sessions and keeps each one's requests in order. */

import { randomBytes } from "node:crypto";
import { BatchEnv, episodeStatsFields, observationHeader, observationServerFields } from "../env/batch-env.js";
import { MecgymError } from "../env/errors.js";
import { listScenarios, resolveScenario, type ScenarioInput, scenarioHash } from "../env/scenario.js";
import { findProblem } from "../schemas/validate.js";
import {
  type ArraySpec,
  BridgeError,
  bodyBytes,
  decodeHeader,
  encodeHeader,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_HEADER_DEPTH,
  majorOf,
  makeLayout,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  readArray,
  toReplyError,
  writeArray,
} from "./protocol.js";

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

type RequestOf<Op extends Request["op"]> = Extract<Request, { op: Op }>;
type SessionRequest = RequestOf<"reset" | "step" | "lookahead" | "close">;

interface Outcome {
  readonly result: Record<string, unknown>;
  readonly body?: Uint8Array;
}

/** A session request as it came: either understood, or refused for something other than its place in the sequence. */
interface SequencedMessage {
  readonly header: SequenceIds & Record<string, unknown>;
  readonly request: Request | undefined;
  readonly refusal: unknown;
  readonly body: Uint8Array | undefined;
}

type SequenceIds = Pick<SessionRequest, "session" | "epoch" | "group" | "seq" | "ack">;

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
  readonly resetLayout: ArraySpec[];
  readonly stepLayout: ArraySpec[];
  readonly replyLayout: ArraySpec[];
}

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
      return [this.#handleStateless(request as Exclude<Request, SessionRequest>, message[1])];
    } catch (error) {
      return [this.#errorReply(echo(header), error)];
    }
  }

  #errorReply(ids: { v: string; op: string | null; requestId?: string | null }, error: unknown): Message {
    const replyError = toReplyError(error);
    if (replyError.code === "internalError") this.#report(error);
    return [encodeHeader({ ...ids, ok: false, error: replyError } as Reply)];
  }

  #handleStateless(request: Exclude<Request, SessionRequest>, body: Uint8Array | undefined): Message {
    if (body !== undefined) {
      throw new BridgeError("invalidBody", {
        path: "body",
        expected: `no body with ${request.op}`,
        got: `${body.length} bytes`,
      });
    }
    switch (request.op) {
      case "hello":
        return successReply(request, { result: this.#hello() });
      case "ping":
        return successReply(request, { result: {} });
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

  #hello(): Record<string, unknown> {
    return {
      protocolVersion: PROTOCOL_VERSION,
      packageVersion: this.#packageVersion,
      instance: this.instance,
      capabilities: ["lookahead"],
      limits: {
        maxHeaderBytes: MAX_HEADER_BYTES,
        maxHeaderDepth: MAX_HEADER_DEPTH,
        maxBodyBytes: MAX_BODY_BYTES,
        ...this.#limits,
      },
    };
  }

  #open(request: RequestOf<"open">): Record<string, unknown> {
    const { numEnvs } = request;
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
      resetLayout: makeLayout([
        { name: "seeds", dtype: "uint64", shape: [perGroup] },
        { name: "mask", dtype: "uint8", shape: [perGroup] },
      ]),
      stepLayout: makeLayout([{ name: "actions", dtype: "int32", shape: [perGroup] }]),
      replyLayout: makeLayout([
        { name: "observation", dtype: "float32", shape: [perGroup, env.observationSize] },
        { name: "reward", dtype: "float64", shape: [perGroup] },
        { name: "latencySlots", dtype: "float64", shape: [perGroup] },
        { name: "costSlots", dtype: "float64", shape: [perGroup] },
        { name: "episodeSeed", dtype: "uint64", shape: [perGroup] },
        { name: "executedAction", dtype: "int32", shape: [perGroup] },
        { name: "decisionIndex", dtype: "int32", shape: [perGroup] },
        { name: "slot", dtype: "int32", shape: [perGroup] },
        { name: "numServers", dtype: "int32", shape: [perGroup] },
        { name: "flags", dtype: "uint8", shape: [perGroup] },
        { name: "actionMask", dtype: "uint8", shape: [perGroup, env.maxServers + 1] },
      ]),
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
      scenarios: scenarios.map((scenario) => ({ id: scenario.id, hash: scenarioHash(scenario), scenario })),
      layouts: {
        resetRequest: session.resetLayout,
        stepRequest: session.stepLayout,
        stepReply: session.replyLayout,
      },
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
          const [seedSpec, maskSpec] = session.resetLayout;
          checkBody(body, session.resetLayout);
          group.env.reset(readSeeds(body, seedSpec), readArray(body, maskSpec));
        }
        return stepOutcome(session, group.env);
      }
      case "step": {
        checkBody(body, session.stepLayout);
        group.env.step(readArray(body as Uint8Array, session.stepLayout[0]));
        return stepOutcome(session, group.env);
      }
      case "lookahead":
        checkNoBody(request, body);
        return lookAheadOutcome(group.env, request);
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

function checkRequest(header: Record<string, unknown>): Request {
  const { v, op } = header;
  if (typeof v === "string" && /^\d+\.\d+$/.test(v) && majorOf(v) !== majorOf(PROTOCOL_VERSION)) {
    throw new BridgeError("versionMismatch", {
      path: "/v",
      expected: `protocol version ${PROTOCOL_VERSION} or another of its major`,
      got: v,
    });
  }
  const problem = findProblem("request", header);
  if (problem !== undefined) {
    const isUnknown = problem.path === "" && !knownOperations.has(String(op));
    if (isUnknown) {
      throw new BridgeError("unknownOperation", {
        path: "/op",
        expected: `one of ${[...knownOperations].join(", ")}`,
        got: op,
      });
    }
    throw new BridgeError("invalidRequest", problem);
  }
  return header as unknown as Request;
}

const knownOperations = new Set(["hello", "ping", "scenarios", "open", "reset", "step", "lookahead", "close"]);

/** The ids of a request, for its reply: only those that have the right form. */
function echo(header: Record<string, unknown> | Request): Pick<Reply, "v" | "op"> {
  const { op, requestId, session, epoch, group, seq } = header as Record<string, unknown>;
  const ids: Record<string, unknown> = {
    v: PROTOCOL_VERSION,
    op: typeof op === "string" && op.length <= 64 ? op : null,
  };
  if (isId(session)) {
    ids.session = session;
    for (const [name, value] of Object.entries({ epoch, group, seq })) {
      if (Number.isSafeInteger(value) && (value as number) >= 0) ids[name] = value;
    }
  } else {
    ids.requestId = isId(requestId) ? requestId : null;
  }
  return ids as unknown as Pick<Reply, "v" | "op">;
}

/** Whether a header has its place in a sequence, whatever else is wrong with it: such a request uses up its number. */
function hasSequence(header: Record<string, unknown>): header is SequenceIds & Record<string, unknown> {
  const { v, session, epoch, group, seq, ack } = header;
  const isCount = (value: unknown, min: number) => Number.isSafeInteger(value) && (value as number) >= min;
  return (
    typeof v === "string" &&
    majorOf(v) === majorOf(PROTOCOL_VERSION) &&
    isId(session) &&
    isCount(epoch, 1) &&
    isCount(group, 0) &&
    isCount(seq, 1) &&
    isCount(ack, 0)
  );
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

function successReply(request: Request, outcome: Outcome): Message {
  const header = encodeHeader({ ...echo(request), ok: true, result: outcome.result } as Reply);
  return outcome.body === undefined ? [header] : [header, outcome.body];
}

function describeScenarios(scenario: unknown): Record<string, unknown>[] {
  const list = scenario === undefined ? listScenarios() : [resolveScenario(scenario as string | ScenarioInput)];
  return list.map((one) => ({ id: one.id, description: one.description, hash: scenarioHash(one), scenario: one }));
}

function isSameRequest(entry: SequencedMessage, message: SequencedMessage): boolean {
  const withoutAck = (header: SequenceIds) => encodeHeader({ ...header, ack: 0 } as unknown as Request);
  if (!withoutAck(entry.header).equals(withoutAck(message.header))) return false;
  if (entry.body === undefined || message.body === undefined) return entry.body === message.body;
  return Buffer.compare(entry.body, message.body) === 0;
}

function checkBody(body: Uint8Array | undefined, layout: ArraySpec[]): void {
  const expected = bodyBytes(layout);
  if (body?.length !== expected) {
    throw new BridgeError("invalidBody", {
      path: "body",
      expected: `${expected} bytes: ${layout.map((spec) => `${spec.name} ${spec.dtype}[${spec.shape.join(", ")}]`).join(", ")}`,
      got: body === undefined ? "no body" : `${body.length} bytes`,
    });
  }
}

function checkNoBody(request: SessionRequest, body: Uint8Array | undefined): void {
  if (body !== undefined) {
    throw new BridgeError("invalidBody", {
      path: "body",
      expected: `no body with ${request.op}`,
      got: `${body.length} bytes`,
    });
  }
}

/** Seeds of a reset, NaN for the 2^64 − 1 that asks for the next episode: all bits are set in it alone. */
function readSeeds(body: Uint8Array, spec: ArraySpec): Float64Array {
  const seeds = readArray(body, spec) as Float64Array;
  for (let i = 0; i < seeds.length; i++) {
    const at = spec.offset + 8 * i;
    if (body.subarray(at, at + 8).every((byte) => byte === 0xff)) seeds[i] = Number.NaN;
  }
  return seeds;
}

function stepOutcome(session: Session, env: BatchEnv): Outcome {
  const { replyLayout } = session;
  const { arrays } = env.lanes;
  const result: Record<string, unknown> = { numFinal: env.numFinal };
  let finalLayout: ArraySpec[] = [];
  const start = bodyBytes(replyLayout);
  if (env.numFinal > 0) {
    const k = env.numFinal;
    finalLayout = makeLayout(
      [
        { name: "finalLane", dtype: "int32" as const, shape: [k] },
        { name: "finalStats", dtype: "float64" as const, shape: [k, episodeStatsFields.length] },
        { name: "finalSlot", dtype: "int32" as const, shape: [k] },
        ...(env.autoreset === "same-step"
          ? [{ name: "finalObservation", dtype: "float32" as const, shape: [k, env.observationSize] }]
          : []),
      ],
      start,
    );
    result.finalLayout = finalLayout;
  }
  const body = new Uint8Array(env.numFinal > 0 ? bodyBytes(finalLayout) : start);
  const values = [
    env.observation,
    env.reward,
    env.latencySlots,
    env.costSlots,
    toUint64(arrays.episodeSeed),
    env.executedAction,
    arrays.decisionIndex,
    arrays.slot,
    arrays.numServers,
    env.flags,
    env.actionMask,
  ];
  for (const [i, spec] of replyLayout.entries()) writeArray(body, spec, values[i]);
  const finals = [env.finalLane, env.finalStats, env.finalSlot, env.finalObservation];
  for (const [i, spec] of finalLayout.entries()) writeArray(body, spec, finals[i]);
  return { result, body };
}

/** Doubles that hold integers below 2^53, as little-endian uint64. */
function toUint64(values: Float64Array): Int32Array {
  const words = new Int32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    words[2 * i] = values[i] % 4_294_967_296;
    words[2 * i + 1] = Math.floor(values[i] / 4_294_967_296);
  }
  return words;
}

function lookAheadOutcome(env: BatchEnv, request: RequestOf<"lookahead">): Outcome {
  const { v: _v, op: _op, session: _session, epoch: _epoch, group: _group, seq: _seq, ack: _ack, ...options } = request;
  const { numLanes } = env;
  const numActions = env.maxServers + 1;
  const names = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;
  const layout = makeLayout(names.map((name) => ({ name, dtype: "float64", shape: [numLanes, numActions] })));
  const body = new Uint8Array(bodyBytes(layout));
  const columns = layout.map((spec) =>
    new Float64Array(body.buffer, spec.offset, numLanes * numActions).fill(Number.NaN),
  );
  for (let lane = 0; lane < numLanes; lane++) {
    const values = env.lookAhead(lane, options);
    for (const [i, name] of names.entries()) columns[i].set(values[name], lane * numActions);
  }
  return { result: { layout }, body };
}
