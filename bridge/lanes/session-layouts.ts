/** The body layouts that `open` announces for the groups of a session. docs/protocol.md describes the arrays. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { outputSpecs } from "../../env/batch/outputs.js";
import { type ArraySpec, makeLayout } from "../wire/array-layout.js";

export interface SessionLayouts {
  readonly resetRequest: ArraySpec[];
  readonly stepRequest: ArraySpec[];
  readonly maskRequest: ArraySpec[];
  readonly stepReply: ArraySpec[];
}

export function layoutsOf(env: Pick<BatchEnv, "numLanes" | "observationSize" | "maxServers">): SessionLayouts {
  const { numLanes } = env;
  return {
    resetRequest: makeLayout([
      { name: "seeds", dtype: "uint64", shape: [numLanes] },
      { name: "mask", dtype: "uint8", shape: [numLanes] },
    ]),
    stepRequest: makeLayout([{ name: "actions", dtype: "int32", shape: [numLanes] }]),
    maskRequest: makeLayout([{ name: "mask", dtype: "uint8", shape: [numLanes] }]),
    stepReply: makeLayout(outputSpecs(env)),
  };
}
