/** `random`: every available action of {0, …, E} with equal probability. */

import { createStream, streamName } from "../../env/index.js";
import { countAvailable, nthAvailable, type Policy } from "./policy.js";

export function makeRandom(seed: number): Policy {
  const uniform = createStream(streamName("policy", "random", seed));
  return (observation) => nthAvailable(observation, Math.floor(uniform() * (countAvailable(observation) + 1)));
}
