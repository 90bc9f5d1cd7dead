/** The conditions of a measurement; figures say little without them. */

import { availableParallelism, cpus, totalmem } from "node:os";
import { packageVersion } from "../../composition/package-version.js";

/** Version, runtime and machine. */
export function machineConditions(): Record<string, string | number> {
  return {
    packageVersion,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    numCpus: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
  };
}
