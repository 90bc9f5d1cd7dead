/** The module's interface: every function that a host can call. docs/embedding.md describes each of them. */

import { BATCH, Batch } from "./batch";

export { addScenario, assignScenarios, checkCanaries, create, requiredBytes } from "./batch";
export { chooseCheapest } from "./choices";
export { phaseOf, readDecision, readDecisionNow } from "./decision-block";
export { fork, forgetStep } from "./fork";
export { drawStream, seedStream } from "./free-stream";
export { borrow } from "./heap";
export { chooseLookAhead, lookAhead, lookAheadOfState } from "./look-ahead";
export { lnInPlace } from "./logarithm";
export { fieldTable, numFields } from "./memory-map";
export { useOutputs } from "./outputs";
export { reset, step } from "./player";
export { checkSnapshot, restore } from "./restore";
export { beginRollout, playRollout, rollout } from "./rollout";
export { nextEpisodeSeed } from "./seeding";
export { snapshot, snapshotBytes, stateHash } from "./snapshot";

/** Version of the interface: it changes when a host has to. */
export function interfaceVersion(): i32 {
  return 1;
}

/** Bytes of memory with which the last call that answered NEEDS_ROOM goes through. */
export function neededBytes(): f64 {
  return <f64>changetype<Batch>(BATCH).neededBytes;
}
