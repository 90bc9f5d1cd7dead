/** `two-choices`: the less loaded of two different servers drawn at random. */

import { createStream, streamName } from "../../env/index.js";
import { loadOf } from "./least-loaded.js";
import type { Policy } from "./policy.js";

export function makeTwoChoices(seed: number): Policy {
  const uniform = createStream(streamName("policy", "two-choices", seed));
  return (observation) => {
    const { numServers } = observation;
    const first = Math.floor(uniform() * numServers);
    if (numServers === 1) return 1;
    const step = 1 + Math.floor(uniform() * (numServers - 1));
    const second = (first + step) % numServers;
    return (loadOf(observation, second) < loadOf(observation, first) ? second : first) + 1;
  };
}
