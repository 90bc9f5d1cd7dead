/** `best-rate`: the server with the highest uplink rate. */

import type { Observation } from "../../env/index.js";
import { serverOfSmallest } from "./policy.js";

export function bestRate(observation: Observation): number {
  return serverOfSmallest(observation, (e) => -observation.rateMbps[e]);
}
