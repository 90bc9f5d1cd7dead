/** `random`: every action of {0, …, E} with equal probability. */

import { createStream, streamName } from "../../env/index.js";
import type { Policy } from "./policy.js";

export function makeRandom(seed: number): Policy {
  const uniform = createStream(streamName("policy", "random", seed));
  return (observation) => Math.floor(uniform() * (observation.numServers + 1));
}
