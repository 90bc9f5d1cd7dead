/** `local`: every task stays on its user's device. */

import type { Observation } from "../../env/index.js";

export function local(_observation: Observation): number {
  return 0;
}
