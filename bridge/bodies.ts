/** Bodies of session requests and replies: their layouts, what a reset or step brought, and look-aheads. */

import type { BatchEnv } from "../env/batch-env.js";
import { episodeStatsFields } from "../env/lane-player.js";
import { type ArraySpec, BridgeError, bodyBytes, makeLayout, readArray, writeArray } from "./protocol.js";
import type { RequestOf, SessionRequest } from "./requests.js";

/** What a request brought, for its reply. */
export interface Outcome {
  readonly result: Record<string, unknown>;
  readonly body?: Uint8Array;
}

/** Layouts of a session's bodies, for one group of lanes. */
export interface SessionLayouts {
  readonly resetRequest: ArraySpec[];
  readonly stepRequest: ArraySpec[];
  readonly maskRequest: ArraySpec[];
  readonly stepReply: ArraySpec[];
}

/** The layouts that `open` announces; docs/protocol.md describes the arrays. */
export function layoutsOf({ numLanes, observationSize, maxServers }: BatchEnv): SessionLayouts {
  return {
    resetRequest: makeLayout([
      { name: "seeds", dtype: "uint64", shape: [numLanes] },
      { name: "mask", dtype: "uint8", shape: [numLanes] },
    ]),
    stepRequest: makeLayout([{ name: "actions", dtype: "int32", shape: [numLanes] }]),
    maskRequest: makeLayout([{ name: "mask", dtype: "uint8", shape: [numLanes] }]),
    stepReply: makeLayout([
      { name: "observation", dtype: "float32", shape: [numLanes, observationSize] },
      { name: "reward", dtype: "float64", shape: [numLanes] },
      { name: "latencySlots", dtype: "float64", shape: [numLanes] },
      { name: "costSlots", dtype: "float64", shape: [numLanes] },
      { name: "episodeSeed", dtype: "uint64", shape: [numLanes] },
      { name: "executedAction", dtype: "int32", shape: [numLanes] },
      { name: "decisionIndex", dtype: "int32", shape: [numLanes] },
      { name: "slot", dtype: "int32", shape: [numLanes] },
      { name: "numServers", dtype: "int32", shape: [numLanes] },
      { name: "lostTasks", dtype: "int32", shape: [numLanes] },
      { name: "lostOnTimeTasks", dtype: "int32", shape: [numLanes] },
      { name: "flags", dtype: "uint8", shape: [numLanes] },
      { name: "actionMask", dtype: "uint8", shape: [numLanes, maxServers + 1] },
    ]),
  };
}

/** @throws BridgeError `invalidBody` unless the body is as long as its layout */
export function checkBody(body: Uint8Array | undefined, layout: ArraySpec[]): void {
  const expected = bodyBytes(layout);
  if (body?.length !== expected) {
    throw new BridgeError("invalidBody", {
      path: "body",
      expected: `${expected} bytes: ${layout.map((spec) => `${spec.name} ${spec.dtype}[${spec.shape.join(", ")}]`).join(", ")}`,
      got: body === undefined ? "no body" : `${body.length} bytes`,
    });
  }
}

export function checkNoBody(request: SessionRequest, body: Uint8Array | undefined): void {
  if (body !== undefined) {
    throw new BridgeError("invalidBody", {
      path: "body",
      expected: `no body with ${request.op}`,
      got: `${body.length} bytes`,
    });
  }
}

/** Seeds of a reset, NaN for the 2^64 − 1 that asks for the next episode: all bits are set in it alone. */
export function readSeeds(body: Uint8Array, spec: ArraySpec): Float64Array {
  const seeds = readArray(body, spec) as Float64Array;
  for (let i = 0; i < seeds.length; i++) {
    const at = spec.offset + 8 * i;
    if (body.subarray(at, at + 8).every((byte) => byte === 0xff)) seeds[i] = Number.NaN;
  }
  return seeds;
}

export function stepOutcome({ stepReply }: SessionLayouts, env: BatchEnv): Outcome {
  const { arrays } = env.lanes;
  const result: Record<string, unknown> = { numFinal: env.numFinal };
  let finalLayout: ArraySpec[] = [];
  const start = bodyBytes(stepReply);
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
    env.lostTasks,
    env.lostOnTimeTasks,
    env.flags,
    env.actionMask,
  ];
  for (const [i, spec] of stepReply.entries()) writeArray(body, spec, values[i]);
  const finals = [env.finalLane, env.finalStats, env.finalSlot, env.finalObservation];
  for (const [i, spec] of finalLayout.entries()) writeArray(body, spec, finals[i]);
  return { result, body };
}

/** Doubles that hold integers below 2^53, as little-endian uint64. */
export function toUint64(values: Float64Array): Int32Array {
  const words = new Int32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    words[2 * i] = values[i] % 4_294_967_296;
    words[2 * i + 1] = Math.floor(values[i] / 4_294_967_296);
  }
  return words;
}

/** Names of a look-ahead's arrays. */
const lookAheadNames = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;

/**
 * Look-aheads of the lanes from `firstLane` on, as many as a reply takes.
 *
 * @param actions one for each lane, whose figures alone are wanted; those of all actions where left out
 */
export function lookAheadOutcome(
  env: BatchEnv,
  request: RequestOf<"lookahead">,
  actions: Int32Array | undefined,
  maxReplyBytes: number,
): Outcome {
  const { v, op, session, epoch, group, seq, ack, firstLane = 0, ...options } = request;
  const width = actions === undefined ? env.maxServers + 1 : 1;
  const count = Math.min(env.numLanes - firstLane, Math.floor(maxReplyBytes / (lookAheadNames.length * 8 * width)));
  if (count < 1) {
    const expected = `a lane from 0 to ${env.numLanes - 1}`;
    throw new BridgeError("invalidRequest", { path: "/firstLane", expected, got: firstLane });
  }
  const shape = actions === undefined ? [count, width] : [count];
  const layout = makeLayout(lookAheadNames.map((name) => ({ name, dtype: "float64", shape })));
  const body = new Uint8Array(bodyBytes(layout));
  const columns = layout.map((spec) => new Float64Array(body.buffer, spec.offset, count * width).fill(Number.NaN));
  for (let i = 0; i < count; i++) {
    const values = env.lookAhead(firstLane + i, options);
    for (const [j, name] of lookAheadNames.entries()) {
      if (actions === undefined) columns[j].set(values[name], i * width);
      else columns[j][i] = values[name][actions[firstLane + i]] ?? Number.NaN;
    }
  }
  return { result: { layout, nextLane: firstLane + count }, body };
}
