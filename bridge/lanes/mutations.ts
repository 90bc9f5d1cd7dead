/** Changes of lanes beside steps and resets: restored, copied, or played by a native policy. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/lane-player.js";
import { FLAG_INVALID_ACTION, FLAG_RESET } from "../../env/core/flags.js";
import { needArray, piecesOf, type ReplyArray, readBody } from "../wire/array-layout.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";
import type { PolicyBook } from "./policy-provider.js";
import type { StepParts } from "./reply-buffers.js";

/** A reset, a restore and a fork end no episode. */
export const noFinals: StepParts = { result: { numFinal: 0 }, sections: [] };

/**
 * Puts lanes into states of snapshots: all of them, or none.
 *
 * @throws BridgeError, MecgymError `invalidSnapshot`
 */
export function restoreLanes(env: BatchEnv, { layout }: RequestOf<"restore">, body: Uint8Array | undefined): void {
  const { arrays } = readBody(layout, body, {
    lane: ["int32", "k"],
    snapshotOffsets: ["uint32", "k+1"],
    snapshotBytes: ["uint8", "bytes"],
  });
  const lanes = needArray<Int32Array>(arrays.lane, "lane");
  checkOnce(env, "lane", lanes);
  const bytes = needArray<Uint8Array>(arrays.snapshotBytes, "snapshotBytes");
  const offsets = needArray<Uint32Array>(arrays.snapshotOffsets, "snapshotOffsets");
  env.restoreLanes(lanes, piecesOf("snapshotOffsets", offsets, bytes));
}

/**
 * Makes lanes `to` copies of lanes `from` as they are now, all at once: two lanes may change places.
 *
 * @throws BridgeError, MecgymError `needsReset`, `invalidOption`; no lane is changed
 */
export function forkLanes(
  env: BatchEnv,
  layout: NonNullable<RequestOf<"fork">["layout"]>,
  body: Uint8Array | undefined,
): void {
  const { arrays } = readBody(layout, body, { from: ["int32", "k"], to: ["int32", "k"] });
  const from = needArray<Int32Array>(arrays.from, "from");
  const to = needArray<Int32Array>(arrays.to, "to");
  checkOnce(env, "to", to);
  for (const [i, lane] of from.entries()) env.checkFork(lane, to[i]);
  // a lane that is itself overwritten is read before it is
  const written = new Set(to);
  const kept = new Map<number, Uint8Array>();
  for (const [i, lane] of from.entries()) {
    if (lane !== to[i] && written.has(lane) && !kept.has(lane)) kept.set(lane, env.snapshot(lane));
  }
  for (const [i, lane] of from.entries()) {
    const snapshot = kept.get(lane);
    if (lane === to[i]) continue;
    if (snapshot === undefined) env.fork(lane, to[i]);
    else env.restore(to[i], snapshot);
  }
}

/** A lane may be changed once in a request: else the order would decide. */
function checkOnce({ numLanes }: BatchEnv, name: string, lanes: Int32Array): void {
  const seen = new Uint8Array(numLanes);
  for (const [i, lane] of lanes.entries()) {
    if (lane >= 0 && lane < numLanes && seen[lane] === 0) {
      seen[lane] = 1;
      continue;
    }
    const expected = `a lane from 0 to ${numLanes - 1}, each once`;
    throw new BridgeError("invalidRequest", { path: `${name}/${i}`, expected, got: lane });
  }
}

/** Bytes that the rows of an ended episode take in a policy's reply. */
const BYTES_PER_FINAL = 4 + 4 + 8 * episodeStatsFields.length + 4;

/**
 * Plays steps of all lanes with a native policy, as many as are asked for and as their reply has room for.
 *
 * @param room bytes for what stands behind the step's arrays
 * @throws BridgeError `replyTooLarge`; MecgymError `unknownPolicy`, `needsReset`
 */
export function playPolicy(env: BatchEnv, book: PolicyBook, request: RequestOf<"policy">, room: number): StepParts {
  const { numLanes, outputs } = env;
  const player = book.player(request.policy, env);
  const costSumSlots = new Float64Array(numLanes);
  const decisions = new Int32Array(numLanes);
  const invalidActions = new Int32Array(numLanes);
  const finals = new FinalList();
  const actions = new Int32Array(numLanes);
  let left = room - 16 * numLanes - 8 * 8;
  let steps = 0;
  for (; steps < request.steps; steps++) {
    left -= numLanes * BYTES_PER_FINAL; // all may end in this step
    if (left < 0 || (steps > 0 && needsReset(env))) break;
    player.choose(actions);
    env.step(actions);
    for (let lane = 0; lane < numLanes; lane++) {
      const flags = outputs.flags[lane];
      if ((flags & FLAG_RESET) !== 0) continue;
      costSumSlots[lane] += outputs.costSlots[lane];
      decisions[lane] += 1;
      if ((flags & FLAG_INVALID_ACTION) !== 0) invalidActions[lane] += 1;
    }
    finals.add(env, steps);
    left += (numLanes - env.numFinal) * BYTES_PER_FINAL;
  }
  if (steps === 0) {
    const expected = `lanes whose reply has room for one step: ${numLanes * BYTES_PER_FINAL} bytes`;
    throw new BridgeError("replyTooLarge", { path: "body", expected, got: `${room} bytes` });
  }
  const policyLayout: ReplyArray[] = [
    { name: "costSumSlots", values: costSumSlots },
    { name: "decisions", values: decisions },
    { name: "invalidActions", values: invalidActions },
    ...finals.arrays(),
  ];
  return {
    result: { numFinal: finals.count, steps },
    sections: [{ name: "policyLayout", arrays: policyLayout }],
  };
}

/** Whether a lane has ended that the next step would not reset: an error before the first step, and an end after it. */
function needsReset({ autoreset, numFinal }: BatchEnv): boolean {
  return autoreset === "disabled" && numFinal > 0;
}

/** Episodes that ended in several steps. */
class FinalList {
  readonly #step: number[] = [];
  readonly #lane: number[] = [];
  readonly #slot: number[] = [];
  readonly #stats: number[] = [];

  get count(): number {
    return this.#lane.length;
  }

  add({ numFinal, finalLane, finalSlot, finalStats }: BatchEnv, step: number): void {
    const width = episodeStatsFields.length;
    for (let row = 0; row < numFinal; row++) {
      this.#step.push(step);
      this.#lane.push(finalLane[row]);
      this.#slot.push(finalSlot[row]);
      for (let i = 0; i < width; i++) this.#stats.push(finalStats[row * width + i]);
    }
  }

  arrays(): ReplyArray[] {
    const k = this.count;
    return [
      { name: "finalStep", values: Int32Array.from(this.#step) },
      { name: "finalLane", values: Int32Array.from(this.#lane) },
      { name: "finalStats", values: Float64Array.from(this.#stats), shape: [k, episodeStatsFields.length] },
      { name: "finalSlot", values: Int32Array.from(this.#slot) },
    ];
  }
}
