/** Requests that read lanes and change nothing: look-aheads, prompts and snapshots, in pages if they are long. */

import { createHash } from "node:crypto";
import type { BatchEnv } from "../../env/batch/batch-env.js";
import { hashOfSnapshot } from "../../env/batch/snapshot.js";
import { asBytes, bodyBytes, checkBody, makeLayout, readArray } from "../wire/array-layout.js";
import { byteListArrays } from "../wire/byte-lists.js";
import { BridgeError } from "../wire/protocol.js";
import { bodyOf } from "../wire/reply-body.js";
import { checkAbsent, type RequestOf, type SequenceIds } from "../wire/requests.js";
import type { Outcome } from "./answer.js";
import type { Cancellation } from "./cancellation.js";
import { LanePrompts } from "./lane-prompts.js";
import { checkReplyBytes } from "./request-limits.js";
import type { SessionLayouts } from "./session-layouts.js";

/** What a query may see of its group. */
export interface QueriedGroup {
  readonly env: BatchEnv;
  readonly layouts: SessionLayouts;
  readonly maxReplyBytes: number;
  readonly cancellation: Cancellation;
}

/** The arrays of a look-ahead. */
const lookAheadNames = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;

/**
 * Look-aheads of the lanes from `firstLane` on, as many as fit in a reply: of all actions or, with a body, of one
 * action for each lane.
 */
export function lookAheadOutcome(
  { env, layouts, maxReplyBytes, cancellation }: QueriedGroup,
  request: RequestOf<"lookahead">,
  body: Uint8Array | undefined,
): Outcome {
  const { firstLane = 0, ...options } = withoutIds(request);
  const { stepRequest } = layouts;
  const actions =
    body === undefined ? undefined : (readArray(checkBody(body, stepRequest), stepRequest[0]) as Int32Array);
  const width = actions === undefined ? env.maxServers + 1 : 1;
  const fits = Math.floor(maxReplyBytes / (lookAheadNames.length * 8 * width + 8));
  const count = Math.min(env.numLanes - checkFirstLane(env, firstLane), Math.max(1, fits));
  const shape = actions === undefined ? [count, width] : [count];
  const layout = makeLayout(lookAheadNames.map((name) => ({ name, dtype: "float64", shape })));
  const reply = new Uint8Array(bodyBytes(layout));
  // what does not exist costs infinity, and is worth as little, so that the best of a row always exists
  const worst = lookAheadNames.map((name) => (name === "reward" ? -Infinity : Infinity));
  const columns = layout.map((spec, j) => new Float64Array(reply.buffer, spec.offset, count * width).fill(worst[j]));
  for (let i = 0; i < count; i++) {
    cancellation.check();
    const values = env.lookAhead(firstLane + i, options);
    for (const [j, name] of lookAheadNames.entries()) {
      if (actions === undefined) columns[j].set(values[name], i * width);
      else columns[j][i] = values[name][actions[firstLane + i]] ?? worst[j];
    }
  }
  return { result: { layout, nextLane: firstLane + count }, body: reply };
}

/** Prompts of the lanes of a mask from `firstLane` on, as many as fit in a reply. */
export function promptOutcome(
  group: QueriedGroup,
  request: RequestOf<"prompt"> & SequenceIds,
  body: Uint8Array | undefined,
): Outcome {
  const { firstLane = 0, scenario, layout: given, requestId: _, ...options } = withoutIds(request);
  checkAbsent({ scenario, layout: given }, "in a session");
  const prompts = new LanePrompts(group.env, options);
  const { lanes, pieces, nextLane } = collect(group, body, firstLane, (lane) => prompts.of(lane));
  const { layout, body: reply } = bodyOf([{ name: "lane", values: lanes }, ...byteListArrays("prompt", pieces)]);
  return { result: { layout, nextLane, system: prompts.system }, body: reply };
}

/** Snapshots of the lanes of a mask from `firstLane` on, as many as fit in a reply. */
export function snapshotOutcome(
  group: QueriedGroup,
  request: RequestOf<"snapshot">,
  body: Uint8Array | undefined,
): Outcome {
  const { firstLane = 0 } = request;
  const { lanes, pieces, nextLane } = collect(group, body, firstLane, (lane) => group.env.snapshot(lane));
  const hashes = new Uint8Array(8 * lanes.length);
  for (const [i, snapshot] of pieces.entries()) hashes.set(Buffer.from(hashOfSnapshot(snapshot), "hex"), 8 * i);
  const arrays = [
    { name: "lane", values: lanes },
    { name: "stateHash", values: hashes, shape: [lanes.length, 8] },
    ...byteListArrays("snapshot", pieces),
  ];
  const digest = createHash("sha256");
  for (const { values } of arrays) digest.update(asBytes(values));
  const { layout, body: reply } = bodyOf(arrays);
  return { result: { layout, nextLane, digest: digest.digest("hex") }, body: reply };
}

/** Most bytes that a reply takes for each lane in addition to its piece, and for itself. */
const BYTES_PER_LANE = 24;
const BYTES_PER_REPLY = 64;

/**
 * Pieces of the lanes of a mask from `firstLane` on, as many as fit in a reply. `nextLane` is the first lane left out.
 *
 * @throws BridgeError `replyTooLarge` if not even one lane fits
 */
function collect(
  { env, layouts, maxReplyBytes, cancellation }: QueriedGroup,
  body: Uint8Array | undefined,
  firstLane: number,
  pieceOf: (lane: number) => Uint8Array,
): { lanes: Int32Array; pieces: Uint8Array[]; nextLane: number } {
  const { maskRequest } = layouts;
  const mask = body === undefined ? undefined : (readArray(checkBody(body, maskRequest), maskRequest[0]) as Uint8Array);
  const lanes: number[] = [];
  const pieces: Uint8Array[] = [];
  let numBytes = BYTES_PER_REPLY;
  let lane = checkFirstLane(env, firstLane);
  for (; lane < env.numLanes; lane++) {
    if (mask?.[lane] === 0) continue;
    cancellation.check();
    const piece = pieceOf(lane);
    numBytes += piece.length + BYTES_PER_LANE;
    if (numBytes > maxReplyBytes && lanes.length > 0) break;
    checkReplyBytes(numBytes, { maxReplyBytes });
    lanes.push(lane);
    pieces.push(piece);
  }
  return { lanes: Int32Array.from(lanes), pieces, nextLane: lane };
}

function checkFirstLane({ numLanes }: BatchEnv, firstLane: number): number {
  if (firstLane < numLanes) return firstLane;
  const expected = `a lane from 0 to ${numLanes - 1}`;
  throw new BridgeError("invalidRequest", { path: "/firstLane", expected, got: firstLane });
}

/** The fields of a session's request other than its ids. */
function withoutIds<R extends SequenceIds>(request: R): Omit<R, keyof SequenceIds | "v" | "op"> {
  const { v, op, session, epoch, group, seq, ack, ...fields } = request as R & { v: string; op: string };
  return fields as Omit<R, keyof SequenceIds | "v" | "op">;
}
