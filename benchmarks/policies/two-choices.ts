/** `two-choices`: the less loaded of two different available servers drawn at random. */

import { createStream, streamName } from "../../env/index.js";
import { loadOf } from "./least-loaded.js";
import { countAvailable, nthAvailable, type Policy } from "./policy.js";

export function makeTwoChoices(seed: number): Policy {
  const uniform = createStream(streamName("policy", "two-choices", seed));
  return (observation) => {
    const count = countAvailable(observation);
    if (count === 0) return 0;
    const draw = Math.floor(uniform() * count);
    const first = nthAvailable(observation, draw + 1);
    if (count === 1) return first;
    const step = 1 + Math.floor(uniform() * (count - 1));
    const second = nthAvailable(observation, ((draw + step) % count) + 1);
    return loadOf(observation, second - 1) < loadOf(observation, first - 1) ? second : first;
  };
}
