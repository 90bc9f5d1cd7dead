/** The module's interface: every function that a host can call. docs/embedding.md describes each of them. */

import { BATCH, Batch } from "./batch";

export { addScenario, assignScenarios, create, requiredBytes } from "./batch";
export { chooseCheapest } from "./choices";
export { readDecision } from "./decision-block";
export { fieldTable, numFields } from "./memory-map";
export { useOutputs } from "./outputs";
export { reset, step } from "./player";

/** Version of the interface: it changes when a host has to. */
export function interfaceVersion(): i32 {
  return 1;
}

/** Bytes of memory with which the last call that answered NEEDS_ROOM goes through. */
export function neededBytes(): f64 {
  return <f64>changetype<Batch>(BATCH).neededBytes;
}
