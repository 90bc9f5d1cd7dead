/** `fastest`: the server with the highest capacity. */

import type { Observation } from "../../env/index.js";
import { serverOfSmallest } from "./policy.js";

export function fastest(observation: Observation): number {
  return serverOfSmallest(observation, (e) => -observation.cpuGHz[e]);
}
