/** `round-robin`: the servers in turn, from server 1. */

import type { Policy } from "./policy.js";

export function makeRoundRobin(): Policy {
  let last = 0;
  return (observation) => {
    last = (last % observation.numServers) + 1;
    return last;
  };
}
