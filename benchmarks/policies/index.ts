/** The native policies, by name. */

import { checkOption } from "../../env/checks.js";
import { MecgymError, resolveScenario, type ScenarioInput } from "../../env/index.js";
import { adaptiveFeatures, makeAdaptive } from "./adaptive.js";
import { bestRate } from "./best-rate.js";
import { clairvoyantDefaults, makeClairvoyant } from "./clairvoyant.js";
import { fastest } from "./fastest.js";
import { lacs, makeLacs } from "./lacs.js";
import { learnedPriceParameters, makeLearnedPrice } from "./learned-price.js";
import { leastLoaded } from "./least-loaded.js";
import { local } from "./local.js";
import { adaptiveWeights, DEFAULT_TOLL_SLOTS, referenceOf, tollSlotsOf } from "./manifest.js";
import { baseNameOf, optionsOver, withOptions } from "./options.js";
import { oracle } from "./oracle.js";
import type { LookAheadHandle, Policy, PolicyEntry, PolicyParameters, RolloutHandle } from "./policy.js";
import { makePriced } from "./priced.js";
import { makeRandom } from "./random.js";
import { makeRollout, rolloutDefaults } from "./rollout.js";
import { makeRoundRobin } from "./round-robin.js";
import { makeTwoChoices } from "./two-choices.js";

export type { LookAheadHandle, Policy, PolicyEntry, PolicyParameters, RolloutHandle };
export {
  bestRate,
  DEFAULT_TOLL_SLOTS,
  fastest,
  lacs,
  leastLoaded,
  local,
  makePriced,
  makeRandom,
  makeRoundRobin,
  makeTwoChoices,
  oracle,
  referenceOf,
  tollSlotsOf,
};

/** Every native policy. A policy without memory and chance is the same function for every seed. */
export const policies: readonly PolicyEntry[] = [
  { name: "random", description: "every available action with equal probability", isRandom: true, make: makeRandom },
  { name: "local", description: "always the user's own device", make: () => local },
  { name: "round-robin", description: "the servers in turn", remembers: true, make: makeRoundRobin },
  { name: "best-rate", description: "the server with the highest uplink rate", make: () => bestRate },
  { name: "fastest", description: "the server with the highest capacity", make: () => fastest },
  { name: "least-loaded", description: "the server with the smallest (L+D)(N+1)/F", make: () => leastLoaded },
  { name: "two-choices", description: "the less loaded of two random servers", isRandom: true, make: makeTwoChoices },
  { name: "oracle", description: "the smallest cost now (eq. 15)", make: () => oracle },
  {
    name: "lacs",
    description: "the largest look-ahead reward (eq. 26)",
    needsLookAhead: true,
    options: { weight: { min: 0, max: 1000 }, numSamples: { min: 1, max: 64, isInteger: true } },
    make: (_seed, _scenario, options) => (options === undefined ? lacs : makeLacs(options)),
  },
  {
    name: "priced",
    description: "the smallest cost plus a toll for each active task, tuned for each scenario",
    options: { tollSlots: { min: 0, max: 1000 } },
    parameters: (scenario) => ({ tollSlots: tollSlotsOf(scenario) }),
    make: (_seed, scenario, options) =>
      makePriced(optionsOver({ tollSlots: tollSlotsOf(scenario) }, options).tollSlots),
  },
  {
    name: "adaptive",
    description: "the smallest cost plus a price that rises with queues and load; one set of weights for all scenarios",
    remembers: true,
    parameters: () => Object.fromEntries(adaptiveFeatures.map((feature, i) => [feature, adaptiveWeights[i]])),
    make: () => makeAdaptive(adaptiveWeights),
  },
  {
    name: "learned-price",
    description: "adaptive plus a price that a network of 4,971 weights learned from forks; one for all scenarios",
    remembers: true,
    parameters: () => learnedPriceParameters,
    make: (_seed, scenario) => makeLearnedPrice(scenario),
  },
  {
    name: "rollout",
    description: "priced, left where sampled futures show a clear gain",
    needsRollout: true,
    remembers: true,
    options: {
      base: { words: ["oracle", "priced", "adaptive"] },
      numFutures: { min: 4, max: 1024, isInteger: true },
      horizonSlots: { min: 1, max: 1000, isInteger: true },
      numCandidates: { min: 2, max: 128, isInteger: true },
      mostGapSlots: { min: 0, max: 1000 },
      threshold: { min: 0, max: 100 },
    },
    parameters: (scenario, options) => {
      const own = optionsOver(rolloutDefaults, options);
      return { ...own, ...(own.base === "priced" ? { tollSlots: tollSlotsOf(scenario) } : {}) };
    },
    make: (seed, scenario, options) => makeRollout(seed, scenario, optionsOver(rolloutDefaults, options)),
  },
  {
    name: "clairvoyant",
    description: "sees the future: a reference point, not a fair policy",
    needsRollout: true,
    isClairvoyant: true,
    parameters: () => clairvoyantDefaults,
    make: (_seed, scenario) => makeClairvoyant(scenario),
  },
];

/** Whether a policy can play a protocol: rollouts need an episode, and the static protocol has only states. */
export function canPlay(entry: PolicyEntry, protocol: "static" | "episodic"): boolean {
  return protocol === "episodic" || !entry.needsRollout;
}

/** @throws MecgymError `unknownPolicy`, or `invalidOption` if the policy cannot play the protocol */
export function checkCanPlay(name: string, protocol: "static" | "episodic"): void {
  const expected = "policies that need no rollouts, because this suite has settings of the static protocol";
  checkOption(canPlay(findPolicy(name), protocol), "policies", name, expected);
}

/** Why a policy's decisions cannot be labels of training data; undefined if they can. */
export function whyNoLabels(entry: PolicyEntry): string | undefined {
  if (entry.isClairvoyant) return "it sees the future, which nothing in a prompt tells";
  if (entry.isRandom) return "it chooses by chance, and nothing in a prompt decides its labels";
  return undefined;
}

/** @throws MecgymError `unknownPolicy`, or `invalidOption` if the policy's decisions cannot be labels */
export function checkCanLabel(name: string): void {
  const reason = whyNoLabels(findPolicy(name));
  if (reason === undefined) return;
  const names = policies.filter((policy) => whyNoLabels(policy) === undefined).map((policy) => policy.name);
  const expected = `one of ${names.join(", ")}; as for ${name}, ${reason}`;
  throw new MecgymError("invalidOption", { path: "dataset/labels", got: name, expected });
}

/**
 * A native policy for one episode.
 *
 * @param seed seed of the policy's own random draws; the episode's seed by convention
 * @param scenario the scenario it will play, because some policies are tuned for each scenario
 * @throws MecgymError `unknownPolicy`, `unknownScenario`, `invalidScenario`
 */
export function makePolicy(name: string, seed = 0, scenario: string | ScenarioInput = "paper-v1"): Policy {
  return findPolicy(name).make(seed, resolveScenario(scenario));
}

/**
 * @param name name of a policy, with options if it has some: `lacs:weight=1`
 * @throws MecgymError `unknownPolicy`, `invalidOption`
 */
export function findPolicy(name: string): PolicyEntry {
  const entry = policies.find((policy) => policy.name === baseNameOf(name));
  if (entry === undefined) {
    throw new MecgymError("unknownPolicy", {
      path: "policy",
      got: name,
      expected: `one of ${policies.map((policy) => policy.name).join(", ")}`,
    });
  }
  return withOptions(entry, name);
}
