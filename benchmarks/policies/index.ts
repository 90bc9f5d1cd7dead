/** The native policies, by name. */

import { MecgymError } from "../../env/index.js";
import { bestRate } from "./best-rate.js";
import { fastest } from "./fastest.js";
import { lacs } from "./lacs.js";
import { leastLoaded } from "./least-loaded.js";
import { local } from "./local.js";
import { oracle } from "./oracle.js";
import type { LookAheadHandle, Policy, PolicyEntry } from "./policy.js";
import { makePriced } from "./priced.js";
import { makeRandom } from "./random.js";
import { makeRoundRobin } from "./round-robin.js";
import { makeTwoChoices } from "./two-choices.js";

export type { LookAheadHandle, Policy, PolicyEntry };
export { bestRate, fastest, lacs, leastLoaded, local, makePriced, makeRandom, makeRoundRobin, makeTwoChoices, oracle };

/** Every native policy. A policy without memory or chance is the same function for every seed. */
export const policies: readonly PolicyEntry[] = [
  { name: "random", description: "every available action with equal probability", make: makeRandom },
  { name: "local", description: "always the user's own device", make: () => local },
  { name: "round-robin", description: "the servers in turn", make: makeRoundRobin },
  { name: "best-rate", description: "the server with the highest uplink rate", make: () => bestRate },
  { name: "fastest", description: "the server with the highest capacity", make: () => fastest },
  { name: "least-loaded", description: "the server with the smallest (L+D)(N+1)/F", make: () => leastLoaded },
  { name: "two-choices", description: "the less loaded of two random servers", make: makeTwoChoices },
  { name: "oracle", description: "the smallest cost now (eq. 15)", make: () => oracle },
  { name: "lacs", description: "the largest look-ahead reward (eq. 26)", needsLookAhead: true, make: () => lacs },
  { name: "priced", description: "the smallest cost plus one slot for each active task", make: () => makePriced(1) },
];

/**
 * A native policy for one episode.
 *
 * @param seed seed of the policy's own chance; the episode's seed by convention
 * @throws MecgymError `unknownPolicy`
 */
export function makePolicy(name: string, seed = 0): Policy {
  return findPolicy(name).make(seed);
}

/** @throws MecgymError `unknownPolicy` */
export function findPolicy(name: string): PolicyEntry {
  const entry = policies.find((policy) => policy.name === name);
  if (entry === undefined) {
    throw new MecgymError("unknownPolicy", {
      path: "policy",
      got: name,
      expected: `one of ${policies.map((policy) => policy.name).join(", ")}`,
    });
  }
  return entry;
}
