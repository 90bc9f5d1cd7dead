/** `round-robin`: the available servers in turn, from server 1. */

import { isServerAvailable } from "../../env/index.js";
import type { Policy } from "./policy.js";

export function makeRoundRobin(): Policy {
  let last = 0;
  return (observation) => {
    for (let tried = 0; tried < observation.numServers; tried++) {
      last = (last % observation.numServers) + 1;
      if (isServerAvailable(observation, last - 1)) return last;
    }
    return 0;
  };
}
