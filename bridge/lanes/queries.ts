/** Questions about lanes, which change nothing: look-aheads, prompts and snapshots, in pages where they are long. */

import { createHash } from "node:crypto";
import type { BatchEnv } from "../../env/batch/batch-env.js";
import { LaneView } from "../../env/batch/observation.js";
import { hashOfSnapshot } from "../../env/batch/snapshot.js";
import { PHASE_UNUSED } from "../../env/core/phases.js";
import { MecgymError } from "../../env/errors.js";
import { type PromptOptions, renderPrompt } from "../../env/language/prompt.js";
import { bodyOf, checkBody, joinPieces, type Outcome, type SessionLayouts } from "../wire/array-layout.js";
import { BridgeError, bodyBytes, makeLayout, readArray } from "../wire/protocol.js";
import type { RequestOf, SequenceIds } from "../wire/requests.js";

/** Names of a look-ahead's arrays. */
const lookAheadNames = ["latencySlots", "costSlots", "impactSlots", "reward"] as const;

const utf8 = new TextEncoder();

/**
 * Look-aheads of the lanes from `firstLane` on, as many as a reply takes: of all actions, or, with a body, of one
 * action for each lane.
 */
export function lookAheadOutcome(
  env: BatchEnv,
  layouts: SessionLayouts,
  request: RequestOf<"lookahead">,
  body: Uint8Array | undefined,
  maxReplyBytes: number,
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
  const columns = layout.map((spec) => new Float64Array(reply.buffer, spec.offset, count * width).fill(Number.NaN));
  for (let i = 0; i < count; i++) {
    const values = env.lookAhead(firstLane + i, options);
    for (const [j, name] of lookAheadNames.entries()) {
      if (actions === undefined) columns[j].set(values[name], i * width);
      else columns[j][i] = values[name][actions[firstLane + i]] ?? Number.NaN;
    }
  }
  return { result: { layout, nextLane: firstLane + count }, body: reply };
}

/** Prompts of the wanted lanes from `firstLane` on, as many as a reply takes. */
export function promptOutcome(
  env: BatchEnv,
  layouts: SessionLayouts,
  request: RequestOf<"prompt"> & SequenceIds,
  body: Uint8Array | undefined,
  maxReplyBytes: number,
): Outcome {
  const { firstLane = 0, scenario, layout: given, requestId: _, ...options } = withoutIds(request);
  for (const [name, value] of Object.entries({ scenario, layout: given })) {
    if (value === undefined) continue;
    throw new BridgeError("invalidRequest", { path: `/${name}`, expected: "nothing, in a session", got: value });
  }
  const prompts = new LanePrompts(env, options);
  const { lanes, pieces, nextLane } = collect(env, layouts, body, firstLane, maxReplyBytes, (lane) => prompts.of(lane));
  const { offsets, bytes } = joinPieces(pieces);
  const { layout, body: reply } = bodyOf([
    { name: "lane", values: lanes },
    { name: "promptOffsets", values: offsets },
    { name: "promptBytes", values: bytes },
  ]);
  return { result: { layout, nextLane, system: prompts.system }, body: reply };
}

/** The prompts of a batch's lanes, as UTF-8. */
export class LanePrompts {
  readonly #env: BatchEnv;
  readonly #options: PromptOptions;
  readonly #views: (LaneView | undefined)[] = [];
  #system: string | null = null;

