/** Look-aheads asked of the core: their settings. */

import type { LookAheadOptions } from "../core/look-ahead-options.js";
import type { CoreModule } from "../core/module.js";

/** Writes settings for a look-ahead that does not take its scenario's own. */
export function writeLookAheadOptions(core: CoreModule, options: LookAheadOptions): void {
  core.set("lookAhead.numSamples", options.numSamples);
  core.set("lookAhead.weight", options.weight);
  core.set("lookAhead.minSizeFactor", options.sizeFactor.min);
  core.set("lookAhead.maxSizeFactor", options.sizeFactor.max);
  core.set("lookAhead.isSequential", options.mode === "sequential" ? 1 : 0);
  core.set("lookAhead.isResampled", options.rates === "resampled" ? 1 : 0);
}
