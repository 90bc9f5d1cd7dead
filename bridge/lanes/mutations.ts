/** Requests that change lanes other than by playing them: restore and fork. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { splitBytes } from "../wire/byte-lists.js";
import { needArray, readBody } from "../wire/described-body.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";

/**
 * Puts lanes into the states of snapshots: all of them, or none.
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
  env.restoreLanes(lanes, splitBytes("snapshotOffsets", offsets, bytes));
}

/**
 * Makes lanes `to` copies of lanes `from`, all at once: two lanes may swap places.
 *
 * @throws BridgeError, MecgymError `needsReset`, `invalidOption`; then no lane is changed
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
  // a source that is itself a target is saved before it is overwritten
  const written = new Set(to);
  const saved = new Map<number, Uint8Array>();
  for (const [i, lane] of from.entries()) {
    if (lane !== to[i] && written.has(lane) && !saved.has(lane)) saved.set(lane, env.snapshot(lane));
  }
  for (const [i, lane] of from.entries()) {
    const snapshot = saved.get(lane);
    if (lane === to[i]) continue;
    if (snapshot === undefined) env.fork(lane, to[i]);
    else env.restore(to[i], snapshot);
  }
}

/** A lane may be changed only once in a request. Otherwise the order would matter. */
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