  constructor(env: BatchEnv, options: PromptOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** The system message that comes with the prompts so far; null for none. */
  get system(): string | null {
    return this.#system;
  }

  /** @throws MecgymError `needsReset`, `unsupportedState`, `invalidOption` */
  of(lane: number): Uint8Array {
    const { lanes } = this.#env;
    if (lanes.phaseOf(lane) === PHASE_UNUSED) {
      const got = "a lane before its first reset";
      throw new MecgymError("needsReset", { path: `lanes/${lane}`, got, expected: "a reset first" });
    }
    this.#views[lane] ??= new LaneView(lanes, lane);
    const prompt = renderPrompt(this.#views[lane], { seed: lanes.episodeSeedOf(lane), ...this.#options });
    this.#system = prompt.system;
    return utf8.encode(prompt.user);
  }
}

/** Snapshots of the wanted lanes from `firstLane` on, as many as a reply takes. */
export function snapshotOutcome(
  env: BatchEnv,
  layouts: SessionLayouts,
  request: RequestOf<"snapshot">,
  body: Uint8Array | undefined,
  maxReplyBytes: number,
): Outcome {
  const { firstLane = 0 } = request;
  const { lanes, pieces, nextLane } = collect(env, layouts, body, firstLane, maxReplyBytes, (lane) =>
    env.snapshot(lane),
  );
  const hashes = new Uint8Array(8 * lanes.length);
  for (const [i, snapshot] of pieces.entries()) hashes.set(hexBytes(hashOfSnapshot(snapshot)), 8 * i);
  const { offsets, bytes } = joinPieces(pieces);
  const arrays = [
    { name: "lane", values: lanes },
    { name: "stateHash", values: hashes, shape: [lanes.length, 8] },
    { name: "snapshotOffsets", values: offsets },
    { name: "snapshotBytes", values: bytes },
  ];
  const digest = createHash("sha256");
  for (const { values } of arrays) digest.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const { layout, body: reply } = bodyOf(arrays);
  return { result: { layout, nextLane, digest: digest.digest("hex") }, body: reply };
}

/** Bytes that a lane takes in a reply beside its piece, and that a reply takes beside its lanes, at most. */
const BYTES_PER_LANE = 24;
const BYTES_PER_REPLY = 64;

/**
 * Pieces of the lanes of a mask, from `firstLane` on, as many as a reply takes; `nextLane` is the first one left out.
 *
 * @throws BridgeError `replyTooLarge` where one lane alone does not fit
 */
function collect(
  env: BatchEnv,
  { maskRequest }: SessionLayouts,
  body: Uint8Array | undefined,
  firstLane: number,
  maxReplyBytes: number,
  pieceOf: (lane: number) => Uint8Array,
): { lanes: Int32Array; pieces: Uint8Array[]; nextLane: number } {
  const mask = body === undefined ? undefined : (readArray(checkBody(body, maskRequest), maskRequest[0]) as Uint8Array);
  const lanes: number[] = [];
  const pieces: Uint8Array[] = [];
  let left = maxReplyBytes - BYTES_PER_REPLY;
  let lane = checkFirstLane(env, firstLane);
  for (; lane < env.numLanes; lane++) {
    if (mask?.[lane] === 0) continue;
    const piece = pieceOf(lane);
    left -= piece.length + BYTES_PER_LANE;
    if (left < 0 && lanes.length > 0) break;
    if (left < 0) throw tooLarge(maxReplyBytes, piece.length);
    lanes.push(lane);
    pieces.push(piece);
  }
  return { lanes: Int32Array.from(lanes), pieces, nextLane: lane };
}

/** A reply that does not fit, and comes in no pages. */
export function tooLarge(maxReplyBytes: number, bytes: number): BridgeError {
  const expected = `a reply of at most ${maxReplyBytes} bytes (maxReplyBytes)`;
  return new BridgeError("replyTooLarge", { path: "body", expected, got: `${bytes} bytes` });
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function checkFirstLane({ numLanes }: BatchEnv, firstLane: number): number {
  if (firstLane < numLanes) return firstLane;
  const expected = `a lane from 0 to ${numLanes - 1}`;
  throw new BridgeError("invalidRequest", { path: "/firstLane", expected, got: firstLane });
}

/** The fields of a session's request that are not its ids. */
function withoutIds<R extends SequenceIds>(request: R): Omit<R, keyof SequenceIds | "v" | "op"> {
  const { v, op, session, epoch, group, seq, ack, ...fields } = request as R & { v: string; op: string };
  return fields as Omit<R, keyof SequenceIds | "v" | "op">;
}
